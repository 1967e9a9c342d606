package udp

// #include "messages.h"
import "C"

import (
	"syscall"

	"jumping"
)

// slotHeadroom is what a slot holds beyond the largest datagram: jmp_send asks for room for frames even when a payload of
// full size leaves no place for them.
const slotHeadroom = 128

// outgoingSlots is how many sealed datagrams may wait for the end of a turn.
const outgoingSlots = 2 * batchSize

// outgoing is sealed datagrams that wait for the end of the turn, so that many leave in one system call.
type outgoing struct {
	slotSize   int
	buffer     []byte
	messages   [outgoingSlots]C.jumping_udp_message
	transports [outgoingSlots]uint32
	sessions   [outgoingSlots]uint64
	numbers    [outgoingSlots]uint64
	count      int
}

func newOutgoing(slotSize int) *outgoing {
	return &outgoing{slotSize: slotSize, buffer: make([]byte, outgoingSlots*slotSize)}
}

// add records what was sealed into the slot at the end.
func (o *outgoing) add(datagram *jumping.Datagram) {
	message := &o.messages[o.count]
	message.length, message.error = C.uint32_t(datagram.Length), 0
	writeMessageAddress(message, &datagram.To)
	o.transports[o.count], o.sessions[o.count], o.numbers[o.count] = datagram.Transport, datagram.Session, datagram.PacketNumber
	o.count++
}

// addUnused skips the slot at the end: nothing was sealed into it.
func (o *outgoing) addUnused() {
	o.transports[o.count] = jumping.TransportNone
	o.count++
}

// sealQueued seals queued payloads, many per call, in the order of their Send.
func (h *Host) sealQueued() {
	o := h.outgoing
	for i := 0; i < turnBatches; i++ {
		first, count := h.outbox.front(batchSize)
		if count == 0 {
			return
		}
		if o.count+count > outgoingSlots {
			h.flush(jumping.Now())
		}
		h.sealing = h.sealing[:0]
		for index := first; index < first+count; index++ {
			h.sealing = append(h.sealing, jumping.SendItem{
				Session:       h.outbox.sessions[index].handle,
				PayloadOffset: index * h.outbox.slotSize, PayloadLength: h.outbox.lengths[index],
				BufferOffset: (o.count + index - first) * o.slotSize, BufferCapacity: o.slotSize,
			})
		}
		_, err := h.endpoint.SendBatch(h.sealing, h.outbox.block, jumping.Now(), o.buffer)
		h.must(err)
		for i := range h.sealing {
			if err == nil && h.sealing[i].Err == nil {
				o.add(&h.sealing[i].Datagram)
			} else {
				o.addUnused()
				h.outbox.sessions[first+i].sendsDropped.Add(1)
			}
		}
		h.outbox.drop(count)
	}
	signal(h.outbox.ready) // there may be more: the next turn's
}

// collectTransmits takes the library's control datagrams.
func (h *Host) collectTransmits(now jumping.Time) {
	o := h.outgoing
	var datagram jumping.Datagram
	for {
		if o.count == outgoingSlots {
			h.flush(now)
		}
		err := h.endpoint.PollTransmit(now, o.buffer[o.count*o.slotSize:][:o.slotSize], &datagram)
		if err == jumping.ErrAgain {
			return
		}
		if err != nil {
			h.must(err)
			return
		}
		o.add(&datagram)
	}
}

// flush puts everything that waits on the network, runs of one socket in one call. It is true when a datagram did not
// leave, or a socket's fate changed, and the library was told.
func (h *Host) flush(now jumping.Time) (hasMutated bool) {
	o := h.outgoing
	for first := 0; first < o.count; {
		end := first + 1
		for end < o.count && end-first < batchSize && o.transports[end] == o.transports[first] {
			end++
		}
		if s := h.sockets[o.transports[first]]; s != nil && !s.isMuted {
			failed := s.send(o.messages[first:end], o.buffer[first*o.slotSize:])
			if failed < end-first && s.isDown {
				s.isDown = false
				h.must(h.endpoint.HintTransport(s.transport, true, now))
				hasMutated = true
			}
			if failed > 0 {
				h.noteUnsent(s, first, end, now)
				hasMutated = true
			}
		}
		first = end
	}
	o.count = 0
	return hasMutated
}

// noteUnsent tells the library which datagrams of a run did not leave.
func (h *Host) noteUnsent(s *socket, first, end int, now jumping.Time) {
	o := h.outgoing
	for i := first; i < end; i++ {
		errno := syscall.Errno(o.messages[i].error)
		if errno == 0 {
			continue
		}
		h.unsent.Add(1)
		if o.sessions[i] != 0 && o.numbers[i] != jumping.PacketNumberNone {
			// A session that ended since has forgotten the number; then there is nothing to correct.
			_ = h.endpoint.Unsent(o.sessions[i], o.numbers[i], now)
		}
		h.noteSendError(s, errno, now)
	}
}

// noteSendError tells the library when a socket's network has gone.
func (h *Host) noteSendError(s *socket, errno syscall.Errno, now jumping.Time) {
	if s.isDown || h.sockets[s.transport] != s || !networkIsGone(errno, h.isGateway) {
		return
	}
	s.isDown = true
	h.must(h.endpoint.HintTransport(s.transport, false, now))
}

package udp

import (
	"syscall"
	"time"

	"jumping"
)

// lateness is how much later than asked the loop may wake before it looks into the sockets itself: their readers may not
// have run either, and a silence of ours must not look like the path's.
const lateness = 2 * time.Millisecond

// turnBatches bounds how many batches, of datagrams and of payloads, one turn takes in before it lets time pass.
const turnBatches = 8

// settleRounds bounds a chain of answers to answers that would never end; real ones take two or three.
const settleRounds = 64

// run is the loop: the one goroutine that touches the endpoint.
func (h *Host) run() {
	for !h.isStopping {
		var made *command
		select {
		case b := <-h.received:
			h.take(b)
		case <-h.outbox.ready:
		case <-h.resumed.ready:
			h.resume(jumping.Now())
		case made = <-h.commands:
			h.sealQueued() // what was sent before a Close leaves before it
			made.run(jumping.Now())
		case <-h.timer.ticks:
		}
		h.turn()
		if made != nil {
			close(made.finished)
		}
	}
	h.finish()
}

// turn takes in what waits, lets time pass, and sends and tells everything that follows from it.
func (h *Host) turn() {
	h.takeWaiting()
	h.sealQueued()
	now := jumping.Now()
	if deadline, err := h.endpoint.NextTimeout(); err == nil && deadline <= now {
		if now.Sub(deadline) > lateness {
			h.drainSockets()
			now = jumping.Now()
		}
		h.must(h.endpoint.HandleTimeout(now))
	}
	h.settle(now)
	if deadline, err := h.endpoint.NextTimeout(); err == nil {
		h.timer.arm(deadline, jumping.Now())
	}
}

// settle drains transmits and events until nothing follows from them any more.
func (h *Host) settle(now jumping.Time) {
	for round := 0; round < settleRounds; round++ {
		h.collectTransmits(now)
		followsFromNetwork := h.flush(now)
		followsFromEvents := h.dispatchEvents(now)
		if !followsFromNetwork && !followsFromEvents {
			return
		}
	}
}

// must notes an error that only a broken process can see (a fork, a library that lost its endpoint): the host ends rather
// than spin.
func (h *Host) must(err error) {
	if err != nil {
		h.isStopping = true
	}
}

// takeWaiting takes in batches that readers have ready, without waiting.
func (h *Host) takeWaiting() {
	for i := 0; i < turnBatches; i++ {
		select {
		case b := <-h.received:
			h.take(b)
		default:
			return
		}
	}
}

// drainSockets takes in what waits anywhere.
func (h *Host) drainSockets() {
	h.takeWaiting()
	for _, s := range h.sockets {
		for i := 0; i < turnBatches; i++ {
			b := s.drain()
			if b == nil {
				break
			}
			h.deliver(b)
		}
	}
}

// take opens a reader's batch and gives it back.
func (h *Host) take(b *batch) {
	if errno, isErrno := b.err.(syscall.Errno); isErrno {
		h.noteSendError(b.socket, errno, jumping.Now())
	} else {
		h.deliver(b)
	}
	b.socket.free <- b
}

// deliver gives the datagrams of a batch to the library in one call, and their payloads to their sessions.
func (h *Host) deliver(b *batch) {
	s := b.socket
	if s.isMuted || h.sockets[s.transport] != s {
		return // muted, or removed while the batch was on its way
	}
	h.incoming = h.incoming[:0]
	for i := 0; i < b.count; i++ {
		message := &b.messages[i]
		from, err := readMessageAddress(message)
		if err != nil || message.error != 0 {
			h.truncated.Add(1)
			continue
		}
		h.incoming = append(h.incoming, jumping.ReceiveItem{
			Transport: s.transport, From: from, Offset: i * s.slotSize, Length: int(message.length)})
	}
	now, isWaiting := jumping.Now(), false
	h.must(h.endpoint.ReceiveBatch(h.incoming, b.buffer, now))
	for i := range h.incoming {
		item := &h.incoming[i]
		if item.Err != nil {
			continue
		}
		payload := b.buffer[item.Offset+item.Received.PayloadOffset:][:item.Received.PayloadLength]
		switch item.Received.Kind {
		case jumping.ReceivedPayload:
			h.sessionWith(item.Received.Session, jumping.RoleGateway).inbox.put(payload)
		case jumping.ReceivedProtected:
			h.deliverProtected(item.Received.Session, payload, item.Received.Channel, now)
		}
		isWaiting = isWaiting || item.Received.Waiting
	}
	if isWaiting {
		h.collectPayloads(now)
	}
}

// sessionWith is the session of a handle. One that is not known yet is a client's whose first payload came with the datagram
// that established it: its event follows.
func (h *Host) sessionWith(handle uint64, role jumping.Role) *Session {
	session := h.sessions[handle]
	if session == nil {
		session = newSession(h, handle, role)
		h.sessions[handle] = session
	}
	return session
}

// dispatchEvents tells the host's own parts, then the reader of Events. It is true when an answer changed the endpoint.
func (h *Host) dispatchEvents(now jumping.Time) (hasMutated bool) {
	for {
		err := h.endpoint.PollEvent(&h.event)
		if err == jumping.ErrAgain {
			return hasMutated
		}
		if err != nil {
			h.must(err)
			return false
		}
		if h.react(&h.event, now) {
			hasMutated = true
		}
		select {
		case h.events <- h.event:
		default:
			h.eventsDropped.Add(1)
		}
	}
}

// react does what an event asks of the host itself; true when that changed the endpoint.
func (h *Host) react(event *jumping.Event, now jumping.Time) bool {
	session := h.sessions[event.Session]
	switch event.Type {
	case jumping.EventAcceptRequested:
		h.admit(event, now)
		return true
	case jumping.EventSessionEstablished:
		return h.establish(h.sessionWith(event.Session, event.Role), event, now)
	case jumping.EventSessionTerminated:
		if session != nil {
			h.takeRest(session, now)
			delete(h.sessions, event.Session)
			session.end(event.Reason)
		}
	case jumping.EventSessionStateChange:
		if session != nil {
			session.state.Store(uint32(event.NewState))
			session.refresh(h.endpoint)
		}
	case jumping.EventWritable:
		if session != nil {
			signal(session.writable)
		}
	case jumping.EventPayloadAcknowledged, jumping.EventPayloadExpired:
		if session != nil {
			session.settle(event)
		}
	case jumping.EventTransportSwitch, jumping.EventPolicyChanged:
		if session != nil {
			session.refresh(h.endpoint)
		}
	}
	return false
}

// admit answers a session that asks to begin. What the library refuses (the request expired, a wrong key) is told by its
// own events.
func (h *Host) admit(event *jumping.Event, now jumping.Time) {
	session := h.endpoint.Session(event.Session)
	if h.config.Admit != nil {
		if admission := h.config.Admit(event); admission.Accept {
			_ = session.Accept(admission.PSK, now)
			return
		}
	}
	_ = session.Refuse(now)
}

// establish makes a session known to the Dial or Accept that waits for it; true when nobody could and it was closed.
func (h *Host) establish(session *Session, event *jumping.Event, now jumping.Time) bool {
	session.id, session.role, session.label = event.SessionID, event.Role, event.Label
	session.refresh(h.endpoint)
	session.establish()
	if session.role == jumping.RoleClient {
		return false
	}
	select {
	case h.accepted <- session:
		return false
	default:
		_ = session.in(h.endpoint).Close(jumping.ReasonOperatorTerminated, now)
		return true
	}
}

// finish ends everything; the loop's last act.
func (h *Host) finish() {
	for handle, session := range h.sessions {
		delete(h.sessions, handle)
		session.end(jumping.ReasonOperatorTerminated)
	}
	close(h.events)
	h.release()
}

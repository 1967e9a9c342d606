package udp

// #include "messages.h"
import "C"

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"jumping"
)

// batchSize is how many datagrams travel per system call and per hop between goroutines.
const batchSize = C.JUMPING_UDP_BATCH

// batchesPerSocket bounds what a reader may take from the kernel while the loop is busy; beyond it the kernel's buffer
// fills, and then drops.
const batchesPerSocket = 3

// errorPause keeps a reader of a broken socket from spinning.
const errorPause = 10 * time.Millisecond

// Socket describes a local UDP socket, which is one transport of the host.
type Socket struct {
	// Name is the transport's, 1 … 15 printable ASCII bytes, unique in the host; empty means "udp:A", "udp:B", … by
	// position.
	Name string
	// Listen is the local address, "host:port"; empty means any address and port. A gateway on a machine with several
	// addresses should name one address per socket, so that answers leave from the address that was asked.
	Listen string
	// Class and Cost are the transport's attributes; 0 means their defaults.
	Class jumping.TransportClass
	Cost  uint32
	// MTU is the largest datagram in bytes, at most Config.MaxDatagram; 0 means jumping.DefaultMTU.
	MTU uint32
}

// batch is some datagrams of one socket on their way from its reader to the loop.
type batch struct {
	socket   *socket
	buffer   []byte
	messages [batchSize]C.jumping_udp_message
	count    int
	// err is set when the socket failed instead.
	err error
}

// socket is a local UDP socket. Its reader goroutine waits for datagrams; everything else is the loop's.
type socket struct {
	name       string
	transport  uint32
	local      netip.AddrPort
	slotSize   int
	connection *net.UDPConn
	raw        syscall.RawConn
	family     C.int
	// free holds the batches nobody uses. It has room for all of them.
	free chan *batch
	// isMuted makes the socket swallow everything, both ways.
	isMuted bool
	// isDown is true after a send said that the network is gone, until one works again.
	isDown bool

	// The arguments and result of sendRun and drainRun: closures made once, because one per call would be an allocation.
	run      []C.jumping_udp_message
	runData  []byte
	failed   C.int
	sendRun  func(descriptor uintptr)
	drained  *batch
	drainRun func(descriptor uintptr)
}

func openSocket(ctx context.Context, name, listen string, slotSize, receiveBytes int) (*socket, error) {
	if listen == "" {
		listen = ":0"
	}
	var config net.ListenConfig
	packetConnection, err := config.ListenPacket(ctx, "udp", listen)
	if err != nil {
		return nil, fmt.Errorf("udp: transport %s: %w", name, err)
	}
	connection := packetConnection.(*net.UDPConn)
	// A refused size leaves the kernel's default: smaller bursts fit, nothing else changes.
	_ = connection.SetReadBuffer(receiveBytes)
	raw, err := connection.SyscallConn()
	if err != nil {
		connection.Close()
		return nil, fmt.Errorf("udp: transport %s: %w", name, err)
	}
	s := &socket{name: name, connection: connection, raw: raw, slotSize: slotSize,
		local: connection.LocalAddr().(*net.UDPAddr).AddrPort(), free: make(chan *batch, batchesPerSocket)}
	if err := raw.Control(func(descriptor uintptr) { s.family = C.jumping_udp_family(C.int(descriptor)) }); err != nil || s.family < 0 {
		connection.Close()
		return nil, fmt.Errorf("udp: transport %s: no address family: %v", name, syscall.Errno(-s.family))
	}
	for i := 0; i < batchesPerSocket; i++ {
		s.free <- &batch{socket: s, buffer: make([]byte, batchSize*slotSize)}
	}
	s.drained = &batch{socket: s, buffer: make([]byte, batchSize*slotSize)}
	s.sendRun = func(descriptor uintptr) {
		s.failed = C.jumping_udp_send(C.int(descriptor), s.family, bytesOf(s.runData), C.uint32_t(s.slotSize), &s.run[0],
			C.uint32_t(len(s.run)))
	}
	s.drainRun = func(descriptor uintptr) { s.drained.fill(descriptor) }
	return s, nil
}

// fill takes what waits in the socket; false when nothing does.
func (b *batch) fill(descriptor uintptr) bool {
	b.count, b.err = 0, nil
	result := C.jumping_udp_receive(C.int(descriptor), bytesOf(b.buffer), C.uint32_t(b.socket.slotSize), &b.messages[0], batchSize)
	switch {
	case result >= 0:
		b.count = int(result)
	case syscall.Errno(-result) == syscall.EAGAIN:
		return false
	default:
		b.err = syscall.Errno(-result)
	}
	return true
}

// read is the reader goroutine: it waits for the socket and hands batches to the loop. It ends when the socket is closed
// or the host is done.
func (s *socket) read(received chan<- *batch, done <-chan struct{}) {
	var b *batch
	fill := func(descriptor uintptr) bool { return b.fill(descriptor) }
	for {
		select {
		case b = <-s.free:
		case <-done:
			return
		}
		if err := s.raw.Read(fill); err != nil {
			return // closed
		}
		isBroken := b.err != nil
		select {
		case received <- b:
		case <-done:
			return
		}
		if isBroken {
			time.Sleep(errorPause)
		}
	}
}

// drain takes what waits in the socket without its reader, for a loop that is late. nil when nothing waits.
func (s *socket) drain() *batch {
	s.drained.count = 0
	if s.raw.Control(s.drainRun) != nil || s.drained.count == 0 {
		return nil
	}
	return s.drained
}

// send puts messages whose bytes lie in data, a slot each, on the network; each one's error says whether it left. It
// returns how many did not.
func (s *socket) send(messages []C.jumping_udp_message, data []byte) int {
	s.run, s.runData, s.failed = messages, data, 0
	err := s.raw.Control(s.sendRun)
	s.run, s.runData = nil, nil
	if err != nil {
		for i := range messages {
			messages[i].error = C.int32_t(syscall.EBADF)
		}
		return len(messages)
	}
	return int(s.failed)
}

// networkIsGone is true for errors that say the transport cannot carry anything now. On a gateway, where one socket
// serves many clients, an unreachable client says nothing about the transport.
func networkIsGone(errno syscall.Errno, servesMany bool) bool {
	switch errno {
	case syscall.ENETDOWN, syscall.EADDRNOTAVAIL, syscall.ENODEV, syscall.EBADF:
		return true
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH:
		return !servesMany
	}
	return false
}

func bytesOf(bytes []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(&bytes[0])) }

// readMessageAddress is the address of a received message.
func readMessageAddress(message *C.jumping_udp_message) (jumping.Address, error) {
	bytes := (*[C.JUMPING_UDP_ADDRESS]byte)(unsafe.Pointer(&message.address))
	return jumping.NewAddress(bytes[:message.address_length], int(message.address_prefix))
}

// writeMessageAddress says where a message goes.
func writeMessageAddress(message *C.jumping_udp_message, to *jumping.Address) {
	bytes := (*[C.JUMPING_UDP_ADDRESS]byte)(unsafe.Pointer(&message.address))
	message.address_length = C.uint8_t(to.CopyTo(bytes[:]))
	message.address_prefix = C.uint8_t(to.PrefixLength())
}

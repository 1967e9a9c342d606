package udp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"jumping"
)

// Session is an established session. Any goroutine may call its methods.
type Session struct {
	host   *Host
	handle uint64
	// ownsHost: made by Dial, so Close closes the host too.
	ownsHost bool

	// Written before established is closed, constant afterwards.
	id    jumping.SessionID
	role  jumping.Role
	label string

	inbox *inbox
	// turn is held by the one who may send protected payloads: they wait for room in the order of their calls. writable has a
	// token after Writable.
	turn     chan struct{}
	writable chan struct{}
	// reports are where the fates of protected payloads are told, by tag; the loop's. isEnding: what the library still has
	// goes into the inbox, full or not.
	reports  map[uint64]chan bool
	lastTag  uint64
	isEnding bool

	state        atomic.Uint32
	maxPayload   atomic.Int64
	sendsDropped atomic.Uint64

	// established is closed when it may carry payloads, ended when it is TERMINATED.
	established     chan struct{}
	establishedOnce sync.Once
	ended           chan struct{}
	endedOnce       sync.Once
	endReason       atomic.Uint32
}

func newSession(h *Host, handle uint64, role jumping.Role) *Session {
	return &Session{host: h, handle: handle, role: role, inbox: newInbox(h.config.ReceiveQueue, h.protectedLimit),
		turn: make(chan struct{}, 1), writable: make(chan struct{}, 1), reports: map[uint64]chan bool{},
		established: make(chan struct{}), ended: make(chan struct{})}
}

// in is the session in its endpoint; the loop's.
func (s *Session) in(endpoint *jumping.Endpoint) jumping.Session { return endpoint.Session(s.handle) }

// refresh takes over what other goroutines may read; the loop's.
func (s *Session) refresh(endpoint *jumping.Endpoint) {
	if info, err := s.in(endpoint).Info(); err == nil {
		s.state.Store(uint32(info.State))
		if info.MaxPayload > 0 {
			s.maxPayload.Store(int64(info.MaxPayload))
		}
	}
}

func (s *Session) establish() { s.establishedOnce.Do(func() { close(s.established) }) }

func (s *Session) end(reason jumping.Reason) {
	s.endedOnce.Do(func() {
		s.state.Store(uint32(jumping.StateTerminated))
		s.endReason.Store(uint32(reason))
		close(s.ended)
	})
}

// endError is why the session ended; only after ended is closed.
func (s *Session) endError() error { return &EndedError{jumping.Reason(s.endReason.Load())} }

// ID is the session's identity, the same from beginning to end and at both peers.
func (s *Session) ID() jumping.SessionID { return s.id }

// Role is which end of the session this is.
func (s *Session) Role() jumping.Role { return s.role }

// Label is the audit label the client gave.
func (s *Session) Label() string { return s.label }

// Host is the host the session lives in; its own one after Dial.
func (s *Session) Host() *Host { return s.host }

// State is the session's state now.
func (s *Session) State() jumping.State { return jumping.State(s.state.Load()) }

// MaxPayload is the largest payload Send takes now, in bytes.
func (s *Session) MaxPayload() int { return int(s.maxPayload.Load()) }

// Ended is closed when the session is TERMINATED.
func (s *Session) Ended() <-chan struct{} { return s.ended }

// Send queues a payload (0 … MaxPayload bytes, copied) and returns; it waits only while the host's send queue is full.
// Such payloads are expendable: one the network loses, or that cannot be sealed when its turn comes (no path, a jump to a
// smaller MTU), is not sent again; Counters tells the latter. Errors: jumping.ErrTooLong, a [*EndedError], ctx's.
func (s *Session) Send(ctx context.Context, payload []byte) error {
	select {
	case <-s.ended:
		return s.endError()
	default:
	}
	if len(payload) > s.MaxPayload() || len(payload) > s.host.outbox.slotSize {
		return jumping.ErrTooLong
	}
	return s.host.outbox.put(ctx, s, payload)
}

// Recv waits for the next payload, expendable or protected, and returns it in memory of its own; RecvPayload tells which it
// is. Payloads that had arrived before the session ended are still returned. Errors: a [*EndedError], ctx's.
func (s *Session) Recv(ctx context.Context) ([]byte, error) {
	got, err := s.receive(ctx, nil, -1)
	return got.bytes, err
}

// Payload is a received payload.
type Payload struct {
	Bytes []byte
	// IsProtected is true for one that came by SendProtected, through Channel (0 … jumping.Channels-1).
	IsProtected bool
	Channel     uint32
}

// RecvPayload is Recv for those who want to know how the payload came.
func (s *Session) RecvPayload(ctx context.Context) (Payload, error) {
	got, err := s.receive(ctx, nil, -1)
	return Payload{got.bytes, got.isProtected, got.channel}, err
}

// RecvInto waits for the next payload and copies it into buffer: Recv without its allocation. Errors: io.ErrShortBuffer
// (the payload stays and its length is returned), a [*EndedError], ctx's.
func (s *Session) RecvInto(ctx context.Context, buffer []byte) (int, error) {
	got, err := s.receive(ctx, buffer[:0], len(buffer))
	return got.length, err
}

func (s *Session) receive(ctx context.Context, buffer []byte, limit int) (taken, error) {
	for hasEnded := false; ; {
		got := s.inbox.take(buffer, limit)
		if got.hasRoom {
			s.host.resumed.add(s)
		}
		if got.isTaken {
			return got, nil
		}
		if got.length > 0 {
			return got, io.ErrShortBuffer
		}
		if hasEnded {
			return got, s.endError()
		}
		select {
		case <-s.inbox.ready:
		case <-ctx.Done():
			return got, ctx.Err()
		case <-s.ended:
			hasEnded = true // what arrived before the end is in the queue by now
		}
	}
}

// Counters are what the host itself had to drop of a session.
type Counters struct {
	// SendsDropped counts payloads Send took that could not be sealed when their turn came.
	SendsDropped uint64
	// ReceivesDropped counts expendable payloads that found the receive queue full.
	ReceivesDropped uint64
}

// Counters are the session's drops in this host.
func (s *Session) Counters() Counters {
	return Counters{SendsDropped: s.sendsDropped.Load(), ReceivesDropped: s.inbox.droppedCount()}
}

// Do calls f in the loop with the session, and sends what it caused: the way to everything of the library that Session has
// no method for (SetPolicy, Rekey, Explain, …). f must not wait and must not keep the session. Errors: f's, ctx's,
// net.ErrClosed.
func (s *Session) Do(ctx context.Context, f func(session jumping.Session, now jumping.Time) error) error {
	return s.host.Do(ctx, func(endpoint *jumping.Endpoint, now jumping.Time) error { return f(s.in(endpoint), now) })
}

// Info is the session at this moment. Errors: jumping.ErrSession (ended for more than 30 s), ctx's, net.ErrClosed.
func (s *Session) Info(ctx context.Context) (info jumping.SessionInfo, err error) {
	err = s.Do(ctx, func(session jumping.Session, now jumping.Time) (err error) {
		info, err = session.Info()
		return err
	})
	return info, err
}

// Stats are the session's counters in the library. Errors: as Info.
func (s *Session) Stats(ctx context.Context) (stats jumping.SessionStats, err error) {
	err = s.Do(ctx, func(session jumping.Session, now jumping.Time) (err error) {
		stats, err = session.Stats()
		return err
	})
	return stats, err
}

// Paths are the session's paths. Errors: as Info.
func (s *Session) Paths(ctx context.Context) (paths []jumping.PathInfo, err error) {
	err = s.Do(ctx, func(session jumping.Session, now jumping.Time) (err error) {
		paths, err = session.Paths()
		return err
	})
	return paths, err
}

// AddPath offers the session another path: a socket of the host, by name, and the gateway's address there. Client only.
// It returns the path's id. Errors: jumping.ErrTransport (no such socket) and those of jumping.Session.AddPath, ctx's,
// net.ErrClosed.
func (s *Session) AddPath(ctx context.Context, socketName string, gateway netip.AddrPort) (path uint32, err error) {
	path = jumping.PathNone
	remote, err := jumping.AddressFromAddrPort(gateway)
	if err != nil {
		return path, fmt.Errorf("udp: gateway %v: %w", gateway, err)
	}
	err = s.host.withSocket(ctx, socketName, func(socket *socket, now jumping.Time) (err error) {
		path, err = s.in(s.host.endpoint).AddPath(socket.transport, remote, now)
		return err
	})
	return path, err
}

// RequestSwitch asks for a planned handover to a path, or to the best candidate with jumping.PathNone. Errors: those of
// jumping.Session.RequestSwitch, ctx's, net.ErrClosed.
func (s *Session) RequestSwitch(ctx context.Context, path uint32) error {
	return s.Do(ctx, func(session jumping.Session, now jumping.Time) error { return session.RequestSwitch(path, now) })
}

// Close ends the session and returns when what was queued and the CLOSE to the peer have left; the host of Dial ends with
// it. Closing an ended session is no error. A second Close of a Dial session returns net.ErrClosed.
func (s *Session) Close() error {
	err := s.Do(context.Background(), func(session jumping.Session, now jumping.Time) error {
		return session.Close(jumping.ReasonOperatorTerminated, now)
	})
	if errors.Is(err, jumping.ErrTerminated) || errors.Is(err, jumping.ErrSession) {
		err = nil
	}
	if s.ownsHost && !errors.Is(err, net.ErrClosed) {
		if closeErr := s.host.Close(); err == nil {
			err = closeErr
		}
	}
	return err
}

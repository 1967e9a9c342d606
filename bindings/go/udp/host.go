package udp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"jumping"
)

// Host is an endpoint with its sockets, timers and loop. Make one with NewHost, Listen or (inside) Dial; end it with Close.
// Any goroutine may call its methods.
type Host struct {
	config Config

	// The loop's own; nobody else touches them.
	endpoint *jumping.Endpoint
	timer    *timer
	sockets  map[uint32]*socket
	sessions map[uint64]*Session
	outgoing *outgoing
	incoming []jumping.ReceiveItem
	sealing  []jumping.SendItem
	event    jumping.Event
	// payloads is where PollPayload writes.
	payloads []byte
	// protectedLimit is how many bytes of protected payloads a session's receive queue takes.
	protectedLimit int
	// isGateway: one socket serves many peers.
	isGateway bool
	// isStopping ends the loop.
	isStopping bool

	// How the loop is reached.
	received chan *batch
	commands chan *command
	outbox   *outbox
	resumed  *resumptions

	events        chan jumping.Event
	eventsDropped atomic.Uint64
	// truncated counts datagrams longer than a slot, unsent those the network refused.
	truncated atomic.Uint64
	unsent    atomic.Uint64
	accepted  chan *Session
	// done is closed when everything has ended.
	done chan struct{}
}

// command is a call that wants to be made in the loop. finished is closed after what it caused has been sent.
type command struct {
	run      func(now jumping.Time)
	finished chan struct{}
}

// NewHost opens the sockets and starts the loop. ctx bounds the opening only. It neither accepts nor begins sessions of
// itself; config.Endpoint's flags say what is possible (nil: both). Errors: the library's for Config, Policy and keys,
// and the network's.
func NewHost(ctx context.Context, config Config) (*Host, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	endpointConfig := jumping.DefaultConfig()
	if config.Endpoint != nil {
		endpointConfig = *config.Endpoint
	}
	now := jumping.Now()
	endpoint, err := jumping.NewEndpoint(&endpointConfig, config.Policy, now)
	if err != nil {
		return nil, err
	}
	slotSize := config.MaxDatagram + slotHeadroom
	h := &Host{
		config: config, endpoint: endpoint, sockets: map[uint32]*socket{}, sessions: map[uint64]*Session{},
		outgoing: newOutgoing(slotSize), incoming: make([]jumping.ReceiveItem, 0, batchSize),
		sealing: make([]jumping.SendItem, 0, batchSize), isGateway: endpointConfig.Flags&jumping.ConfigAccept != 0,
		received: make(chan *batch, jumping.MaxTransports*batchesPerSocket), commands: make(chan *command),
		outbox: newOutbox(config.SendQueue, config.MaxDatagram), resumed: newResumptions(),
		protectedLimit: int(endpointConfig.ReceiveBuffer), events: make(chan jumping.Event, config.EventQueue),
		accepted: make(chan *Session, config.AcceptBacklog), done: make(chan struct{}),
	}
	if err := h.prepare(ctx, now); err != nil {
		h.release()
		return nil, err
	}
	go h.run()
	return h, nil
}

// prepare does what may fail before the loop runs.
func (h *Host) prepare(ctx context.Context, now jumping.Time) (err error) {
	if h.timer, err = newTimer(); err != nil {
		return err
	}
	for _, psk := range h.config.PSKs {
		if err := h.endpoint.AddPSK(psk.Hint, psk.Key); err != nil {
			return fmt.Errorf("udp: PSK of hint %q: %w", psk.Hint, err)
		}
	}
	if h.config.StaticKey != nil {
		if err := h.endpoint.SetStaticKey(*h.config.StaticKey); err != nil {
			return fmt.Errorf("udp: static key: %w", err)
		}
	}
	h.config.PSKs, h.config.StaticKey = nil, nil // the library has them; no copy lives as long as the host
	if h.config.Setup != nil {
		if err := h.config.Setup(h.endpoint, now); err != nil {
			return err
		}
	}
	for index, description := range h.config.Sockets {
		if description.Name == "" {
			description.Name = DefaultSocketName(index)
		}
		s, err := h.open(ctx, description)
		if err != nil {
			return err
		}
		if err := h.attach(s, description, now); err != nil {
			return err
		}
	}
	return nil
}

// DefaultSocketName is the name of the socket at a position: "udp:A" … "udp:Z", then "udp:26" and so on.
func DefaultSocketName(index int) string {
	if index >= 0 && index < 26 {
		return "udp:" + string(rune('A'+index))
	}
	return fmt.Sprintf("udp:%d", index)
}

// open binds a socket; any goroutine.
func (h *Host) open(ctx context.Context, description Socket) (*socket, error) {
	if int(description.MTU) > h.config.MaxDatagram {
		return nil, fmt.Errorf("udp: transport %s: expected an MTU of at most MaxDatagram (%d), got %d: %w",
			description.Name, h.config.MaxDatagram, description.MTU, jumping.ErrArgument)
	}
	return openSocket(ctx, description.Name, description.Listen, h.config.MaxDatagram+slotHeadroom, DefaultReceiveBuffer)
}

// attach makes a socket a transport and starts its reader; on error it closes the socket. The loop's, or before it.
func (h *Host) attach(s *socket, description Socket, now jumping.Time) error {
	config := jumping.DefaultTransportConfig(description.Name)
	config.Class = description.Class
	if description.Cost != 0 {
		config.Cost = description.Cost
	}
	if description.MTU != 0 {
		config.MTU = description.MTU
	}
	transport, err := h.endpoint.AddTransport(config, now)
	if err != nil {
		s.connection.Close()
		return fmt.Errorf("udp: transport %s: %w", description.Name, err)
	}
	s.transport = transport
	h.sockets[transport] = s
	go s.read(h.received, h.done)
	return nil
}

// release frees what prepare or the loop held.
func (h *Host) release() {
	for transport, s := range h.sockets {
		s.connection.Close()
		delete(h.sockets, transport)
	}
	if h.timer != nil {
		h.timer.close()
	}
	h.endpoint.Close()
	close(h.done)
}

// do makes a call in the loop and waits until what it caused has been sent. Errors: ctx's while it waits for the loop,
// net.ErrClosed.
func (h *Host) do(ctx context.Context, run func(now jumping.Time)) error {
	c := &command{run: run, finished: make(chan struct{})}
	select {
	case h.commands <- c:
		<-c.finished // the loop never waits for anybody, so neither does this for long
		return nil
	case <-h.done:
		return closedError()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func closedError() error { return fmt.Errorf("udp: the host is closed: %w", net.ErrClosed) }

// Do calls f in the loop with the endpoint, and sends what it caused: the way to everything of the library that the host
// has no method for. f must not wait, must not keep the endpoint, and must not drain it. Errors: f's, ctx's,
// net.ErrClosed.
func (h *Host) Do(ctx context.Context, f func(endpoint *jumping.Endpoint, now jumping.Time) error) error {
	var result error
	if err := h.do(ctx, func(now jumping.Time) { result = f(h.endpoint, now) }); err != nil {
		return err
	}
	return result
}

// Events is everything that happens, in order. A reader that is slow or absent loses events, which EventsDropped counts,
// and slows nothing. Closed with the host.
func (h *Host) Events() <-chan jumping.Event { return h.events }

// EventsDropped counts events that found the channel full. Events the library itself had to drop are in Event.Dropped.
func (h *Host) EventsDropped() uint64 { return h.eventsDropped.Load() }

// Accept waits for the next session a client has established. Errors: ctx's, net.ErrClosed.
func (h *Host) Accept(ctx context.Context) (*Session, error) {
	select {
	case session := <-h.accepted:
		return session, nil
	default:
	}
	select {
	case session := <-h.accepted:
		return session, nil
	case <-h.done:
		return nil, closedError()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// AddSocket opens another local socket; sessions use it once Session.AddPath names it, or clients send to it. ctx bounds
// the opening. Errors: the network's, the library's (ErrExists for the name, ErrArgument, ErrTransportLimit),
// net.ErrClosed.
func (h *Host) AddSocket(ctx context.Context, description Socket) error {
	s, err := h.open(ctx, description)
	if err != nil {
		return err
	}
	var result error
	if err := h.do(ctx, func(now jumping.Time) { result = h.attach(s, description, now) }); err != nil {
		s.connection.Close()
		return err
	}
	return result
}

// RemoveSocket closes a socket and removes its transport: sessions bound to it recover on another. Errors: ErrTransport,
// ctx's, net.ErrClosed.
func (h *Host) RemoveSocket(ctx context.Context, name string) error {
	return h.withSocket(ctx, name, func(s *socket, now jumping.Time) error {
		s.connection.Close()
		delete(h.sockets, s.transport)
		return h.endpoint.RemoveTransport(s.transport, now)
	})
}

// HintSocket tells the library that a socket's network came up or went down (see jumping.Endpoint.HintTransport), e.g.
// from netlink. Errors: ErrTransport, ctx's, net.ErrClosed.
func (h *Host) HintSocket(ctx context.Context, name string, isUp bool) error {
	return h.withSocket(ctx, name, func(s *socket, now jumping.Time) error {
		return h.endpoint.HintTransport(s.transport, isUp, now)
	})
}

// MuteSocket makes a socket swallow every datagram, both ways and without telling the library, or ends that: what a
// blackhole looks like. For tests and demonstrations. Errors: ErrTransport, ctx's, net.ErrClosed.
func (h *Host) MuteSocket(ctx context.Context, name string, isMuted bool) error {
	return h.withSocket(ctx, name, func(s *socket, now jumping.Time) error {
		s.isMuted = isMuted
		return nil
	})
}

// LocalAddr is the address a socket is bound to. Errors: ErrTransport, ctx's, net.ErrClosed.
func (h *Host) LocalAddr(ctx context.Context, name string) (address netip.AddrPort, err error) {
	err = h.withSocket(ctx, name, func(s *socket, now jumping.Time) error {
		address = s.local
		return nil
	})
	return address, err
}

func (h *Host) withSocket(ctx context.Context, name string, f func(s *socket, now jumping.Time) error) error {
	var result error
	err := h.do(ctx, func(now jumping.Time) {
		if s := h.socketNamed(name); s != nil {
			result = f(s, now)
		} else {
			result = fmt.Errorf("udp: no socket %q: %w", name, jumping.ErrTransport)
		}
	})
	if err != nil {
		return err
	}
	return result
}

// socketNamed is nil when there is none; the loop's.
func (h *Host) socketNamed(name string) *socket {
	for _, s := range h.sockets {
		if s.name == name {
			return s
		}
	}
	return nil
}

// NetworkCounters are what the host saw of the network besides what the library counts.
type NetworkCounters struct {
	// Truncated counts received datagrams longer than MaxDatagram, which were dropped.
	Truncated uint64
	// Unsent counts sealed datagrams the network refused; the library was told.
	Unsent uint64
}

// NetworkCounters are the host's own.
func (h *Host) NetworkCounters() NetworkCounters {
	return NetworkCounters{Truncated: h.truncated.Load(), Unsent: h.unsent.Load()}
}

// Stats are the endpoint's counters. Errors: the library's, ctx's, net.ErrClosed.
func (h *Host) Stats(ctx context.Context) (stats jumping.EndpointStats, err error) {
	err = h.Do(ctx, func(endpoint *jumping.Endpoint, now jumping.Time) (err error) {
		stats, err = endpoint.Stats()
		return err
	})
	return stats, err
}

// Close ends every session with a CLOSE to its peer, sends what is queued, and closes sockets and endpoint. A second Close
// returns net.ErrClosed.
func (h *Host) Close() error {
	err := h.do(context.Background(), func(now jumping.Time) {
		h.isStopping = true
		for _, session := range h.sessions {
			// A session that ended at this moment needs no CLOSE any more; nothing else can be refused here.
			_ = session.in(h.endpoint).Close(jumping.ReasonOperatorTerminated, now)
		}
	})
	if err != nil {
		return err
	}
	<-h.done
	return nil
}

// Done is closed when the host has ended.
func (h *Host) Done() <-chan struct{} { return h.done }

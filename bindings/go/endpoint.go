package jumping

// #include "data_path.h"
import "C"

import "time"

// Endpoint is one protocol instance: it begins sessions, accepts them, or both. It is confined to one goroutine at a
// time; endpoints share nothing. Make it with NewEndpoint and end it with Close.
type Endpoint struct {
	c *C.jumping_go_scratch
	// batch is C memory for the items of SendBatch and ReceiveBatch, made at their first use and grown when needed.
	batch batchMemory
	// calls is written by every call without any lock, so that the race detector, which cannot see C memory, reports an
	// endpoint that two goroutines use at once.
	calls uint64
}

// NewEndpoint creates an endpoint. config and policy may be nil for their defaults; both are copied. now is the host's
// clock, normally Now(). Errors: a [*FieldError] (ErrArgument, ErrPolicy, ErrSuite), ErrCrypto, ErrEndpointLimit,
// ErrMemory, or CheckABI's.
func NewEndpoint(config *Config, policy *Policy, now Time) (*Endpoint, error) {
	return newEndpoint(config, policy, nil, now)
}

// NewSeededEndpoint creates an endpoint whose randomness comes from seed: keys, ids and nonces are PREDICTABLE. For
// tests, simulation and reproducible traces only, never for traffic that matters; every event says Seeded. config.Suites
// must name exactly the suites to offer, all of them available, so that the bytes do not depend on the CPU. Otherwise as
// NewEndpoint.
func NewSeededEndpoint(config *Config, policy *Policy, seed Key, now Time) (*Endpoint, error) {
	return newEndpoint(config, policy, &seed, now)
}

func newEndpoint(config *Config, policy *Policy, seed *Key, now Time) (*Endpoint, error) {
	if err := CheckABI(); err != nil {
		return nil, err
	}
	memory := (*C.jumping_go_scratch)(C.calloc(1, C.sizeof_jumping_go_scratch))
	if memory == nil {
		return nil, ErrMemory
	}
	e := &Endpoint{c: memory}
	if err := e.create(config, policy, seed, now); err != nil {
		e.free()
		return nil, err
	}
	return e, nil
}

func (e *Endpoint) create(config *Config, policy *Policy, seed *Key, now Time) error {
	if config == nil {
		defaults := DefaultConfig()
		config = &defaults
	}
	if err := config.write(&e.c.config); err != nil {
		return err
	}
	if err := checkConfig(&e.c.config); err != nil {
		return err
	}
	C.jmp_policy_init(&e.c.policy)
	if policy != nil {
		if err := policy.write(&e.c.policy); err != nil {
			return err
		}
	}
	if err := checkPolicy(&e.c.policy); err != nil {
		return err
	}
	e.c.datagram.struct_size = C.sizeof_jmp_datagram
	e.c.received.struct_size = C.sizeof_jmp_received
	C.jmp_payload_options_init(&e.c.payload_options)
	e.c.payload.struct_size = C.sizeof_jmp_payload
	e.c.event.struct_size = C.sizeof_jmp_event
	e.c.session_info.struct_size = C.sizeof_jmp_session_info
	e.c.session_stats.struct_size = C.sizeof_jmp_session_stats
	e.c.endpoint_stats.struct_size = C.sizeof_jmp_endpoint_stats
	if seed == nil {
		return check(C.jmp_endpoint_new(&e.c.config, &e.c.policy, C.jmp_time(now), &e.c.endpoint))
	}
	defer e.wipeKeys()
	return check(C.jmp_endpoint_new_seeded(&e.c.config, &e.c.policy, e.loadKey(seed), C.jmp_time(now), &e.c.endpoint))
}

// Close ends the endpoint: every key is wiped and its memory freed. Sessions end without a word to their peers; to tell
// them, call [Session.Close] first and send what PollTransmit gives. Calls after Close return ErrClosed, and so does a
// second Close. Errors: ErrClosed.
func (e *Endpoint) Close() error {
	if err := e.enter(); err != nil {
		return err
	}
	err := check(C.jmp_endpoint_free(e.c.endpoint))
	e.free()
	return err
}

func (e *Endpoint) free() {
	C.free(e.batch.pointer)
	e.batch = batchMemory{}
	C.free(pointer(e.c))
	e.c = nil
}

// enter begins every call: ErrClosed when there is nothing to call.
func (e *Endpoint) enter() error {
	if e == nil {
		return ErrClosed
	}
	e.calls++
	if e.c == nil {
		return ErrClosed
	}
	return nil
}

// SetWallClock tells Unix time minus the host's clock (see WallClockOffset). Only events' WallTime depends on it; call it
// again when the wall clock is stepped. Errors: ErrClosed, ErrForked.
func (e *Endpoint) SetWallClock(offset time.Duration) error {
	if err := e.enter(); err != nil {
		return err
	}
	return check(C.jmp_endpoint_set_wall_clock(e.c.endpoint, C.int64_t(offset.Microseconds())))
}

// AddTransport adds a transport and gives its number (0 … MaxTransports-1; a removed number is used again). Errors:
// ErrClosed, ErrForked, ErrArgument, ErrExists (the name), ErrTransportLimit.
func (e *Endpoint) AddTransport(config TransportConfig, now Time) (uint32, error) {
	if err := e.enter(); err != nil {
		return TransportNone, err
	}
	if err := config.write(&e.c.transport_config); err != nil {
		return TransportNone, err
	}
	if err := check(C.jmp_transport_add(e.c.endpoint, &e.c.transport_config, C.jmp_time(now), &e.c.number)); err != nil {
		return TransportNone, err
	}
	return uint32(e.c.number), nil
}

// RemoveTransport removes a transport: its paths end at once, sessions bound to it become VOLATILE (transport_dead) and
// recover on another. Errors: ErrClosed, ErrForked, ErrTransport.
func (e *Endpoint) RemoveTransport(transport uint32, now Time) error {
	if err := e.enter(); err != nil {
		return err
	}
	return check(C.jmp_transport_remove(e.c.endpoint, C.uint32_t(transport), C.jmp_time(now)))
}

// SetTransport changes class, cost and MTU of a transport; config.Name must be its own. Applies to later decisions and
// datagrams. Errors: ErrClosed, ErrForked, ErrArgument, ErrTransport.
func (e *Endpoint) SetTransport(transport uint32, config TransportConfig, now Time) error {
	if err := e.enter(); err != nil {
		return err
	}
	if err := config.write(&e.c.transport_config); err != nil {
		return err
	}
	return check(C.jmp_transport_set(e.c.endpoint, C.uint32_t(transport), &e.c.transport_config, C.jmp_time(now)))
}

// HintTransport hints that a transport came up or went down, e.g. from netlink. Acts at once and is never trusted alone:
// a path that still proves itself is used. Errors: ErrClosed, ErrForked, ErrTransport.
func (e *Endpoint) HintTransport(transport uint32, isUp bool, now Time) error {
	if err := e.enter(); err != nil {
		return err
	}
	up := C.uint32_t(0)
	if isUp {
		up = 1
	}
	return check(C.jmp_transport_hint(e.c.endpoint, C.uint32_t(transport), up, C.jmp_time(now)))
}

// NextTimeout is when HandleTimeout must be called next, or TimeNone: never later than the earliest deadline. Ask again
// after every other call. Errors: ErrClosed, ErrForked.
func (e *Endpoint) NextTimeout() (Time, error) {
	if err := e.enter(); err != nil {
		return TimeNone, err
	}
	if err := check(C.jumping_go_next_timeout(e.c)); err != nil {
		return TimeNone, err
	}
	return Time(e.c.deadline), nil
}

// HandleTimeout lets time pass: everything due at now happens. When the call is late, give the datagrams that wait in
// sockets to Receive first. Errors: ErrClosed, ErrForked.
func (e *Endpoint) HandleTimeout(now Time) error {
	if err := e.enter(); err != nil {
		return err
	}
	return check(C.jumping_go_handle_timeout(e.c, C.jmp_time(now)))
}

// EndpointStats are the counters of an endpoint since it was made, and how full it is now.
type EndpointStats struct {
	// Sessions is how many slots are in use, half-open and closing sessions included.
	Sessions uint32
	HalfOpen uint32
	// Waiting is how many sessions wait for Accept or Refuse.
	Waiting    uint32
	Transports uint32
	// Seeded is true for NewSeededEndpoint.
	Seeded              bool
	DatagramsReceived   uint64
	DatagramsSent       uint64
	HandshakesCompleted uint64
	SessionsTerminated  uint64
	EventsDropped       uint64
	// ClockWentBackwards counts calls whose time was earlier than one before.
	ClockWentBackwards uint64
	// LateCalls counts calls that came late enough to push deadlines.
	LateCalls uint64
	// Dropped counts received datagrams that were dropped, by DropCause.
	Dropped [DropCauses]uint64
}

// Stats are the endpoint's counters. Errors: ErrClosed, ErrForked.
func (e *Endpoint) Stats() (EndpointStats, error) {
	if err := e.enter(); err != nil {
		return EndpointStats{}, err
	}
	c := &e.c.endpoint_stats
	if err := check(C.jmp_endpoint_get_stats(e.c.endpoint, c)); err != nil {
		return EndpointStats{}, err
	}
	stats := EndpointStats{
		Sessions: uint32(c.sessions), HalfOpen: uint32(c.half_open), Waiting: uint32(c.waiting),
		Transports: uint32(c.transports), Seeded: c.seeded != 0, DatagramsReceived: uint64(c.datagrams_received),
		DatagramsSent: uint64(c.datagrams_sent), HandshakesCompleted: uint64(c.handshakes_completed),
		SessionsTerminated: uint64(c.sessions_terminated), EventsDropped: uint64(c.events_dropped),
		ClockWentBackwards: uint64(c.clock_went_backwards), LateCalls: uint64(c.late_calls),
	}
	for cause := range stats.Dropped {
		stats.Dropped[cause] = uint64(c.dropped[cause])
	}
	return stats, nil
}

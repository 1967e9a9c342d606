package jumping

// #include "scratch.h"
import "C"

import (
	"time"
	"unsafe"
)

// Session is a session of an endpoint: a handle that compares with == and serves as a map key. A handle whose session is
// gone gives ErrSession, never another session. Confined like its endpoint.
type Session struct {
	endpoint *Endpoint
	handle   uint64
}

// Session is the session with this handle, as events, datagrams and Received name it. It does not check the handle.
func (e *Endpoint) Session(handle uint64) Session { return Session{e, handle} }

// Handle is the session's number in its endpoint; 0 is none.
func (s Session) Handle() uint64 { return s.handle }

func (s Session) c() C.jmp_session { return C.jmp_session(s.handle) }

// Connect begins a session to a gateway: BIRTH, and a handshake on the path given. Drain PollTransmit afterwards. Errors:
// a [*FieldError] or ErrArgument, ErrClosed, ErrForked, ErrRole, ErrTransport, ErrKey (missing PSK, gateway key or static
// key), ErrSessionLimit, ErrMemory.
func (e *Endpoint) Connect(config ConnectConfig, now Time) (Session, error) {
	if err := e.enter(); err != nil {
		return Session{}, err
	}
	defer func() { e.c.connect_config = C.jmp_connect_config{} }() // it held the PSK
	if err := config.write(&e.c.connect_config); err != nil {
		return Session{}, err
	}
	if err := check(C.jmp_connect(e.c.endpoint, &e.c.connect_config, C.jmp_time(now), &e.c.session)); err != nil {
		return Session{}, err
	}
	return Session{e, uint64(e.c.session)}, nil
}

// Accept answers AcceptRequested with yes. psk is the client's key: required for PatternNNpsk0, nil for none with
// PatternIKpsk2. A wrong PSK looks to the client like no answer. Errors: ErrClosed, ErrForked, ErrSession (expired
// meanwhile), ErrState (not waiting), ErrKey (missing, or the handshake does not open with it).
func (s Session) Accept(psk *Key, now Time) error {
	if err := s.endpoint.enter(); err != nil {
		return err
	}
	defer s.endpoint.wipeKeys()
	return check(C.jmp_accept(s.endpoint.c.endpoint, s.c(), s.endpoint.loadSecondKey(psk), C.jmp_time(now)))
}

// Refuse answers AcceptRequested with no: the request is forgotten without an answer. Errors: ErrClosed, ErrForked,
// ErrSession, ErrState (not waiting).
func (s Session) Refuse(now Time) error {
	if err := s.endpoint.enter(); err != nil {
		return err
	}
	return check(C.jmp_refuse(s.endpoint.c.endpoint, s.c(), C.jmp_time(now)))
}

// Close ends the session: TERMINATED with reason (ReasonOperatorTerminated or ReasonSecurityFailure). The peer is told
// (drain PollTransmit), keys are wiped. Info answers for 30 s more, unless the slot is needed. Errors: ErrArgument,
// ErrClosed, ErrForked, ErrSession, ErrTerminated.
func (s Session) Close(reason Reason, now Time) error {
	if err := s.endpoint.enter(); err != nil {
		return err
	}
	return check(C.jmp_session_close(s.endpoint.c.endpoint, s.c(), C.uint32_t(reason), C.jmp_time(now)))
}

// AddPath offers the session another path (client only): a transport and the gateway's address there. It is validated and
// kept warm; the session jumps to it when it must. It returns the path's id. Errors: ErrArgument, ErrClosed, ErrForked,
// ErrSession, ErrTerminated, ErrRole, ErrTransport, ErrExists, ErrPathLimit, ErrPolicy (class not allowed).
func (s Session) AddPath(transport uint32, remote Address, now Time) (uint32, error) {
	e := s.endpoint
	if err := e.enter(); err != nil {
		return PathNone, err
	}
	remote.write(&e.c.address)
	status := C.jmp_path_add(e.c.endpoint, s.c(), C.uint32_t(transport), &e.c.address, C.jmp_time(now), &e.c.number)
	if status != C.JMP_OK {
		return PathNone, check(status)
	}
	return uint32(e.c.number), nil
}

// RemovePath withdraws a path (client only). Withdrawing the active one makes the session VOLATILE (transport_dead).
// Errors: ErrClosed, ErrForked, ErrSession, ErrTerminated, ErrRole, ErrPath.
func (s Session) RemovePath(path uint32, now Time) error {
	if err := s.endpoint.enter(); err != nil {
		return err
	}
	return check(C.jmp_path_remove(s.endpoint.c.endpoint, s.c(), C.uint32_t(path), C.jmp_time(now)))
}

// RequestSwitch asks for a planned handover to path, or to the best candidate with PathNone. A client jumps itself, a
// gateway asks the client. It is voluntary: cooldown and switches per minute apply. Errors: ErrClosed, ErrForked,
// ErrSession, ErrTerminated, ErrState, ErrPath, ErrSwitchDenied (audited with its reason).
func (s Session) RequestSwitch(path uint32, now Time) error {
	if err := s.endpoint.enter(); err != nil {
		return err
	}
	return check(C.jmp_session_request_switch(s.endpoint.c.endpoint, s.c(), C.uint32_t(path), C.jmp_time(now)))
}

// SetPolicy replaces the policy of a live session (gateway only): it applies before the call returns, is sent to the
// client and audited. Errors: a [*FieldError] with ErrPolicy, ErrClosed, ErrForked, ErrSession, ErrTerminated, ErrRole,
// ErrState (not yet established).
func (s Session) SetPolicy(policy Policy, now Time) error {
	e := s.endpoint
	if err := e.enter(); err != nil {
		return err
	}
	if err := policy.write(&e.c.policy); err != nil {
		return err
	}
	if err := checkPolicy(&e.c.policy); err != nil {
		return err
	}
	return check(C.jmp_session_set_policy(e.c.endpoint, s.c(), &e.c.policy, C.jmp_time(now)))
}

// Policy is the policy the session lives by (negotiated). Errors: ErrClosed, ErrForked, ErrSession.
func (s Session) Policy() (Policy, error) {
	e := s.endpoint
	if err := e.enter(); err != nil {
		return Policy{}, err
	}
	e.c.policy.struct_size = C.sizeof_jmp_policy
	if err := check(C.jmp_session_get_policy(e.c.endpoint, s.c(), &e.c.policy)); err != nil {
		return Policy{}, err
	}
	return readPolicy(&e.c.policy), nil
}

// Rekey starts the next key phase now instead of at KeyMaxAge. Errors: ErrClosed, ErrForked, ErrSession, ErrTerminated,
// ErrState, ErrRateLimited (the peer has not used the present phase yet, or three probe timeouts have not passed).
func (s Session) Rekey(now Time) error {
	if err := s.endpoint.enter(); err != nil {
		return err
	}
	return check(C.jmp_session_rekey(s.endpoint.c.endpoint, s.c(), C.jmp_time(now)))
}

// Explain says why the session is on its path, and why not on each other one: one line of English a path. Errors:
// ErrClosed, ErrForked, ErrSession.
func (s Session) Explain(now Time) (string, error) {
	e := s.endpoint
	if err := e.enter(); err != nil {
		return "", err
	}
	status := C.jmp_session_explain(e.c.endpoint, s.c(), C.jmp_time(now), &e.c.message[0], C.JUMPING_GO_MESSAGE_SIZE)
	if status != C.JMP_OK {
		return "", check(status)
	}
	return C.GoString(&e.c.message[0]), nil
}

// SessionInfo is a session at one moment.
type SessionInfo struct {
	State State
	Role  Role
	// LastReason is the reason of the last transition.
	LastReason Reason
	ID         SessionID
	// StateVersion grows by one per transition at this end.
	StateVersion uint64
	// BindingVersion is how many binds the session has had; both ends agree on it.
	BindingVersion uint64
	CreatedAt      Time
	// ExpiresAt is the end of MaxLifetime.
	ExpiresAt Time
	// TransportLostAt is when the transport-lost TTL began to run, or TimeNone.
	TransportLostAt Time
	// ActivePath is a path id, or PathNone; ActiveTransport its transport, or TransportNone.
	ActivePath      uint32
	ActiveTransport uint32
	PathCount       uint32
	// CandidateCount is how many validated standby paths there are.
	CandidateCount uint32
	// MaxPayload is the largest payload Send takes now, in bytes.
	MaxPayload int
	Suite      Suite
	KeyPhase   uint32
	// SmoothedRTT and RTTVariance are the active path's; 0 while unknown.
	SmoothedRTT time.Duration
	RTTVariance time.Duration
	// LossPPM is the active path's loss in parts per million.
	LossPPM            uint32
	SwitchesLastMinute uint32
	// Confirmed is true once the peer has proved its keys.
	Confirmed     bool
	Label         string
	PolicyVersion string
	// PeerKey is the peer's static public key with PatternIKpsk2, else zeros.
	PeerKey Key
	// MaxProtectedPayload is the largest payload SendProtected takes, in bytes.
	MaxProtectedPayload int
	// SendBuffered is bytes and charges of the ProtectedCount protected payloads that are not acknowledged yet.
	SendBuffered   int
	ProtectedCount uint32
	// ReceiveBuffered is bytes and charges of those that have arrived and wait to be complete, for their turn or for the host.
	ReceiveBuffered int
	// CongestionWindow and BytesInFlight are bytes, PacingRate bytes a second; 0 before the first protected payload.
	CongestionWindow uint64
	PacingRate       uint64
	BytesInFlight    uint64
}

// Info is the session at this moment; it answers for 30 s after termination. Errors: ErrClosed, ErrForked, ErrSession.
func (s Session) Info() (SessionInfo, error) {
	e := s.endpoint
	if err := e.enter(); err != nil {
		return SessionInfo{}, err
	}
	c := &e.c.session_info
	if err := check(C.jmp_session_get_info(e.c.endpoint, s.c(), c)); err != nil {
		return SessionInfo{}, err
	}
	return SessionInfo{
		State: State(c.state), Role: Role(c.role), LastReason: Reason(c.last_reason),
		ID: *(*SessionID)(unsafe.Pointer(&c.session_id)), StateVersion: uint64(c.state_version),
		BindingVersion: uint64(c.binding_version), CreatedAt: Time(c.created_at), ExpiresAt: Time(c.expires_at),
		TransportLostAt: Time(c.transport_lost_at), ActivePath: uint32(c.active_path),
		ActiveTransport: uint32(c.active_transport), PathCount: uint32(c.path_count),
		CandidateCount: uint32(c.candidate_count), MaxPayload: int(c.max_payload), Suite: Suite(c.suite),
		KeyPhase: uint32(c.key_phase), SmoothedRTT: microseconds(uint64(c.srtt_us)),
		RTTVariance: microseconds(uint64(c.rttvar_us)), LossPPM: uint32(c.loss_ppm),
		SwitchesLastMinute: uint32(c.switches_last_minute), Confirmed: c.confirmed != 0, Label: readText(c.label[:]),
		PolicyVersion: readText(c.policy_version[:]), PeerKey: *(*Key)(unsafe.Pointer(&c.peer_key)),
		MaxProtectedPayload: int(c.max_protected_payload), SendBuffered: int(c.send_buffered),
		ProtectedCount: uint32(c.protected_count), ReceiveBuffered: int(c.receive_buffered),
		CongestionWindow: uint64(c.congestion_window), PacingRate: uint64(c.pacing_rate),
		BytesInFlight: uint64(c.bytes_in_flight),
	}, nil
}

// SessionStats are the counters of a session since its birth.
type SessionStats struct {
	// ReplayWindowSize is how many packet numbers the replay window holds now.
	ReplayWindowSize uint32
	DatagramsSent    uint64
	// DatagramsReceived counts authentic, fresh ones.
	DatagramsReceived uint64
	BytesSent         uint64
	BytesReceived     uint64
	PayloadsSent      uint64
	PayloadsReceived  uint64
	// DatagramsLost are ours, as acknowledgements tell; late ones are taken back.
	DatagramsLost uint64
	// Replayed, TooOld and BadTag are dropped datagrams: seen before, left of the replay window, not authentic.
	Replayed uint64
	TooOld   uint64
	BadTag   uint64
	// Switches are completed jumps.
	Switches         uint64
	SwitchesDenied   uint64
	ReattachAttempts uint64
	KeyRotations     uint64
	// ProtectedSent are protected payloads taken from the host, ProtectedReceived those that are complete and in turn,
	// ProtectedDuplicates parts that came again.
	ProtectedSent         uint64
	ProtectedAcknowledged uint64
	ProtectedExpired      uint64
	ProtectedReceived     uint64
	ProtectedDuplicates   uint64
	// ProtectedDatagramsLost are those that loss recovery sent again, ProtectedBytesResent what it sent again.
	ProtectedDatagramsLost uint64
	ProtectedBytesResent   uint64
}

// Stats are the session's counters. Errors: ErrClosed, ErrForked, ErrSession.
func (s Session) Stats() (SessionStats, error) {
	e := s.endpoint
	if err := e.enter(); err != nil {
		return SessionStats{}, err
	}
	c := &e.c.session_stats
	if err := check(C.jmp_session_get_stats(e.c.endpoint, s.c(), c)); err != nil {
		return SessionStats{}, err
	}
	return SessionStats{
		ReplayWindowSize: uint32(c.replay_window_size), DatagramsSent: uint64(c.datagrams_sent),
		DatagramsReceived: uint64(c.datagrams_received), BytesSent: uint64(c.bytes_sent),
		BytesReceived: uint64(c.bytes_received), PayloadsSent: uint64(c.payloads_sent),
		PayloadsReceived: uint64(c.payloads_received), DatagramsLost: uint64(c.datagrams_lost),
		Replayed: uint64(c.replayed), TooOld: uint64(c.too_old), BadTag: uint64(c.bad_tag),
		Switches: uint64(c.switches), SwitchesDenied: uint64(c.switches_denied),
		ReattachAttempts: uint64(c.reattach_attempts), KeyRotations: uint64(c.key_rotations),
		ProtectedSent: uint64(c.protected_sent), ProtectedAcknowledged: uint64(c.protected_acknowledged),
		ProtectedExpired: uint64(c.protected_expired), ProtectedReceived: uint64(c.protected_received),
		ProtectedDuplicates: uint64(c.protected_duplicates), ProtectedDatagramsLost: uint64(c.protected_datagrams_lost),
		ProtectedBytesResent: uint64(c.protected_bytes_resent),
	}, nil
}

// PathInfo is a path at one moment.
type PathInfo struct {
	// Path is its id in the session.
	Path      uint32
	Transport uint32
	Role      PathRole
	Address   Address
	// Name is the transport's name; at a gateway the one the client told.
	Name  string
	Class TransportClass
	Cost  uint32
	// MTU is in bytes.
	MTU uint32
	// Validated is true when the peer answered a challenge on it.
	Validated bool
	// Dead is true when it was declared dead and not heard since.
	Dead bool
	// SmoothedRTT, RTTVariance and MinRTT are 0 while unknown.
	SmoothedRTT time.Duration
	RTTVariance time.Duration
	MinRTT      time.Duration
	Jitter      time.Duration
	// LossPPM is in parts per million.
	LossPPM          uint32
	ConsecutiveDrops uint32
	BytesSent        uint64
	BytesReceived    uint64
	// LastEvidenceAt is the last proof that both directions work, or TimeNone.
	LastEvidenceAt Time
}

// Paths are all paths of the session, at most MaxPaths. Errors: ErrClosed, ErrForked, ErrSession.
func (s Session) Paths() ([]PathInfo, error) {
	e := s.endpoint
	if err := e.enter(); err != nil {
		return nil, err
	}
	status := C.jmp_session_get_paths(e.c.endpoint, s.c(), &e.c.paths[0], MaxPaths, &e.c.count)
	if status != C.JMP_OK {
		return nil, check(status)
	}
	paths := make([]PathInfo, int(e.c.count))
	for i := range paths {
		c := &e.c.paths[i]
		paths[i] = PathInfo{
			Path: uint32(c.path), Transport: uint32(c.transport), Role: PathRole(c.role), Address: readAddress(&c.address),
			Name: readText(c.name[:]), Class: TransportClass(c.transport_class), Cost: uint32(c.cost), MTU: uint32(c.mtu),
			Validated: c.validated != 0, Dead: c.dead != 0, SmoothedRTT: microseconds(uint64(c.srtt_us)),
			RTTVariance: microseconds(uint64(c.rttvar_us)), MinRTT: microseconds(uint64(c.min_rtt_us)),
			Jitter: microseconds(uint64(c.jitter_us)), LossPPM: uint32(c.loss_ppm),
			ConsecutiveDrops: uint32(c.consecutive_drops), BytesSent: uint64(c.bytes_sent),
			BytesReceived: uint64(c.bytes_received), LastEvidenceAt: Time(c.last_evidence_at),
		}
	}
	return paths, nil
}

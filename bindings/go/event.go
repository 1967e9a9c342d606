package jumping

// #include "data_path.h"
import "C"

import (
	"time"
	"unsafe"
)

// Event is what happened. It is flat: fields its type does not use are zero. It holds no reference to the endpoint, so it
// may travel to other goroutines.
type Event struct {
	Type EventType
	// Sequence grows by one per event of the endpoint, kept or dropped; Dropped is how many were dropped so far because
	// the library's queue was full.
	Sequence uint64
	Dropped  uint64
	// Time is the host's clock; WallTime the wall clock, in whole milliseconds.
	Time     Time
	WallTime time.Time
	// Session is the session's handle, 0 for events of the endpoint.
	Session        uint64
	SessionID      SessionID
	StateVersion   uint64
	BindingVersion uint64
	// AttemptID names a reattach attempt.
	AttemptID uint64
	// Age is the session's (SessionTerminated).
	Age              time.Duration
	PayloadsSent     uint64
	PayloadsReceived uint64
	Role             Role
	PreviousState    State
	NewState         State
	Reason           Reason
	// Cause is the Reason a reattach carries; for security events it is a DropCause number.
	Cause uint32
	// Explicit and Auditable are true for TransportSwitch.
	Explicit       bool
	Auditable      bool
	CandidateCount uint32
	// LossPPM is in parts per million.
	LossPPM uint32
	// Latency is the smoothed RTT.
	Latency  time.Duration
	KeyPhase uint32
	Suite    Suite
	// Path is a path id, or PathNone.
	Path uint32
	// Pattern, Hint and PeerKey are AcceptRequested's.
	Pattern Pattern
	Hint    string
	// Seeded is true when randomness is seeded: nothing here is secret.
	Seeded        bool
	FromTransport string
	ToTransport   string
	FromAddress   Address
	ToAddress     Address
	NodeID        string
	PolicyVersion string
	Label         string
	// PeerKey is the client's public key (AcceptRequested with PatternIKpsk2).
	PeerKey Key
	// PayloadTag, PayloadSequence, PayloadLength and Channel are PayloadAcknowledged's and PayloadExpired's: the host's number,
	// the payload's number in its channel, its bytes.
	PayloadTag      uint64
	PayloadSequence uint64
	PayloadLength   int
	Channel         uint32
	// CongestionWindow (bytes), PacingRate (bytes a second) and BytesInFlight are FlowControlUpdate's.
	CongestionWindow uint64
	PacingRate       uint64
	BytesInFlight    uint64

	raw C.jmp_event
}

// PollEvent takes the next event. Errors: ErrAgain (none), ErrNull, ErrClosed, ErrForked.
func (e *Endpoint) PollEvent(event *Event) error {
	if err := e.enter(); err != nil {
		return err
	}
	if event == nil {
		return ErrNull
	}
	if status := C.jumping_go_poll_event(e.c); status != C.JMP_OK {
		return check(status)
	}
	event.read(&e.c.event)
	return nil
}

func (event *Event) read(c *C.jmp_event) {
	hintLength := int(c.hint_length)
	if hintLength > HintMax {
		hintLength = HintMax
	}
	*event = Event{
		Type: EventType(c._type), Sequence: uint64(c.sequence), Dropped: uint64(c.dropped), Time: Time(c.time),
		WallTime: time.UnixMilli(int64(c.ts_ms)), Session: uint64(c.session),
		SessionID: *(*SessionID)(unsafe.Pointer(&c.session_id)), StateVersion: uint64(c.state_version),
		BindingVersion: uint64(c.binding_version), AttemptID: uint64(c.attempt_id), Age: microseconds(uint64(c.age_us)),
		PayloadsSent: uint64(c.payloads_sent), PayloadsReceived: uint64(c.payloads_received), Role: Role(c.role),
		PreviousState: State(c.previous_state), NewState: State(c.new_state), Reason: Reason(c.reason),
		Cause: uint32(c.cause), Explicit: c.explicit_switch != 0, Auditable: c.auditable != 0,
		CandidateCount: uint32(c.candidate_count), LossPPM: uint32(c.loss_ppm),
		Latency: microseconds(uint64(c.latency_us)), KeyPhase: uint32(c.key_phase), Suite: Suite(c.suite),
		Path: uint32(c.path), Pattern: Pattern(c.pattern),
		Hint:   string((*[HintMax]byte)(unsafe.Pointer(&c.hint))[:hintLength]),
		Seeded: c.seeded != 0, FromTransport: readText(c.from_transport[:]), ToTransport: readText(c.to_transport[:]),
		FromAddress: readAddress(&c.from_address), ToAddress: readAddress(&c.to_address),
		NodeID: readText(c.node_id[:]), PolicyVersion: readText(c.policy_version[:]), Label: readText(c.label[:]),
		PeerKey: *(*Key)(unsafe.Pointer(&c.peer_key)), PayloadTag: uint64(c.payload_tag),
		PayloadSequence: uint64(c.payload_sequence), PayloadLength: int(c.payload_length), Channel: uint32(c.channel),
		CongestionWindow: uint64(c.congestion_window), PacingRate: uint64(c.pacing_rate),
		BytesInFlight: uint64(c.bytes_in_flight), raw: *c,
	}
}

// jsonSize is what the library promises to suffice for any event, in bytes.
const jsonSize = 2048

// AppendJSON appends the event, as the library gave it, as one line of JSON without a line end: the line of an audit
// trail. Fields changed since have no effect. Any goroutine. Errors: ErrStructSize (not an event of PollEvent).
func (event *Event) AppendJSON(line []byte) ([]byte, error) {
	var buffer [jsonSize]byte
	var length C.size_t
	status := C.jmp_event_to_json(&event.raw, (*C.char)(unsafe.Pointer(&buffer[0])), jsonSize, &length)
	if status != C.JMP_OK {
		return line, check(status)
	}
	return append(line, buffer[:length]...), nil
}

// MarshalJSON is AppendJSON for encoding/json.
func (event *Event) MarshalJSON() ([]byte, error) { return event.AppendJSON(nil) }

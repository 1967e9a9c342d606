package jumping

// #include "data_path.h"
import "C"

import "time"

// PayloadOptions says how a protected payload is to be delivered. The zero value: unordered, for ever, without a report.
type PayloadOptions struct {
	// Channel is 0 (unordered) or 1 … Channels-1, each of which hands its payloads out in the order they were sent; no channel
	// waits for another.
	Channel uint32
	// TimeToLive, when not 0, is after how long a payload that is not acknowledged is given up, which PayloadExpired tells;
	// whole microseconds.
	TimeToLive time.Duration
	// Tag is the host's own number, in the events about the payload.
	Tag uint64
	// Report asks for PayloadAcknowledged when the peer has it.
	Report bool
}

func (options *PayloadOptions) write(c *C.jmp_payload_options) error {
	if options.TimeToLive < 0 {
		return &FieldError{ErrArgument, "time_to_live_us: expected no negative time"}
	}
	timeToLive := options.TimeToLive.Microseconds()
	if timeToLive == 0 && options.TimeToLive > 0 {
		timeToLive = 1 // 0 would be for ever
	}
	c.channel, c.time_to_live_us, c.tag = C.uint32_t(options.Channel), C.uint64_t(timeToLive), C.uint64_t(options.Tag)
	c.report = 0
	if options.Report {
		c.report = 1
	}
	return nil
}

// SendProtected takes a payload that must not get lost (0 … MaxProtectedPayload bytes, see SessionInfo): it is copied, sent
// until the peer has acknowledged it, again at once after a jump, and handed out there once. options may be nil for the zero
// value. Drain PollTransmit afterwards. Of what is not acknowledged when the session ends, only SessionTerminated tells. Errors:
// ErrAgain (SendBuffer or DeliveryMemory is full: nothing was taken; the event Writable tells when to try again), a
// [*FieldError] or ErrArgument, ErrClosed, ErrForked, ErrSession, ErrState, ErrTerminated, ErrTooLong.
func (s Session) SendProtected(payload []byte, options *PayloadOptions, now Time) error {
	e := s.endpoint
	if err := e.enter(); err != nil {
		return err
	}
	if options == nil {
		options = &PayloadOptions{}
	}
	if err := options.write(&e.c.payload_options); err != nil {
		return err
	}
	return check(C.jumping_go_send_protected(e.c, s.c(), bytesPointer(payload), C.size_t(len(payload)), C.jmp_time(now)))
}

// HoldPayloads holds the session's protected payloads back, or lets them go again: while they are held, neither Receive nor
// PollPayload hands one out; they wait in ReceiveBuffer, and when that is full the peer waits. For hosts with queues of their
// own that are full. Afterwards drain PollPayload. Errors: ErrClosed, ErrForked, ErrSession.
func (s Session) HoldPayloads(isHeld bool, now Time) error {
	if err := s.endpoint.enter(); err != nil {
		return err
	}
	hold := C.uint32_t(0)
	if isHeld {
		hold = 1
	}
	return check(C.jmp_session_hold_payloads(s.endpoint.c.endpoint, s.c(), hold, C.jmp_time(now)))
}

// ProtectedPayload says what PollPayload wrote: Length bytes, the payload with this number (from 0) in its channel.
type ProtectedPayload struct {
	// Session is the session's handle.
	Session  uint64
	Channel  uint32
	Sequence uint64
	// Length is in bytes; also with ErrBufferTooSmall.
	Length int
}

// PollPayload writes the next protected payload that is complete and was not handed out by Receive into buffer. Call it after
// Receive until it returns ErrAgain, taking what Receive gave first, then drain PollTransmit: the peer is told that there is
// room again. Sessions take turns. Errors: ErrAgain (none), ErrNull, ErrBufferTooSmall (payload.Length says what is needed; it
// stays), ErrClosed, ErrForked.
func (e *Endpoint) PollPayload(now Time, buffer []byte, payload *ProtectedPayload) error {
	if err := e.enter(); err != nil {
		return err
	}
	if payload == nil {
		return ErrNull
	}
	status := C.jumping_go_poll_payload(e.c, C.jmp_time(now), bytesPointer(buffer), C.size_t(len(buffer)))
	if status == C.JMP_OK || status == C.JMP_ERR_BUFFER_TOO_SMALL {
		c := &e.c.payload
		payload.Session, payload.Channel = uint64(c.session), uint32(c.channel)
		payload.Sequence, payload.Length = uint64(c.sequence), int(c.length)
	}
	return check(status)
}

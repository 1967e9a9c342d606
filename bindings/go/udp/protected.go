package udp

import (
	"context"
	"errors"
	"sync"
	"time"

	"jumping"
)

// PayloadOptions says how SendProtected delivers a payload. The zero value: unordered, for ever, without waiting for the peer.
type PayloadOptions struct {
	// Channel is 0 (unordered) or 1 … jumping.Channels-1, each of which arrives in the order it was sent; no channel waits for
	// another.
	Channel uint32
	// TimeToLive, when not 0, is after how long from when it was taken a payload is given up that is not acknowledged.
	TimeToLive time.Duration
	// Report makes SendProtected wait until the peer has the payload.
	Report bool
}

// ErrExpired: a payload's time to live was over before the peer was known to have it.
var ErrExpired = errors.New("udp: the payload's time to live is over")

// SendProtected sends a payload that must not get lost (0 … MaxProtectedPayload bytes, see jumping.SessionInfo; copied), however
// often the session jumps: it is sent until the peer has acknowledged it, and the peer receives it once. It returns when
// the library has taken it, at once while there is room in jumping.Config.SendBuffer; otherwise it waits, those who wait being
// served in the order of their calls. With options.Report it returns when the peer has it.
//
// When it returns ctx's error while it waits for room nothing was taken; a payload that was taken goes on its way. Closing a
// session does not wait for what is on its way. Errors: ctx's, a [*EndedError] (also while it waits), ErrExpired (Report),
// jumping.ErrTooLong, jumping.ErrArgument (channel, time to live), net.ErrClosed.
func (s *Session) SendProtected(ctx context.Context, payload []byte, options PayloadOptions) error {
	report, err := s.offerInTurn(ctx, payload, options)
	if err != nil || report == nil {
		return err
	}
	select {
	case isAcknowledged := <-report:
		return fate(isAcknowledged)
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		select {
		case isAcknowledged := <-report: // told before the end
			return fate(isAcknowledged)
		default:
			return s.endError()
		}
	}
}

func fate(isAcknowledged bool) error {
	if isAcknowledged {
		return nil
	}
	return ErrExpired
}

// offerInTurn waits for those who called before, then for room.
func (s *Session) offerInTurn(ctx context.Context, payload []byte, options PayloadOptions) (report chan bool, err error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ended:
		return nil, s.endError()
	}
	for {
		report, err = s.offer(ctx, payload, options)
		if err != jumping.ErrAgain {
			return report, err
		}
		select {
		case <-s.writable:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.ended:
			return nil, s.endError()
		}
	}
}

// offer gives the library the payload once. The report is nil unless it was asked for and the payload was taken.
func (s *Session) offer(ctx context.Context, payload []byte, options PayloadOptions) (report chan bool, err error) {
	if err = ctx.Err(); err != nil {
		return nil, err
	}
	err = s.Do(ctx, func(session jumping.Session, now jumping.Time) error {
		s.lastTag++
		err := session.SendProtected(payload, &jumping.PayloadOptions{
			Channel: options.Channel, TimeToLive: options.TimeToLive, Tag: s.lastTag, Report: options.Report}, now)
		if err == nil && options.Report {
			report = make(chan bool, 1)
			s.reports[s.lastTag] = report
		}
		return err
	})
	if err != nil && err != jumping.ErrAgain {
		select {
		case <-s.ended:
			err = s.endError()
		default:
		}
	}
	return report, err
}

// settle tells the fate of a protected payload to whoever waits for it; the loop's.
func (s *Session) settle(event *jumping.Event) {
	if report := s.reports[event.PayloadTag]; report != nil {
		delete(s.reports, event.PayloadTag)
		report <- event.Type == jumping.EventPayloadAcknowledged
	}
}

// deliverProtected puts a protected payload into its session's queue; when that is full the library keeps the next ones.
func (h *Host) deliverProtected(handle uint64, payload []byte, channel uint32, now jumping.Time) {
	if h.sessions[handle] == nil {
		if info, err := h.endpoint.Session(handle).Info(); err != nil || info.State == jumping.StateTerminated {
			return // nobody has it any more
		}
	}
	session := h.sessionWith(handle, jumping.RoleGateway)
	if session.inbox.putProtected(payload, channel) && !session.isEnding {
		// A session that is gone has nothing to hold.
		_ = session.in(h.endpoint).HoldPayloads(true, now)
	}
}

// collectPayloads takes the protected payloads that wait in the library, but those of sessions whose queues are full.
func (h *Host) collectPayloads(now jumping.Time) {
	var payload jumping.ProtectedPayload
	for {
		switch err := h.endpoint.PollPayload(now, h.payloads, &payload); err {
		case nil:
			h.deliverProtected(payload.Session, h.payloads[:payload.Length], payload.Channel, now)
		case jumping.ErrBufferTooSmall:
			h.payloads = make([]byte, payload.Length)
		case jumping.ErrAgain:
			if len(h.payloads) > jumping.MaxMTU {
				h.payloads = nil // a rare long payload must not cost its memory for ever
			}
			return
		default:
			h.must(err)
			return
		}
	}
}

// takeRest takes what the library has of a session that has ended: it will not keep that for long.
func (h *Host) takeRest(session *Session, now jumping.Time) {
	session.isEnding = true
	if session.inbox.holds() {
		_ = session.in(h.endpoint).HoldPayloads(false, now)
		h.collectPayloads(now)
	}
}

// resume lets the library hand out protected payloads of sessions again whose queues have room.
func (h *Host) resume(now jumping.Time) {
	for _, session := range h.resumed.take() {
		if session.isEnding || session.inbox.holds() {
			continue // over, or full again: it says so itself when there is room
		}
		_ = session.in(h.endpoint).HoldPayloads(false, now)
	}
	h.collectPayloads(now)
}

// resumptions are the sessions whose queues have room again. Any goroutine adds, the loop takes.
type resumptions struct {
	mutex    sync.Mutex
	sessions []*Session
	// ready has a token while there may be some.
	ready chan struct{}
}

func newResumptions() *resumptions { return &resumptions{ready: make(chan struct{}, 1)} }

func (r *resumptions) add(session *Session) {
	r.mutex.Lock()
	r.sessions = append(r.sessions, session)
	r.mutex.Unlock()
	signal(r.ready)
}

func (r *resumptions) take() []*Session {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	sessions := r.sessions
	r.sessions = nil
	return sessions
}

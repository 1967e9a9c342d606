package main

import (
	"fmt"
	"sync"
	"time"
)

// ledger is what became of every payload: when it was sent and when its echo came. Any goroutine.
type ledger struct {
	mutex sync.Mutex
	sent  []time.Time
	back  []time.Time
	// killed and jumped bound the time in which payloads may be lost; zero while it has not happened.
	killed time.Time
	jumped time.Time
	// returned is how many echoes came, strange how many were of no payload that was sent, or came twice.
	returned int
	strange  int
}

func newLedger(count int) *ledger {
	return &ledger{sent: make([]time.Time, count), back: make([]time.Time, count)}
}

// payload is the text of a numbered payload.
func payload(number int) []byte { return []byte(fmt.Sprintf("payload %d", number)) }

func (l *ledger) noteSent(number int) {
	l.mutex.Lock()
	l.sent[number] = time.Now()
	l.mutex.Unlock()
}

func (l *ledger) noteEcho(echo []byte) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	number := -1
	if _, err := fmt.Sscanf(string(echo), "payload %d", &number); err != nil || number < 0 || number >= len(l.sent) ||
		l.sent[number].IsZero() || !l.back[number].IsZero() || string(payload(number)) != string(echo) {
		l.strange++
		return
	}
	l.back[number] = time.Now()
	l.returned++
}

func (l *ledger) noteKill() {
	l.mutex.Lock()
	l.killed = time.Now()
	l.mutex.Unlock()
}

// noteJump is called for every completed jump; the first after the kill counts.
func (l *ledger) noteJump() {
	l.mutex.Lock()
	if !l.killed.IsZero() && l.jumped.IsZero() {
		l.jumped = time.Now()
	}
	l.mutex.Unlock()
}

// isComplete: every payload that was sent has come back.
func (l *ledger) isComplete() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.returned == len(l.sent)
}

// balance is the result of a run.
type balance struct {
	sent, returned, strange int
	// lostDuringJump were under way between the kill and the jump; lostOtherwise were not.
	lostDuringJump, lostOtherwise int
	// longestGap is the longest time between two echoes, longestRoundTrip the longest time a payload took.
	longestGap, longestRoundTrip time.Duration
	hasJumped                    bool
}

func (l *ledger) balance() balance {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	result := balance{returned: l.returned, strange: l.strange, hasJumped: !l.jumped.IsZero()}
	var previous time.Time
	for number, back := range l.back {
		if !l.sent[number].IsZero() {
			result.sent++
		}
		if back.IsZero() {
			continue
		}
		if roundTrip := back.Sub(l.sent[number]); roundTrip > result.longestRoundTrip {
			result.longestRoundTrip = roundTrip
		}
		if gap := back.Sub(previous); !previous.IsZero() && gap > result.longestGap {
			result.longestGap = gap
		}
		previous = back
	}
	// A payload on its way there, or its echo on its way back, dies with the transport too.
	underWay := result.longestRoundTrip + 10*time.Millisecond
	for number, back := range l.back {
		sent := l.sent[number]
		if sent.IsZero() || !back.IsZero() {
			continue
		}
		if result.hasJumped && sent.After(l.killed.Add(-underWay)) && sent.Before(l.jumped) {
			result.lostDuringJump++
		} else {
			result.lostOtherwise++
		}
	}
	return result
}

package udp

import (
	"context"
	"sync"
)

// inbox is the bounded queue of payloads a session received. The loop puts, any goroutine takes. Slots keep their memory,
// and their number grows with need, up to the capacity: most of a gateway's many sessions never have more than a few.
type inbox struct {
	mutex    sync.Mutex
	slots    [][]byte
	capacity int
	head     int
	count    int
	// ready has one token while there may be something to take.
	ready chan struct{}
	// dropped counts payloads that found the queue full.
	dropped uint64
}

func newInbox(capacity int) *inbox {
	return &inbox{capacity: capacity, ready: make(chan struct{}, 1)}
}

// put copies a payload in; when the queue is full the payload is dropped and counted, as a socket does.
func (q *inbox) put(payload []byte) {
	q.mutex.Lock()
	if q.count == len(q.slots) {
		q.grow()
	}
	if q.count == len(q.slots) {
		q.dropped++
	} else {
		slot := &q.slots[(q.head+q.count)%len(q.slots)]
		*slot = append((*slot)[:0], payload...)
		q.count++
	}
	q.mutex.Unlock()
	signal(q.ready)
}

// grow makes a full queue's ring larger, if its capacity allows that; the oldest payload comes first then.
func (q *inbox) grow() {
	size := 2*len(q.slots) + 4
	if size > q.capacity {
		size = q.capacity
	}
	if size > len(q.slots) {
		slots := make([][]byte, size)
		copy(slots[copy(slots, q.slots[q.head:]):], q.slots[:q.head])
		q.slots, q.head = slots, 0
	}
}

// take copies the oldest payload to the end of buffer, if it fits limit bytes (negative: always).
func (q *inbox) take(buffer []byte, limit int) (result []byte, length int, isTaken bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.count == 0 {
		return buffer, 0, false
	}
	payload := q.slots[q.head]
	if limit >= 0 && len(payload) > limit {
		signal(q.ready)
		return buffer, len(payload), false
	}
	q.head = (q.head + 1) % len(q.slots)
	q.count--
	if q.count > 0 {
		signal(q.ready)
	}
	return append(buffer, payload...), len(payload), true
}

func (q *inbox) droppedCount() uint64 {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.dropped
}

// signal puts a token into a channel of capacity one, unless it has one.
func signal(ready chan struct{}) {
	select {
	case ready <- struct{}{}:
	default:
	}
}

// outbox is the bounded queue of payloads that wait to be sealed, of all sessions of a host. Any goroutine puts, the loop
// takes. Payloads lie in one block of slots, so that the library seals many of them in one call.
type outbox struct {
	mutex    sync.Mutex
	block    []byte
	slotSize int
	sessions []*Session
	lengths  []int
	head     int
	count    int
	// ready has a token while there may be something to seal, space while there may be room.
	ready chan struct{}
	space chan struct{}
}

func newOutbox(capacity, slotSize int) *outbox {
	return &outbox{block: make([]byte, capacity*slotSize), slotSize: slotSize, sessions: make([]*Session, capacity),
		lengths: make([]int, capacity), ready: make(chan struct{}, 1), space: make(chan struct{}, 1)}
}

// put copies a payload in, and waits for room while the queue is full. It ends early with ctx, the session or the host.
func (q *outbox) put(ctx context.Context, session *Session, payload []byte) error {
	for !q.tryPut(session, payload) {
		select {
		case <-q.space:
		case <-ctx.Done():
			return ctx.Err()
		case <-session.ended:
			return session.endError()
		}
	}
	return nil
}

func (q *outbox) tryPut(session *Session, payload []byte) bool {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.count == len(q.lengths) {
		return false
	}
	index := (q.head + q.count) % len(q.lengths)
	q.sessions[index], q.lengths[index] = session, copy(q.block[index*q.slotSize:][:q.slotSize], payload)
	q.count++
	if q.count < len(q.lengths) {
		signal(q.space) // another writer may be waiting too
	}
	signal(q.ready)
	return true
}

// front is the oldest payloads that lie in one piece, at most limit of them: the first one's index and how many. They stay
// in the queue, untouched by writers, until drop.
func (q *outbox) front(limit int) (first, count int) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	count = q.count
	if whole := len(q.lengths) - q.head; count > whole {
		count = whole
	}
	if count > limit {
		count = limit
	}
	return q.head, count
}

// drop removes the oldest count payloads.
func (q *outbox) drop(count int) {
	q.mutex.Lock()
	for i := 0; i < count; i++ {
		q.sessions[q.head] = nil
		q.head = (q.head + 1) % len(q.lengths)
	}
	q.count -= count
	q.mutex.Unlock()
	signal(q.space)
}

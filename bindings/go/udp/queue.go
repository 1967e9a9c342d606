package udp

import (
	"context"
	"sync"

	"jumping"
)

// inbox is the bounded queue of payloads a session received. The loop puts, any goroutine takes. Slots keep their memory,
// and their number grows with need, up to the capacity: most of a gateway's many sessions never have more than a few.
type inbox struct {
	mutex    sync.Mutex
	slots    []received
	capacity int
	head     int
	count    int
	// protectedBytes is how many bytes of protected payloads are in it, and how many make it full.
	protectedBytes, protectedLimit int
	// isHolding: the library is asked to keep protected payloads until the queue is half empty.
	isHolding bool
	// ready has one token while there may be something to take.
	ready chan struct{}
	// dropped counts payloads that found the queue full.
	dropped uint64
}

// received is a payload in the inbox.
type received struct {
	bytes []byte
	kind
}

// kind is what a payload is besides its bytes.
type kind struct {
	isProtected bool
	channel     uint32
}

func newInbox(capacity, protectedLimit int) *inbox {
	return &inbox{capacity: capacity, protectedLimit: protectedLimit, ready: make(chan struct{}, 1)}
}

// put copies an expendable payload in; when the queue is full the payload is dropped and counted, as a socket does.
func (q *inbox) put(payload []byte) {
	q.mutex.Lock()
	if q.count == len(q.slots) {
		q.grow(q.capacity)
	}
	if q.count >= q.capacity {
		q.dropped++
	} else {
		q.add(payload, kind{})
	}
	q.mutex.Unlock()
	signal(q.ready)
}

// putProtected copies a protected payload in, always. It is true when the queue has become full: the library is to keep the
// ones that follow, until take says that there is room.
func (q *inbox) putProtected(payload []byte, channel uint32) (isFull bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.count == len(q.slots) {
		q.grow(2*q.count + 4)
	}
	q.add(payload, kind{true, channel})
	q.protectedBytes += len(payload)
	isFull = !q.isHolding && (q.count >= q.capacity || q.protectedBytes >= q.protectedLimit)
	q.isHolding = q.isHolding || isFull
	signal(q.ready)
	return isFull
}

func (q *inbox) add(payload []byte, what kind) {
	slot := &q.slots[(q.head+q.count)%len(q.slots)]
	slot.bytes, slot.kind = append(slot.bytes[:0], payload...), what
	q.count++
}

// grow makes a full queue's ring larger, if its capacity allows that; the oldest payload comes first then.
func (q *inbox) grow(capacity int) {
	size := 2*len(q.slots) + 4
	if size > capacity {
		size = capacity
	}
	if size > len(q.slots) {
		slots := make([]received, size)
		copy(slots[copy(slots, q.slots[q.head:]):], q.slots[:q.head])
		q.slots, q.head = slots, 0
	}
}

// taken is what take found.
type taken struct {
	// bytes is the buffer with the payload behind it.
	bytes []byte
	kind
	// length is the payload's, also when it did not fit.
	length  int
	isTaken bool
	// hasRoom: the library need not keep protected payloads any longer.
	hasRoom bool
}

// take copies the oldest payload to the end of buffer, if it fits limit bytes (negative: always).
func (q *inbox) take(buffer []byte, limit int) taken {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.count == 0 {
		return taken{}
	}
	oldest := &q.slots[q.head]
	result := taken{kind: oldest.kind, length: len(oldest.bytes)}
	if limit >= 0 && result.length > limit {
		signal(q.ready)
		return result
	}
	result.bytes, result.isTaken = append(buffer, oldest.bytes...), true
	if cap(oldest.bytes) > jumping.MaxMTU {
		oldest.bytes = nil // a rare long payload must not cost its memory for ever
	}
	q.head = (q.head + 1) % len(q.slots)
	q.count--
	if result.isProtected {
		q.protectedBytes -= result.length
	}
	if q.count > 0 {
		signal(q.ready)
	}
	if q.isHolding && 2*q.count <= q.capacity && 2*q.protectedBytes <= q.protectedLimit {
		q.isHolding, result.hasRoom = false, true
	}
	return result
}

// holds tells whether the library is to keep protected payloads.
func (q *inbox) holds() bool {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.isHolding
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

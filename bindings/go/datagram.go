package jumping

// #include "data_path.h"
import "C"

import "unsafe"

// Datagram says where a sealed datagram goes: through Transport to To, Length bytes of the buffer of the call.
type Datagram struct {
	Transport uint32
	To        Address
	// Length is in bytes.
	Length int
	// Path is the session's path id, or PathNone.
	Path uint32
	// Session is the session's handle, 0 for cookies.
	Session uint64
	// PacketNumber is for Unsent, or PacketNumberNone.
	PacketNumber uint64
}

func (d *Datagram) read(c *C.jmp_datagram) {
	d.Transport, d.To, d.Length = uint32(c.transport), readAddress(&c.to), int(c.length)
	d.Path, d.Session, d.PacketNumber = uint32(c.path), uint64(c.session), uint64(c.packet_number)
}

// Received says what a received datagram was.
type Received struct {
	// Kind is ReceivedPayload when there is a payload for the host, ReceivedProtected when there is a protected one (handed
	// out this once), ReceivedNothing when the datagram was control traffic or was dropped.
	Kind ReceivedKind
	// Session is the session's handle, 0 when it belongs to none.
	Session uint64
	// PayloadOffset is where the payload begins in the datagram's own buffer, in bytes.
	PayloadOffset int
	PayloadLength int
	// Path is the path id it came on, or PathNone.
	Path uint32
	// DropCause says why it was dropped; DropNone when it was not.
	DropCause DropCause
	// PacketNumber is the datagram's, or PacketNumberNone.
	PacketNumber uint64
	// Channel is that of a protected payload, 0 … Channels-1.
	Channel uint32
	// Waiting is true when PollPayload has payloads of this session.
	Waiting bool
}

func (r *Received) read(c *C.jmp_received) {
	r.Kind, r.Session = ReceivedKind(c.kind), uint64(c.session)
	r.PayloadOffset, r.PayloadLength = int(c.payload_offset), int(c.payload_length)
	r.Path, r.DropCause, r.PacketNumber = uint32(c.path), DropCause(c.drop_cause), uint64(c.packet_number)
	r.Channel, r.Waiting = uint32(c.channel), c.waiting != 0
}

// SendBufferSize is the buffer Send needs for a payload of this many bytes, whatever the cipher suite.
func SendBufferSize(payloadLength int) int {
	return payloadLength + DatagramOverhead + 16 + FrameReserve
}

// Receive gives the library a datagram that arrived through transport from an address. It is opened in place: the bytes
// change, and are undefined when it is dropped. A bad datagram is not an error; received says what became of it, and a
// payload lies at datagram[received.PayloadOffset:][:received.PayloadLength]. Drain PollPayload, PollTransmit and PollEvent
// afterwards. Errors: ErrClosed, ErrForked, ErrNull (received), ErrArgument (address), ErrTransport.
func (e *Endpoint) Receive(transport uint32, from Address, datagram []byte, now Time, received *Received) error {
	if err := e.enter(); err != nil {
		return err
	}
	if received == nil {
		return ErrNull
	}
	from.write(&e.c.address)
	status := C.jumping_go_receive(e.c, C.uint32_t(transport), bytesPointer(datagram), C.size_t(len(datagram)), C.jmp_time(now))
	if status != C.JMP_OK {
		return check(status)
	}
	received.read(&e.c.received)
	return nil
}

// PollTransmit writes the next datagram with control traffic (handshake, acknowledgement, probe, reattach, close) or
// protected payloads into buffer, which should hold the largest MTU among the transports (DefaultMTU unless told): it may be
// as long as that. Errors: ErrAgain (nothing to send), ErrNull,
// ErrBufferTooSmall (nothing is lost), ErrClosed, ErrForked.
func (e *Endpoint) PollTransmit(now Time, buffer []byte, datagram *Datagram) error {
	if err := e.enter(); err != nil {
		return err
	}
	if datagram == nil {
		return ErrNull
	}
	status := C.jumping_go_poll_transmit(e.c, C.jmp_time(now), bytesPointer(buffer), C.size_t(len(buffer)))
	if status != C.JMP_OK {
		return check(status)
	}
	datagram.read(&e.c.datagram)
	return nil
}

// Unsent tells that a sealed datagram never left (the socket refused it): it does not count as lost. session and
// packetNumber are the Datagram's. Errors: ErrArgument (never sent), ErrClosed, ErrForked, ErrSession.
func (e *Endpoint) Unsent(session, packetNumber uint64, now Time) error {
	if err := e.enter(); err != nil {
		return err
	}
	return check(C.jumping_go_unsent(e.c, C.jmp_session(session), C.uint64_t(packetNumber), C.jmp_time(now)))
}

// Send seals one payload (0 … MaxPayload bytes, see SessionInfo) into buffer, which needs SendBufferSize bytes, and says
// where to send it. Works in every state but BIRTH and TERMINATED; a gateway sends once the client has confirmed. Drain
// PollTransmit afterwards. Errors: ErrAgain (with the policy's ControlExpendable alone: nothing was sent, and the event Writable
// tells when to try again), ErrNull, ErrClosed, ErrForked, ErrSession, ErrState, ErrTerminated, ErrTooLong, ErrBufferTooSmall,
// ErrNoPath.
func (s Session) Send(payload []byte, now Time, buffer []byte, datagram *Datagram) error {
	e := s.endpoint
	if err := e.enter(); err != nil {
		return err
	}
	if datagram == nil {
		return ErrNull
	}
	status := C.jumping_go_send(e.c, s.c(), bytesPointer(payload), C.size_t(len(payload)), C.jmp_time(now),
		bytesPointer(buffer), C.size_t(len(buffer)))
	if status != C.JMP_OK {
		return check(status)
	}
	datagram.read(&e.c.datagram)
	return nil
}

// SendItem is one payload of SendBatch; offsets and lengths are in bytes.
type SendItem struct {
	// Session is the session's handle.
	Session       uint64
	PayloadOffset int
	PayloadLength int
	// BufferOffset is where the datagram is written, BufferCapacity its room (see SendBufferSize).
	BufferOffset   int
	BufferCapacity int
	// Err is set by SendBatch: nil, or why this item was not sealed (Send's errors; ErrArgument when it lies outside the
	// buffers).
	Err error
	// Datagram is set by SendBatch when Err is nil.
	Datagram Datagram
}

// ReceiveItem is one datagram of ReceiveBatch; offset and length are in bytes.
type ReceiveItem struct {
	Transport uint32
	From      Address
	Offset    int
	Length    int
	// Err is set by ReceiveBatch: nil, or what was wrong with the item (Receive's errors; ErrArgument when it lies outside
	// the buffer).
	Err error
	// Received is set by ReceiveBatch when Err is nil; its PayloadOffset counts from the item's own Offset.
	Received Received
}

// maxUint32 bounds offsets: the C items hold 32 bits of them.
const maxUint32 = 0xFFFFFFFF

// batchMemory is C memory for the items of one batch call. Whole items of either kind fit it.
type batchMemory struct {
	pointer  unsafe.Pointer
	capacity uintptr
}

// reserve makes room for size bytes, or is false.
func (m *batchMemory) reserve(size uintptr) bool {
	if size <= m.capacity {
		return true
	}
	grown := C.realloc(m.pointer, C.size_t(size))
	if grown == nil {
		return false
	}
	m.pointer, m.capacity = grown, size
	return true
}

func fits(numbers ...int) bool {
	for _, number := range numbers {
		if number < 0 || uint64(number) > maxUint32 {
			return false
		}
	}
	return true
}

// SendBatch is Send for many items in one call: payloads lie in payloads, datagrams are written into buffer, each item has
// its own Err. Buffer ranges of items must not overlap. It returns how many items succeeded. Errors: ErrClosed, ErrForked,
// ErrMemory.
func (e *Endpoint) SendBatch(items []SendItem, payloads []byte, now Time, buffer []byte) (int, error) {
	if err := e.enter(); err != nil {
		return 0, err
	}
	if len(items) == 0 {
		return 0, nil
	}
	if !e.batch.reserve(uintptr(len(items)) * C.sizeof_jmp_send_item) {
		return 0, ErrMemory
	}
	list := unsafe.Slice((*C.jmp_send_item)(e.batch.pointer), len(items))
	for i := range items {
		item, c := &items[i], &list[i]
		*c = C.jmp_send_item{}
		c.datagram.struct_size = C.sizeof_jmp_datagram
		c.payload_offset = maxUint32 // outside every buffer, so that numbers that do not fit are refused, not cut
		if fits(item.PayloadOffset, item.PayloadLength, item.BufferOffset, item.BufferCapacity) {
			c.payload_offset, c.payload_length = C.uint32_t(item.PayloadOffset), C.uint32_t(item.PayloadLength)
			c.buffer_offset, c.buffer_capacity = C.uint32_t(item.BufferOffset), C.uint32_t(item.BufferCapacity)
		}
		c.session = C.jmp_session(item.Session)
	}
	status := C.jumping_go_send_batch(e.c, &list[0], C.size_t(len(items)), bytesPointer(payloads),
		C.size_t(len(payloads)), C.jmp_time(now), bytesPointer(buffer), C.size_t(len(buffer)))
	if status != C.JMP_OK {
		return 0, check(status)
	}
	for i := range items {
		if items[i].Err = check(list[i].status); items[i].Err == nil {
			items[i].Datagram.read(&list[i].datagram)
		}
	}
	return int(e.c.count), nil
}

// ReceiveBatch is Receive for many datagrams that lie in one buffer. Each item has its own Err. Errors: ErrClosed,
// ErrForked, ErrMemory.
func (e *Endpoint) ReceiveBatch(items []ReceiveItem, buffer []byte, now Time) error {
	if err := e.enter(); err != nil {
		return err
	}
	if len(items) == 0 {
		return nil
	}
	if !e.batch.reserve(uintptr(len(items)) * C.sizeof_jmp_receive_item) {
		return ErrMemory
	}
	list := unsafe.Slice((*C.jmp_receive_item)(e.batch.pointer), len(items))
	for i := range items {
		item, c := &items[i], &list[i]
		*c = C.jmp_receive_item{}
		c.received.struct_size = C.sizeof_jmp_received
		c.transport, c.offset = C.uint32_t(item.Transport), maxUint32
		if fits(item.Offset, item.Length) {
			c.offset, c.length = C.uint32_t(item.Offset), C.uint32_t(item.Length)
		}
		item.From.write(&c.from)
	}
	status := C.jumping_go_receive_batch(e.c, &list[0], C.size_t(len(items)), bytesPointer(buffer),
		C.size_t(len(buffer)), C.jmp_time(now))
	if status != C.JMP_OK {
		return check(status)
	}
	for i := range items {
		if items[i].Err = check(list[i].status); items[i].Err == nil {
			items[i].Received.read(&list[i].received)
		}
	}
	return nil
}

func pointer(scratch *C.jumping_go_scratch) unsafe.Pointer { return unsafe.Pointer(scratch) }

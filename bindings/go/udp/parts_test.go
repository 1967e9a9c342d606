package udp

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"jumping"
)

func TestInboxKeepsOrderGrowsAndDropsBeyondItsCapacity(t *testing.T) {
	q := newInbox(10, 1000)
	next := 0
	for put := 0; put < 7; put++ {
		q.put([]byte{byte(put)})
		if put%2 == 1 { // so that the ring's head is not at 0 when it grows
			if got := q.take(nil, -1); !got.isTaken || got.bytes[0] != byte(next) {
				t.Fatalf("%+v, expected %d", got, next)
			}
			next++
		}
	}
	for put := 7; put < 20; put++ {
		q.put([]byte{byte(put)})
	}
	if dropped := q.droppedCount(); dropped != 7 {
		t.Errorf("%d dropped", dropped)
	}
	for ; next < 13; next++ {
		if got := q.take(nil, -1); !got.isTaken || got.bytes[0] != byte(next) {
			t.Fatalf("%+v, expected %d", got, next)
		}
	}
	if q.take(nil, -1).isTaken {
		t.Error("more came out than went in")
	}
}

func TestInboxNeverDropsAProtectedPayloadAndSaysWhenItIsFull(t *testing.T) {
	q := newInbox(4, 100)
	for put := 0; put < 6; put++ {
		if isFull := q.putProtected([]byte{byte(put)}, 3); isFull != (put == 3) {
			t.Errorf("after %d payloads: %v", put+1, isFull)
		}
	}
	q.put([]byte{99})
	if dropped := q.droppedCount(); dropped != 1 {
		t.Errorf("%d expendable ones dropped", dropped)
	}
	for next := 0; next < 6; next++ {
		got := q.take(nil, -1)
		if !got.isTaken || got.bytes[0] != byte(next) || !got.isProtected || got.channel != 3 || got.hasRoom != (next == 3) {
			t.Errorf("%+v, expected %d", got, next)
		}
	}
	if !q.putProtected(make([]byte, 100), 0) || !q.holds() {
		t.Error("a long payload does not fill it")
	}
	if got := q.take(nil, 99); got.isTaken || got.length != 100 || !q.holds() {
		t.Errorf("%+v", got)
	}
	if got := q.take(nil, 100); !got.isTaken || !got.hasRoom || q.holds() {
		t.Errorf("%+v", got)
	}
}

func TestFullOutboxMakesSendersWait(t *testing.T) {
	session := &Session{ended: make(chan struct{})}
	q := newOutbox(2, 4)
	background := context.Background()
	for _, payload := range []string{"a", "b"} {
		if err := q.put(background, session, []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(background, 10*time.Millisecond)
	defer cancel()
	if err := q.put(ctx, session, []byte("c")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a full queue: %v", err)
	}
	waiting := make(chan error)
	go func() { waiting <- q.put(background, session, []byte("d")) }()
	first, count := q.front(8)
	if first != 0 || count != 2 || !bytes.Equal(q.block[:8], []byte("a\x00\x00\x00b\x00\x00\x00")) {
		t.Errorf("%d %d %q", first, count, q.block)
	}
	q.drop(1)
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	if first, count = q.front(8); first != 1 || count != 1 { // one piece ends with the ring
		t.Errorf("%d %d", first, count)
	}
	go func() { waiting <- q.put(background, session, []byte("e")) }()
	session.end(jumping.ReasonTransportTTLExceeded)
	var ended *EndedError
	if err := <-waiting; !errors.As(err, &ended) || ended.Reason != jumping.ReasonTransportTTLExceeded {
		t.Errorf("a session that ends: %v", err)
	}
}

func TestTimerTicksWhenAsked(t *testing.T) {
	timer, err := newTimer()
	if err != nil {
		t.Fatal(err)
	}
	defer timer.close()
	start := jumping.Now()
	timer.arm(start.Add(time.Hour), start)
	timer.arm(start.Add(30*time.Millisecond), start)
	timer.arm(jumping.TimeNone, start)
	select {
	case <-timer.ticks:
	case <-time.After(testPatience):
		t.Fatal("no tick")
	}
	if early := start.Add(30 * time.Millisecond); jumping.Now() < early {
		t.Error("too early")
	}
	timer.arm(0, jumping.Now()) // past: at once
	select {
	case <-timer.ticks:
	case <-time.After(testPatience):
		t.Fatal("no tick for a moment that is past")
	}
}

func TestSocketsTakeBatchesAndDropWhatIsTooLong(t *testing.T) {
	const slotSize = 1500
	from, err := openSocket(context.Background(), "from", "127.0.0.1:0", slotSize, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer from.connection.Close()
	to, err := openSocket(context.Background(), "to", "[::]:0", slotSize, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer to.connection.Close()
	remote, err := net.ResolveUDPAddr("udp", to.connection.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	remote.IP = net.IPv4(127, 0, 0, 1)
	address, err := jumping.AddressFromAddrPort(remote.AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	o := newOutgoing(slotSize)
	for i := 0; i < 3; i++ {
		copy(o.buffer[i*slotSize:], []byte{byte(i), 1, 2})
		o.add(&jumping.Datagram{To: address, Length: 3})
	}
	sixOnly, _ := jumping.NewAddress(make([]byte, 18), 8)
	o.add(&jumping.Datagram{To: sixOnly, Length: 3}) // an IPv4 socket cannot reach it
	if failed := from.send(o.messages[:4], o.buffer); failed != 1 || o.messages[3].error == 0 || o.messages[2].error != 0 {
		t.Fatalf("%d failed", failed)
	}
	if _, err := from.connection.WriteToUDP(make([]byte, slotSize+1), remote); err != nil {
		t.Fatal(err)
	}
	source, err := jumping.AddressFromAddrPort(from.local)
	if err != nil {
		t.Fatal(err)
	}
	b := to.drain()
	if b == nil || b.count != 4 {
		t.Fatalf("%+v", b)
	}
	for i := 0; i < 3; i++ {
		got, err := readMessageAddress(&b.messages[i])
		if err != nil || got != source || b.messages[i].length != 3 || b.buffer[i*slotSize] != byte(i) {
			t.Errorf("datagram %d: %v from %v, %v", i, b.buffer[i*slotSize:][:3], got, err)
		}
	}
	if b.messages[3].error == 0 {
		t.Error("a datagram longer than its slot looks whole")
	}
	if to.drain() != nil {
		t.Error("the socket was not empty")
	}
}

func TestRefusedDatagramsAreToldToTheLibrary(t *testing.T) {
	ctx := testContext(t)
	host, err := NewHost(ctx, Config{Sockets: []Socket{{Listen: "127.0.0.1:0"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	// A socket bound to loopback cannot send to another network.
	far := path{DefaultSocketName(0), netip.MustParseAddrPort("192.0.2.1:4000")}
	config := DialConfig{PSK: testKey(7), HandshakeTimeout: 200 * time.Millisecond}
	if _, err := host.connect(ctx, far, &config); !errors.Is(err, jumping.ErrTerminated) {
		t.Errorf("%v", err)
	}
	if counters := host.NetworkCounters(); counters.Unsent == 0 || counters.Truncated != 0 {
		t.Errorf("%+v", counters)
	}
}

func TestAnUnreachableClientDoesNotBringAGatewaysSocketDown(t *testing.T) {
	for errno, expected := range map[syscall.Errno][2]bool{
		syscall.ENETUNREACH: {true, false}, syscall.EHOSTUNREACH: {true, false}, syscall.ENETDOWN: {true, true},
		syscall.EADDRNOTAVAIL: {true, true}, syscall.EAGAIN: {false, false}, syscall.EMSGSIZE: {false, false},
	} {
		if got := [2]bool{networkIsGone(errno, false), networkIsGone(errno, true)}; got != expected {
			t.Errorf("%v: client %v, gateway %v", errno, got[0], got[1])
		}
	}
}

package jumping

import (
	"testing"
	"time"
)

// A host that moves a million datagrams a second must not make garbage for each of them.
func TestDataPathAllocatesNothing(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, gateway := n.establish()
	payload, buffer := make([]byte, 1000), make([]byte, 2048)
	var datagram Datagram
	var received Received
	roundTrip := func(from, to *node, session Session) {
		n.now = n.now.Add(time.Millisecond)
		if err := session.Send(payload, n.now, buffer, &datagram); err != nil {
			t.Fatal(err)
		}
		if err := to.endpoint.Receive(0, from.addresses[0], buffer[:datagram.Length], n.now, &received); err != nil {
			t.Fatal(err)
		}
		if received.Kind != ReceivedPayload {
			t.Fatalf("dropped: %v", received.DropCause)
		}
		for _, node := range []*node{from, to} {
			for node.endpoint.PollTransmit(n.now, buffer, &datagram) == nil {
				other := n.client
				if node == n.client {
					other = n.gateway
				}
				if err := other.endpoint.Receive(0, node.addresses[0], buffer[:datagram.Length], n.now, &received); err != nil {
					t.Fatal(err)
				}
			}
			if deadline, err := node.endpoint.NextTimeout(); err == nil && deadline <= n.now {
				if err := node.endpoint.HandleTimeout(n.now); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var event Event
	allocations := testing.AllocsPerRun(500, func() {
		roundTrip(n.client, n.gateway, client)
		roundTrip(n.gateway, n.client, gateway)
		if err := n.client.endpoint.PollEvent(&event); err != ErrAgain && err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations per round trip", allocations)
	}
}

func TestBatchesAllocateNothing(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, _ := n.establish()
	const count, room = 16, 1200
	payloads, buffer := make([]byte, 1000), make([]byte, count*room)
	sending, receiving := make([]SendItem, count), make([]ReceiveItem, count)
	allocations := testing.AllocsPerRun(100, func() {
		n.now = n.now.Add(time.Millisecond)
		for i := range sending {
			sending[i] = SendItem{Session: client.Handle(), PayloadLength: 1000, BufferOffset: i * room, BufferCapacity: room}
		}
		if done, err := n.client.endpoint.SendBatch(sending, payloads, n.now, buffer); done != count || err != nil {
			t.Fatal(done, err)
		}
		for i := range receiving {
			receiving[i] = ReceiveItem{From: n.client.addresses[0], Offset: i * room, Length: sending[i].Datagram.Length}
		}
		if err := n.gateway.endpoint.ReceiveBatch(receiving, buffer, n.now); err != nil {
			t.Fatal(err)
		}
		for i := range receiving {
			if receiving[i].Err != nil || receiving[i].Received.Kind != ReceivedPayload {
				t.Fatalf("item %d: %+v", i, receiving[i])
			}
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations per batch", allocations)
	}
}

func BenchmarkSendAndReceive(b *testing.B) {
	n := newNetwork(b, 1, nil, nil, nil)
	client, _ := n.establish()
	payload, buffer := make([]byte, 1200), make([]byte, 2048)
	var datagram Datagram
	var received Received
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		n.now++
		if err := client.Send(payload, n.now, buffer, &datagram); err != nil {
			b.Fatal(err)
		}
		if err := n.gateway.endpoint.Receive(0, n.client.addresses[0], buffer[:datagram.Length], n.now, &received); err != nil {
			b.Fatal(err)
		}
	}
}

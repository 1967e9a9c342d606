package udp

import (
	"context"
	"testing"
)

// echoInto is echo without its allocations.
func echoInto(session *Session) {
	buffer := make([]byte, DefaultMaxDatagram)
	for {
		length, err := session.RecvInto(context.Background(), buffer)
		if err != nil || session.Send(context.Background(), buffer[:length]) != nil {
			return
		}
	}
}

// What a payload costs is counted over all goroutines of both hosts, there and back. Queues grow and the runtime's own
// goroutines work a little, so the average is what counts.
func TestPayloadsMakeNoGarbage(t *testing.T) {
	client, gateway := pair(t, 1)
	go echoInto(gateway)
	ctx := context.Background()
	payload, buffer := make([]byte, 1000), make([]byte, DefaultMaxDatagram)
	allocations := testing.AllocsPerRun(2000, func() {
		if err := client.Send(ctx, payload); err != nil {
			t.Fatal(err)
		}
		if _, err := client.RecvInto(ctx, buffer); err != nil {
			t.Fatal(err)
		}
	})
	if allocations >= 1 {
		t.Errorf("%v allocations per round trip", allocations)
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	client, gateway := pair(b, 1)
	go echoInto(gateway)
	ctx := context.Background()
	payload, buffer := make([]byte, 1000), make([]byte, DefaultMaxDatagram)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if err := client.Send(ctx, payload); err != nil {
			b.Fatal(err)
		}
		if _, err := client.RecvInto(ctx, buffer); err != nil {
			b.Fatal(err)
		}
	}
}

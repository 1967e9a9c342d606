package udp

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"jumping"
)

// testPatience is far beyond what anything here takes; a test that needs it has failed.
const testPatience = 20 * time.Second

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testPatience)
	t.Cleanup(cancel)
	return ctx
}

func testKey(fill byte) (key jumping.Key) {
	for i := range key {
		key[i] = fill
	}
	return key
}

// listen is a gateway with loopback sockets on free ports, and their addresses.
func listen(t testing.TB, config Config, addresses ...string) (*Host, []string) {
	t.Helper()
	for _, address := range addresses {
		config.Sockets = append(config.Sockets, Socket{Listen: address})
	}
	if config.PSKs == nil {
		config.PSKs = []PSK{{Hint: "go", Key: testKey(7)}}
	}
	gateway, err := Listen(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gateway.Close() })
	var bound []string
	for i := range addresses {
		address, err := gateway.LocalAddr(testContext(t), DefaultSocketName(i))
		if err != nil {
			t.Fatal(err)
		}
		bound = append(bound, address.String())
	}
	return gateway, bound
}

func dialConfig(gateways ...string) DialConfig {
	config := DialConfig{Gateways: gateways, Hint: "go", PSK: testKey(7), HandshakeTimeout: 5 * time.Second, Label: "go test"}
	for range gateways {
		config.Sockets = append(config.Sockets, Socket{Listen: "127.0.0.1:0"})
	}
	return config
}

// pair is a session of a client and a gateway with as many loopback paths.
func pair(t testing.TB, paths int) (client, gateway *Session) {
	t.Helper()
	addresses := make([]string, paths)
	for i := range addresses {
		addresses[i] = "127.0.0.1:0"
	}
	host, bound := listen(t, Config{}, addresses...)
	client, err := Dial(testContext(t), dialConfig(bound...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	gateway, err = host.Accept(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return client, gateway
}

// echo sends back what arrives until the session ends.
func echo(session *Session) {
	for {
		payload, err := session.Recv(context.Background())
		if err != nil {
			return
		}
		if session.Send(context.Background(), payload) != nil {
			return
		}
	}
}

// roundTrip sends numbered payloads until one of them comes back, for paths that may be in trouble.
func roundTrip(t testing.TB, session *Session) {
	t.Helper()
	ctx := testContext(t)
	for i := 0; ; i++ {
		if err := session.Send(ctx, []byte(fmt.Sprintf("payload %d", i))); err != nil {
			t.Fatal(err)
		}
		wait, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		_, err := session.Recv(wait)
		cancel()
		if err == nil {
			return
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("no echo of %d payloads: %v", i+1, err)
		}
	}
}

// waitForStandby returns when the session has that many validated candidates.
func waitForStandby(t testing.TB, session *Session, count uint32) {
	t.Helper()
	ctx := testContext(t)
	for {
		info, err := session.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if info.CandidateCount >= count {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// waitForEvent reads events until one of a type comes.
func waitForEvent(t testing.TB, host *Host, kind jumping.EventType) jumping.Event {
	t.Helper()
	patience := time.After(testPatience)
	for {
		select {
		case event, isOpen := <-host.Events():
			if !isOpen {
				t.Fatalf("the host ended without %v", kind)
			}
			if event.Type == kind {
				return event
			}
		case <-patience:
			t.Fatalf("no %v", kind)
		}
	}
}

package udp

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"jumping"
)

func TestPayloadsTravelBothWays(t *testing.T) {
	client, gateway := pair(t, 1)
	ctx := testContext(t)
	if client.ID() != gateway.ID() || client.ID() == (jumping.SessionID{}) {
		t.Fatalf("ids %v and %v", client.ID(), gateway.ID())
	}
	if client.Role() != jumping.RoleClient || gateway.Role() != jumping.RoleGateway || gateway.Label() != "go test" {
		t.Errorf("%v %v %q", client.Role(), gateway.Role(), gateway.Label())
	}
	go echo(gateway)
	for _, payload := range [][]byte{[]byte("hello"), {}, bytes.Repeat([]byte{9}, client.MaxPayload())} {
		if err := client.Send(ctx, payload); err != nil {
			t.Fatal(err)
		}
		got, err := client.Recv(ctx)
		if err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("%d bytes came back as %d: %v", len(payload), len(got), err)
		}
	}
	if err := client.Send(ctx, make([]byte, client.MaxPayload()+1)); !errors.Is(err, jumping.ErrTooLong) {
		t.Errorf("a payload that is too long: %v", err)
	}
	if client.State() != jumping.StateAttached {
		t.Errorf("state %v", client.State())
	}
}

func TestRecvIntoTellsAShortBuffer(t *testing.T) {
	client, gateway := pair(t, 1)
	ctx := testContext(t)
	if err := client.Send(ctx, []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4)
	if length, err := gateway.RecvInto(ctx, buffer); err == nil || length != 10 {
		t.Fatalf("%d, %v", length, err)
	}
	buffer = make([]byte, 10)
	if length, err := gateway.RecvInto(ctx, buffer); err != nil || string(buffer[:length]) != "0123456789" {
		t.Fatalf("%d, %v", length, err)
	}
}

func TestMutedTransportBecomesAJump(t *testing.T) {
	client, gateway := pair(t, 2)
	go echo(gateway)
	roundTrip(t, client)
	waitForStandby(t, client, 1)
	id := client.ID()
	if err := client.Host().MuteSocket(testContext(t), "udp:A", true); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	roundTrip(t, client)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the jump took %v on loopback", took)
	}
	for name, host := range map[string]*Host{"client": client.Host(), "gateway": gateway.Host()} {
		event := waitForEvent(t, host, jumping.EventTransportSwitch)
		if event.SessionID != id || event.FromTransport != "udp:A" || event.ToTransport != "udp:B" {
			t.Errorf("%s: %v %s -> %s", name, event.SessionID, event.FromTransport, event.ToTransport)
		}
	}
	if client.ID() != id || gateway.ID() != id {
		t.Error("the identity changed")
	}
}

func TestRemovedSocketBecomesAJumpAndANewOneIsUsed(t *testing.T) {
	client, gateway := pair(t, 2)
	go echo(gateway)
	ctx := testContext(t)
	waitForStandby(t, client, 1)
	if err := client.Host().RemoveSocket(ctx, "udp:A"); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, client)
	if err := client.Host().RemoveSocket(ctx, "udp:A"); !errors.Is(err, jumping.ErrTransport) {
		t.Errorf("removed twice: %v", err)
	}
	if err := client.Host().AddSocket(ctx, Socket{Name: "udp:new", Listen: "127.0.0.1:0", Class: jumping.ClassWired}); err != nil {
		t.Fatal(err)
	}
	if err := client.Host().AddSocket(ctx, Socket{Name: "udp:new", Listen: "127.0.0.1:0"}); !errors.Is(err, jumping.ErrExists) {
		t.Errorf("the same name again: %v", err)
	}
	address, err := gateway.Host().LocalAddr(ctx, "udp:A")
	if err != nil {
		t.Fatal(err)
	}
	path, err := client.AddPath(ctx, "udp:new", address)
	if err != nil {
		t.Fatal(err)
	}
	waitForStandby(t, client, 1)
	for client.RequestSwitch(ctx, path) != nil { // denied while the cooldown runs
		if time.Sleep(20 * time.Millisecond); ctx.Err() != nil {
			t.Fatal("the switch stays denied")
		}
	}
	roundTrip(t, client)
	for {
		if event := waitForEvent(t, client.Host(), jumping.EventTransportSwitch); event.ToTransport == "udp:new" {
			break
		}
	}
}

func TestCloseIsFlushedToThePeer(t *testing.T) {
	client, gateway := pair(t, 1)
	ctx := testContext(t)
	for i := 0; i < 10; i++ {
		if err := client.Send(ctx, []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 10; i++ { // what was queued before Close has left before the CLOSE
		payload, err := gateway.Recv(ctx)
		if err != nil || payload[0] != byte(i) {
			t.Fatalf("payload %d: %v, %v", i, payload, err)
		}
	}
	_, err := gateway.Recv(ctx)
	var ended *EndedError
	if !errors.As(err, &ended) || ended.Reason != jumping.ReasonPeerTerminated {
		t.Errorf("the gateway knows %v", err)
	}
	if err := gateway.Send(ctx, nil); !errors.Is(err, jumping.ErrTerminated) || !errors.Is(err, jumping.ErrStateOrPolicy) {
		t.Errorf("send after the end: %v", err)
	}
	if err := gateway.Close(); err != nil {
		t.Errorf("closing an ended session: %v", err)
	}
	if err := client.Send(ctx, nil); !errors.Is(err, jumping.ErrTerminated) {
		t.Errorf("the client's own: %v", err)
	}
	if err := client.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
}

func TestClosedHostTellsEveryPeer(t *testing.T) {
	client, gateway := pair(t, 1)
	if err := gateway.Host().Close(); err != nil {
		t.Fatal(err)
	}
	_, err := client.Recv(testContext(t))
	var ended *EndedError
	if !errors.As(err, &ended) || ended.Reason != jumping.ReasonPeerTerminated {
		t.Errorf("the client knows %v", err)
	}
	if err := client.Close(); err != nil {
		t.Errorf("closing an ended session: %v", err)
	}
}

// A silence of this process is not the path's: the loop that wakes late looks into its sockets before it judges.
func TestStalledLoopDoesNotJump(t *testing.T) {
	client, gateway := pair(t, 2)
	go echo(gateway)
	ctx := testContext(t)
	waitForStandby(t, client, 1)
	received := make(chan struct{}, 1000)
	go func() {
		for {
			if _, err := client.Recv(ctx); err != nil {
				return
			}
			received <- struct{}{}
		}
	}()
	const payloads = 300
	for i := 0; i < payloads; i++ {
		if i%100 == 50 {
			go client.Host().Do(ctx, func(*jumping.Endpoint, jumping.Time) error {
				time.Sleep(300 * time.Millisecond) // what a suspended or starved process looks like
				return nil
			})
		}
		if err := client.Send(ctx, []byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	for i := 0; i < payloads; i++ {
		select {
		case <-received:
		case <-ctx.Done():
			t.Fatalf("%d of %d payloads came back", i, payloads)
		}
	}
	stats, err := client.Stats(ctx)
	// The gateway did hear nothing for a while and may say so (VOLATILE); that is no reason to leave the path.
	if err != nil || stats.Switches != 0 || client.State() == jumping.StateTerminated {
		t.Errorf("%+v, %v, %v", stats, client.State(), err)
	}
}

func TestManyGoroutinesShareSessions(t *testing.T) {
	host, bound := listen(t, Config{ReceiveQueue: 4096}, "127.0.0.1:0", "127.0.0.1:0")
	const sessions, writers, payloads = 4, 3, 50
	ctx := testContext(t)
	var group sync.WaitGroup
	for i := 0; i < sessions; i++ {
		config := dialConfig(bound...)
		config.ReceiveQueue = 4096
		client, err := Dial(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		gateway, err := host.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		go echo(gateway)
		for writer := 0; writer < writers; writer++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for i := 0; i < payloads; i++ {
					if err := client.Send(ctx, []byte("x")); err != nil {
						t.Error(err)
						return
					}
					if i%10 == 0 {
						if _, err := client.Info(ctx); err != nil {
							t.Error(err)
						}
					}
				}
			}()
		}
		for reader := 0; reader < writers; reader++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for i := 0; i < payloads; i++ {
					if _, err := client.Recv(ctx); err != nil {
						t.Errorf("payload %d: %v; %+v", i, err, client.Counters())
						return
					}
				}
			}()
		}
	}
	group.Wait()
	if stats, err := host.Stats(ctx); err != nil || stats.HandshakesCompleted != sessions {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestSlowReadersOnlyLoseTheirOwn(t *testing.T) {
	host, bound := listen(t, Config{EventQueue: 1, ReceiveQueue: 8}, "127.0.0.1:0")
	client, err := Dial(testContext(t), dialConfig(bound[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := testContext(t)
	gateway, err := host.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 50; i++ {
		if err := client.Send(ctx, []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for gateway.Counters().ReceivesDropped != 42 {
		if time.Sleep(5 * time.Millisecond); ctx.Err() != nil {
			t.Fatalf("%+v", gateway.Counters())
		}
	}
	for i := 0; i < 8; i++ {
		if payload, err := gateway.Recv(ctx); err != nil || payload[0] != byte(i) {
			t.Errorf("payload %d: %v, %v", i, payload, err)
		}
	}
	if host.EventsDropped() == 0 {
		t.Error("a full event queue dropped nothing")
	}
}

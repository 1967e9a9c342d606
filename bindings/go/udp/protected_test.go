package udp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"jumping"
)

// protectedPair is a session over two paths between hosts with small buffers.
func protectedPair(t *testing.T, receiveQueue int) (client, gateway *Session) {
	t.Helper()
	config := jumping.DefaultConfig()
	config.SendBuffer, config.ReceiveBuffer = 1<<16, 1<<16
	host, bound := listen(t, Config{Endpoint: &config, ReceiveQueue: receiveQueue}, "127.0.0.1:0", "127.0.0.1:0")
	dial := dialConfig(bound...)
	dial.Endpoint = &config
	client, err := Dial(testContext(t), dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if gateway, err = host.Accept(testContext(t)); err != nil {
		t.Fatal(err)
	}
	waitForStandby(t, client, 1)
	return client, gateway
}

func mute(t *testing.T, session *Session, isMuted bool) {
	t.Helper()
	for _, name := range []string{"udp:A", "udp:B"} {
		if err := session.Host().MuteSocket(testContext(t), name, isMuted); err != nil {
			t.Fatal(err)
		}
	}
}

// fill sends payloads of 20,000 bytes until the send buffer is full: 3 of them.
func fill(t *testing.T, session *Session) {
	t.Helper()
	for i := 0; i < 3; i++ {
		if err := session.SendProtected(testContext(t), bytes.Repeat([]byte{byte(i)}, 20_000), PayloadOptions{Channel: 1}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBothKindsOfPayloadsComeOutOfRecvAndTellWhichTheyAre(t *testing.T) {
	client, gateway := protectedPair(t, 0)
	ctx := testContext(t)
	long := bytes.Repeat([]byte("0123456789"), 5000)
	for _, step := range []func() error{
		func() error { return client.Send(ctx, []byte("expendable")) },
		func() error { return client.SendProtected(ctx, []byte("unordered"), PayloadOptions{Report: true}) },
		func() error { return client.SendProtected(ctx, long, PayloadOptions{Channel: 7, Report: true}) },
		func() error { return client.SendProtected(ctx, nil, PayloadOptions{Channel: 7, Report: true}) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	for _, expected := range []Payload{{[]byte("expendable"), false, 0}, {[]byte("unordered"), true, 0}} {
		got, err := gateway.RecvPayload(ctx)
		if err != nil || !bytes.Equal(got.Bytes, expected.Bytes) || got.IsProtected != expected.IsProtected || got.Channel != expected.Channel {
			t.Errorf("%+v, %v, expected %+v", got, err, expected)
		}
	}
	if length, err := gateway.RecvInto(ctx, make([]byte, 100)); err == nil || length != len(long) {
		t.Errorf("a short buffer: %d, %v", length, err)
	}
	if got, err := gateway.RecvPayload(ctx); err != nil || !bytes.Equal(got.Bytes, long) || got.Channel != 7 {
		t.Errorf("%d bytes of channel %d, %v", len(got.Bytes), got.Channel, err)
	}
	if got, err := gateway.Recv(ctx); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAJumpLosesNoProtectedPayload(t *testing.T) {
	client, gateway := protectedPair(t, 0)
	ctx := testContext(t)
	const count = 300
	go func() {
		for i := 0; i < count; i++ {
			if i == 100 {
				client.Host().MuteSocket(ctx, "udp:A", true)
			}
			if client.SendProtected(ctx, []byte(fmt.Sprint(i)), PayloadOptions{Channel: 2}) != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	for i := 0; i < count; i++ {
		if payload, err := gateway.Recv(ctx); err != nil || string(payload) != fmt.Sprint(i) {
			t.Fatalf("payload %d: %q, %v", i, payload, err)
		}
	}
	if event := waitForEvent(t, client.Host(), jumping.EventTransportSwitch); event.ToTransport != "udp:B" {
		t.Errorf("to %s", event.ToTransport)
	}
}

func TestSendersWaitForRoomAndAreLetGo(t *testing.T) {
	client, gateway := protectedPair(t, 0)
	mute(t, client, true)
	fill(t, client)
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := client.SendProtected(short, make([]byte, 20_000), PayloadOptions{Channel: 1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a full buffer: %v", err)
	}
	done := make(chan error, 5)
	for i := 3; i < 8; i++ {
		payload := bytes.Repeat([]byte{byte(i)}, 20_000)
		go func() { done <- client.SendProtected(context.Background(), payload, PayloadOptions{Channel: 1}) }()
		time.Sleep(20 * time.Millisecond) // so that their order is known
	}
	if len(done) != 0 {
		t.Fatal("a sender did not wait")
	}
	mute(t, client, false)
	ctx := testContext(t)
	for i := 0; i < 8; i++ { // what was given up is not among them
		if payload, err := gateway.Recv(ctx); err != nil || len(payload) != 20_000 || payload[0] != byte(i) {
			t.Fatalf("payload %d: %.1v, %v", i, payload, err)
		}
	}
	for i := 0; i < 5; i++ {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestReportsOfProtectedPayloads(t *testing.T) {
	client, gateway := protectedPair(t, 0)
	ctx := testContext(t)
	var all sync.WaitGroup
	for i := 0; i < 500; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := client.SendProtected(ctx, []byte("x"), PayloadOptions{Report: true}); err != nil {
				t.Error(err)
			}
		}()
	}
	for i := 0; i < 500; i++ {
		if _, err := gateway.Recv(ctx); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	mute(t, client, true)
	options := PayloadOptions{TimeToLive: 30 * time.Millisecond, Report: true}
	if err := client.SendProtected(ctx, []byte("perishable"), options); !errors.Is(err, ErrExpired) {
		t.Errorf("too old: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	if err := client.SendProtected(short, []byte("on its way"), PayloadOptions{Report: true}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who stops waiting: %v", err)
	}
	mute(t, client, false)
	if payload, err := gateway.Recv(ctx); err != nil || string(payload) != "on its way" {
		t.Errorf("%q, %v", payload, err)
	}
}

func TestTheEndOfASessionEndsEveryWait(t *testing.T) {
	for name, end := range map[string]func(client, gateway *Session) error{
		"this side closes": func(client, gateway *Session) error {
			return client.Do(context.Background(), func(session jumping.Session, now jumping.Time) error {
				return session.Close(jumping.ReasonOperatorTerminated, now)
			})
		},
		"the host closes": func(client, gateway *Session) error { return client.Host().Close() },
	} {
		client, gateway := protectedPair(t, 0)
		mute(t, client, true)
		fill(t, client)
		done := make(chan error, 3)
		for i := 0; i < 3; i++ {
			go func() {
				done <- client.SendProtected(context.Background(), make([]byte, 20_000), PayloadOptions{Report: true})
			}()
		}
		time.Sleep(30 * time.Millisecond)
		if err := end(client, gateway); err != nil {
			t.Fatal(name, err)
		}
		for i := 0; i < 3; i++ {
			var ended *EndedError
			if err := <-done; !errors.As(err, &ended) && !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := client.SendProtected(context.Background(), nil, PayloadOptions{}); err == nil {
			t.Errorf("%s: sent after the end", name)
		}
	}
	client, gateway := protectedPair(t, 0)
	ctx := testContext(t)
	go func() {
		time.Sleep(30 * time.Millisecond)
		gateway.Close()
	}()
	var err error
	for err == nil {
		err = client.SendProtected(ctx, make([]byte, 20_000), PayloadOptions{Report: true})
	}
	var ended *EndedError
	if !errors.As(err, &ended) || ended.Reason != jumping.ReasonPeerTerminated {
		t.Errorf("the peer closes: %v", err)
	}
}

func TestSlowReadersLoseNothingAndHoldTheirSenderAlone(t *testing.T) {
	client, gateway := protectedPair(t, 8)
	ctx := testContext(t)
	const count = 1000
	var sent sync.WaitGroup
	sent.Add(1)
	go func() {
		defer sent.Done()
		for i := 0; i < count; i++ {
			if err := client.SendProtected(ctx, append([]byte(fmt.Sprintf("%04d", i)), make([]byte, 500)...), PayloadOptions{Channel: 1}); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	time.Sleep(300 * time.Millisecond)
	gateway.inbox.mutex.Lock()
	waiting := gateway.inbox.count
	gateway.inbox.mutex.Unlock()
	if info, err := gateway.Info(ctx); err != nil || waiting > 8+batchSize || info.ReceiveBuffered < 1<<15 {
		t.Errorf("%d in the queue, %d bytes in the library, %v", waiting, info.ReceiveBuffered, err)
	}
	if err := gateway.SendProtected(ctx, []byte("the other way"), PayloadOptions{Report: true}); err != nil {
		t.Errorf("the other way: %v", err)
	}
	for i := 0; i < count; i++ {
		if payload, err := gateway.Recv(ctx); err != nil || string(payload[:4]) != fmt.Sprintf("%04d", i) {
			t.Fatalf("payload %d: %.4q, %v", i, payload, err)
		}
	}
	sent.Wait()
	if dropped := gateway.Counters().ReceivesDropped; dropped != 0 {
		t.Errorf("%d dropped", dropped)
	}
}

func TestWhatHasArrivedWhenTheSessionEndsIsStillReceived(t *testing.T) {
	client, gateway := protectedPair(t, 2)
	ctx := testContext(t)
	for i := 0; i < 20; i++ {
		if err := client.SendProtected(ctx, []byte{byte(i)}, PayloadOptions{Channel: 1, Report: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	<-gateway.Ended()
	for i := 0; i < 20; i++ {
		if payload, err := gateway.Recv(ctx); err != nil || payload[0] != byte(i) {
			t.Fatalf("payload %d: %v, %v", i, payload, err)
		}
	}
	if _, err := gateway.Recv(ctx); !errors.Is(err, jumping.ErrTerminated) {
		t.Errorf("after the last: %v", err)
	}
}

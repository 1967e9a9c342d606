package udp

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"jumping"
)

func TestInvalidConfigurationsAreRefused(t *testing.T) {
	policy := jumping.DefaultPolicy()
	policy.ReplayWindow = 3
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, config := range map[string]Config{
		"MaxDatagram":     {MaxDatagram: 100},
		"negative queue":  {SendQueue: -1},
		"policy":          {Policy: &policy},
		"PSK":             {PSKs: []PSK{{"x", jumping.Key{}}}},
		"twice the name":  {Sockets: []Socket{{Name: "a", Listen: "127.0.0.1:0"}, {Name: "a", Listen: "127.0.0.1:0"}}},
		"taken port":      {Sockets: []Socket{{Listen: taken.LocalAddr().String()}}},
		"MTU":             {Sockets: []Socket{{Listen: "127.0.0.1:0", MTU: 9000}}},
		"not an address":  {Sockets: []Socket{{Listen: "nonsense"}}},
		"setup":           {Setup: func(*jumping.Endpoint, jumping.Time) error { return errors.New("no") }},
		"name too long":   {Sockets: []Socket{{Name: "a name beyond fifteen", Listen: "127.0.0.1:0"}}},
		"zero static key": {StaticKey: &jumping.Key{}},
	} {
		if host, err := NewHost(testContext(t), config); err == nil {
			host.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestClosedHostAnswersErrClosed(t *testing.T) {
	host, _ := listen(t, Config{}, "127.0.0.1:0")
	waiting := make(chan error, 1)
	go func() {
		_, err := host.Accept(context.Background())
		waiting <- err
	}()
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	_, statsError := host.Stats(ctx)
	_, acceptError := host.Accept(ctx)
	for name, err := range map[string]error{"waiting Accept": <-waiting, "Accept": acceptError, "Close": host.Close(),
		"Stats": statsError, "AddSocket": host.AddSocket(ctx, Socket{Name: "x", Listen: "127.0.0.1:0"}),
		"RemoveSocket": host.RemoveSocket(ctx, "udp:A"), "HintSocket": host.HintSocket(ctx, "udp:A", false)} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, isOpen := <-host.Events(); isOpen {
		for range host.Events() {
		}
	}
}

func TestListenEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	host, err := Listen(ctx, Config{Sockets: []Socket{{Listen: "127.0.0.1:0"}}})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-host.Done():
	case <-time.After(testPatience):
		t.Fatal("it runs on")
	}
}

func TestContextsEndWaiting(t *testing.T) {
	client, gateway := pair(t, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := client.Recv(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Recv: %v", err)
	}
	if _, err := gateway.Host().Accept(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Accept: %v", err)
	}
}

func TestAdmissionIsAsked(t *testing.T) {
	endpoint := jumping.DefaultConfig()
	endpoint.Flags = jumping.ConfigAccept | jumping.ConfigAsk
	var asked []string
	host, bound := listen(t, Config{Endpoint: &endpoint, PSKs: []PSK{}, Admit: func(event *jumping.Event) Admission {
		asked = append(asked, event.Hint)
		key := testKey(7)
		return Admission{Accept: event.Hint == "friend", PSK: &key}
	}}, "127.0.0.1:0")
	config := dialConfig(bound[0])
	config.Hint = "friend"
	friend, err := Dial(testContext(t), config)
	if err != nil {
		t.Fatal(err)
	}
	friend.Close()
	config.Hint, config.HandshakeTimeout = "stranger", 300*time.Millisecond
	if _, err := Dial(testContext(t), config); !errors.Is(err, jumping.ErrTerminated) {
		t.Errorf("a stranger: %v", err)
	}
	host.Close() // Admit runs in the loop: afterwards its work may be read
	if len(asked) < 2 || asked[0] != "friend" || asked[len(asked)-1] != "stranger" {
		t.Errorf("asked for %q", asked)
	}
}

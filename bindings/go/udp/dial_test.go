package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"jumping"
)

func TestDialGoesOnWhenTheFirstPathIsDead(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, bound := listen(t, Config{}, "127.0.0.1:0")
	config := dialConfig(silent.LocalAddr().String(), bound[0])
	config.HandshakeTimeout = 300 * time.Millisecond
	client, err := Dial(testContext(t), config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	info, err := client.Info(testContext(t))
	if err != nil || info.State != jumping.StateAttached || info.PathCount != 2 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestIPv6AndIPv4ServeOneSession(t *testing.T) {
	if probe, err := net.ListenPacket("udp", "[::1]:0"); err != nil {
		t.Skip("this machine has no IPv6 loopback")
	} else {
		probe.Close()
	}
	host, bound := listen(t, Config{}, "127.0.0.1:0", "[::1]:0")
	config := dialConfig(bound...)
	config.Sockets = nil
	client, err := Dial(testContext(t), config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	gateway, err := host.Accept(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	go echo(gateway)
	waitForStandby(t, client, 1)
	if err := client.Host().MuteSocket(testContext(t), "udp:A", true); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, client)
}

func TestWrongKeyAndCancelledDialsEnd(t *testing.T) {
	_, bound := listen(t, Config{}, "127.0.0.1:0")
	config := dialConfig(bound[0])
	config.PSK, config.HandshakeTimeout = testKey(8), 300*time.Millisecond
	_, err := Dial(testContext(t), config)
	var ended *EndedError
	if !errors.As(err, &ended) || ended.Reason != jumping.ReasonHandshakeFailed || !errors.Is(err, jumping.ErrTerminated) {
		t.Errorf("a wrong PSK: %v", err)
	}
	config.HandshakeTimeout = 0
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, config); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cancelled dial: %v", err)
	}
	if _, err := Dial(ctx, DialConfig{}); !errors.Is(err, ErrNoGateway) {
		t.Errorf("no gateway: %v", err)
	}
	config.PSK = jumping.Key{}
	if _, err := Dial(testContext(t), config); !errors.Is(err, jumping.ErrKey) {
		t.Errorf("no key: %v", err)
	}
}

func TestPathsPairSocketsAndGateways(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("[2001:db8::1]:2")
	got := fmt.Sprint(pathsOver([]Socket{{Name: "one"}, {}, {}}, []netip.AddrPort{a, b}))
	if expected := fmt.Sprint([]path{{"one", a}, {"udp:B", b}, {"udp:C", a}}); got != expected {
		t.Errorf("%s, expected %s", got, expected)
	}
	sockets := socketsFor([]netip.AddrPort{a, b})
	if sockets[0].Listen != "0.0.0.0:0" || sockets[1].Listen != "[::]:0" {
		t.Errorf("%+v", sockets)
	}
	if name := DefaultSocketName(26); name != "udp:26" {
		t.Error(name)
	}
}

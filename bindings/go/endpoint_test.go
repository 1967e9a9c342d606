package jumping

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestLoadedLibraryFitsThePackage(t *testing.T) {
	if err := CheckABI(); err != nil {
		t.Error(err)
	}
	if err := Init(); err != nil {
		t.Error(err)
	}
	if Version() == "" {
		t.Error("no version")
	}
	if suites, err := AvailableSuites(); err != nil || suites&SuiteChaCha20Poly1305 == 0 {
		t.Errorf("suites %v, %v", suites, err)
	}
}

func TestNamesAreTheLibrarys(t *testing.T) {
	for got, expected := range map[string]string{
		StateAttached.String(): "ATTACHED", State(999).String(): "UNKNOWN",
		ReasonLossThresholdExceeded.String(): "loss_threshold_exceeded", Reason(999).String(): "unknown",
		EventTransportSwitch.String(): "TransportSwitch", EventType(999).String(): "Unknown",
		DropBadTag.String(): "bad_tag", SuiteAES256GCM.String(): "AES-256-GCM", SuiteAll.String(): "none",
		PathStandby.String(): "standby", RoleGateway.String(): "gateway", Role(9).String(): "unknown",
	} {
		if got != expected {
			t.Errorf("%q, expected %q", got, expected)
		}
	}
}

func TestStatusesWorkWithErrorsIs(t *testing.T) {
	families := map[Domain][]Status{
		ErrUsage:         {ErrNull, ErrArgument, ErrSession, ErrNotFound},
		ErrStateOrPolicy: {ErrState, ErrPolicy, ErrTerminated, ErrRole},
		ErrLimits:        {ErrAgain, ErrSessionLimit, ErrRateLimited},
		ErrCryptography:  {ErrCrypto, ErrSuite, ErrKey},
		ErrInternalFault: {ErrInternal, ErrMemory},
	}
	for domain, statuses := range families {
		for _, status := range statuses {
			err := statusError(int32(status))
			if !errors.Is(err, status) || status.Error() == "" {
				t.Errorf("%v is not itself", status)
			}
			for other := range families {
				if errors.Is(err, other) != (other == domain) {
					t.Errorf("%v and domain %v", status, other)
				}
			}
		}
	}
	if errors.Is(OK, Domain(0)) || statusError(0) != nil {
		t.Error("success is an error")
	}
	if err := statusError(-12345); !errors.Is(err, Status(-12345)) {
		t.Errorf("an unknown status became %v", err)
	}
}

func TestClosedEndpointAnswersErrClosed(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	session, _ := n.establish()
	e := n.client.endpoint
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var none *Endpoint
	var received Received
	var datagram Datagram
	var event Event
	first := func(_ any, err error) error { return err }
	calls := map[string]error{
		"Close": e.Close(), "AddPSK": e.AddPSK("", testKey(1)), "RemovePSK": e.RemovePSK(""),
		"SetStaticKey": e.SetStaticKey(testKey(1)), "AddClientKey": e.AddClientKey(testKey(1), nil),
		"RemoveClientKey": e.RemoveClientKey(testKey(1)), "SetWallClock": e.SetWallClock(0),
		"AddTransport":    first(e.AddTransport(DefaultTransportConfig("x"), n.now)),
		"RemoveTransport": e.RemoveTransport(0, n.now), "HintTransport": e.HintTransport(0, true, n.now),
		"SetTransport": e.SetTransport(0, DefaultTransportConfig("udp:A"), n.now),
		"NextTimeout":  first(e.NextTimeout()), "HandleTimeout": e.HandleTimeout(n.now), "Stats": first(e.Stats()),
		"Receive":      e.Receive(0, n.gateway.addresses[0], []byte{1}, n.now, &received),
		"PollTransmit": e.PollTransmit(n.now, make([]byte, 2000), &datagram), "PollEvent": e.PollEvent(&event),
		"Unsent": e.Unsent(1, 1, n.now), "Connect": first(e.Connect(n.connectConfig(), n.now)),
		"SendBatch":    first(e.SendBatch(make([]SendItem, 1), nil, n.now, nil)),
		"ReceiveBatch": e.ReceiveBatch(make([]ReceiveItem, 1), nil, n.now),
		"Send":         session.Send(nil, n.now, make([]byte, 200), &datagram), "Accept": session.Accept(nil, n.now),
		"Refuse": session.Refuse(n.now), "Session.Close": session.Close(ReasonOperatorTerminated, n.now),
		"Info": first(session.Info()), "Session.Stats": first(session.Stats()), "Paths": first(session.Paths()),
		"AddPath": first(session.AddPath(0, n.gateway.addresses[0], n.now)), "RemovePath": session.RemovePath(0, n.now),
		"RequestSwitch": session.RequestSwitch(PathNone, n.now), "SetPolicy": session.SetPolicy(DefaultPolicy(), n.now),
		"Policy": first(session.Policy()), "Rekey": session.Rekey(n.now), "Explain": first(session.Explain(n.now)),
		"zero session": Session{}.Rekey(n.now), "nil endpoint": none.HandleTimeout(n.now),
		"zero endpoint": new(Endpoint).HandleTimeout(n.now),
	}
	for name, err := range calls {
		if err != ErrClosed || !errors.Is(err, ErrEndpoint) || !errors.Is(err, ErrUsage) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func TestInvalidFieldsAreNamed(t *testing.T) {
	long := strings.Repeat("x", 40)
	policies := map[string]func(p *Policy){
		"max_consecutive_drops": func(p *Policy) { p.MaxConsecutiveDrops = 1 },
		"replay_window":         func(p *Policy) { p.ReplayWindow = 1000 },
		"max_lifetime":          func(p *Policy) { p.MaxLifetime = -time.Second },
		"version":               func(p *Policy) { p.Version = long },
	}
	for field, change := range policies {
		policy := DefaultPolicy()
		if err := policy.Check(); err != nil {
			t.Fatal(err)
		}
		change(&policy)
		checkFieldError(t, policy.Check(), ErrPolicy, field)
		_, err := NewEndpoint(nil, &policy, Now())
		checkFieldError(t, err, ErrPolicy, field)
	}
	configs := map[string]func(c *Config){
		"event_capacity":        func(c *Config) { c.EventCapacity = 1 },
		"telemetry_interval_ms": func(c *Config) { c.TelemetryInterval = -time.Second },
		"node_id":               func(c *Config) { c.NodeID = "a\x00b" },
	}
	for field, change := range configs {
		config := DefaultConfig()
		change(&config)
		checkFieldError(t, config.Check(), ErrArgument, field)
		_, err := NewEndpoint(&config, nil, Now())
		checkFieldError(t, err, ErrArgument, field)
	}
	n := newNetwork(t, 1, nil, nil, nil)
	_, err := n.client.endpoint.AddTransport(DefaultTransportConfig(long), n.now)
	checkFieldError(t, err, ErrArgument, "name")
	connect := n.connectConfig()
	connect.Hint = long
	_, err = n.client.endpoint.Connect(connect, n.now)
	checkFieldError(t, err, ErrArgument, "hint")
}

func checkFieldError(t *testing.T, err error, status Status, field string) {
	t.Helper()
	var fieldError *FieldError
	if !errors.As(err, &fieldError) || !errors.Is(err, status) || !strings.Contains(fieldError.Message, field) {
		t.Errorf("expected %v about %s, got %v", status, field, err)
	}
}

func TestHostMistakesAreErrors(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, _ := n.establish()
	e := n.client.endpoint
	first := func(_ any, err error) error { return err }
	var received Received
	for name, pair := range map[string][2]error{
		"stale handle":       {first(e.Session(77).Info()), ErrSession},
		"no such transport":  {e.RemoveTransport(9, n.now), ErrTransport},
		"no such path":       {client.RemovePath(99, n.now), ErrPath},
		"name taken":         {first(e.AddTransport(DefaultTransportConfig("udp:A"), n.now)), ErrExists},
		"other's name":       {e.SetTransport(0, DefaultTransportConfig("udp:Z"), n.now), ErrArgument},
		"no address":         {e.Receive(0, Address{}, []byte{1}, n.now, &received), ErrArgument},
		"no received":        {e.Receive(0, n.gateway.addresses[0], []byte{1}, n.now, nil), ErrNull},
		"no datagram":        {e.PollTransmit(n.now, make([]byte, 2000), nil), ErrNull},
		"no event":           {e.PollEvent(nil), ErrNull},
		"no buffer":          {client.Send([]byte("x"), n.now, nil, new(Datagram)), ErrNull},
		"short buffer":       {client.Send([]byte("x"), n.now, make([]byte, 10), new(Datagram)), ErrBufferTooSmall},
		"too long":           {client.Send(make([]byte, 5000), n.now, make([]byte, 6000), new(Datagram)), ErrTooLong},
		"no such PSK":        {e.RemovePSK("nobody"), ErrNotFound},
		"long hint":          {e.AddPSK(strings.Repeat("h", 33), testKey(1)), ErrArgument},
		"zero PSK":           {e.AddPSK("zero", Key{}), ErrKey},
		"path there already": {first(client.AddPath(0, n.gateway.addresses[0], n.now)), ErrExists},
		"not waiting":        {client.Accept(nil, n.now), ErrState},
	} {
		if !errors.Is(pair[0], pair[1]) {
			t.Errorf("%s: %v, expected %v", name, pair[0], pair[1])
		}
	}
}

func TestBadDatagramsAreCountedNotErrors(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	n.establish()
	var received Received
	if err := n.gateway.endpoint.Receive(0, n.client.addresses[0], []byte{0x40, 1, 2}, n.now, &received); err != nil {
		t.Fatal(err)
	}
	if received.Kind != ReceivedNothing || received.DropCause != DropTooShort {
		t.Errorf("%+v", received)
	}
	stats, err := n.gateway.endpoint.Stats()
	if err != nil || stats.Dropped[DropTooShort] != 1 || stats.HandshakesCompleted != 1 || stats.Seeded {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestSeededEndpointsRepeatThemselves(t *testing.T) {
	first, second := seededINIT(t, testKey(3)), seededINIT(t, testKey(3))
	if len(first) == 0 || !bytes.Equal(first, second) {
		t.Error("the same seed gave other bytes")
	}
	if bytes.Equal(first, seededINIT(t, testKey(4))) {
		t.Error("another seed gave the same bytes")
	}
	route, err := RouteDatagram(first)
	if err != nil || route.Kind != DatagramInit || route.HandshakeID == 0 {
		t.Errorf("%+v, %v", route, err)
	}
	if _, err := RouteDatagram([]byte{0}); !errors.Is(err, ErrArgument) {
		t.Errorf("not ours: %v", err)
	}
	if _, err := RouteDatagram(nil); !errors.Is(err, ErrUsage) {
		t.Errorf("nothing: %v", err)
	}
}

func seededINIT(t *testing.T, seed Key) []byte {
	config := DefaultConfig()
	config.Suites = SuiteChaCha20Poly1305
	endpoint, err := NewSeededEndpoint(&config, nil, seed, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	defer endpoint.Close()
	node := attachLinks(t, endpoint, 1_000_000, "10.0.0.", 1)
	connect := DefaultConnectConfig(0, node.addresses[0])
	connect.PSK = testKey(7)
	if _, err := endpoint.Connect(connect, 1_000_000); err != nil {
		t.Fatal(err)
	}
	var datagram Datagram
	if err := endpoint.PollTransmit(1_000_000, node.buffer, &datagram); err != nil {
		t.Fatal(err)
	}
	return node.buffer[:datagram.Length]
}

func TestKeys(t *testing.T) {
	public, secret, err := KeyPair()
	if err != nil {
		t.Fatal(err)
	}
	if derived, err := PublicKey(secret); err != nil || derived != public {
		t.Errorf("%v, %v", derived, err)
	}
	one, err := PSKFromPassphrase("correct horse", "realm", "hint")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := PSKFromPassphrase("correct horse", "realm", "hint"); err != nil || again != one {
		t.Error("the same passphrase gave another key", err)
	}
	if other, err := PSKFromPassphrase("correct horse", "realm", "other"); err != nil || other == one {
		t.Error("another hint gave the same key", err)
	}
	if _, err := PSKFromPassphrase("", "", ""); !errors.Is(err, ErrUsage) {
		t.Errorf("no passphrase: %v", err)
	}
	if one.Wipe(); one != (Key{}) {
		t.Error("a wiped key is there still")
	}
}

func TestAddresses(t *testing.T) {
	for _, text := range []string{"192.0.2.7:4000", "[2001:db8::1]:65535", "[fe80::1%eth0]:1"} {
		remote := netip.MustParseAddrPort(text)
		address, err := AddressFromAddrPort(remote)
		if err != nil {
			t.Fatal(err)
		}
		if back, isIP := address.AddrPort(); !isIP || back != remote || address.String() != text {
			t.Errorf("%v became %v", remote, back)
		}
	}
	four, _ := AddressFromAddrPort(netip.MustParseAddrPort("192.0.2.7:258"))
	if mapped, _ := AddressFromAddrPort(netip.MustParseAddrPort("[::ffff:192.0.2.7]:258")); mapped != four {
		t.Error("a mapped address differs from its own")
	}
	if !bytes.Equal(four.Bytes(), []byte{192, 0, 2, 7, 1, 2}) || four.PrefixLength() != 4 {
		t.Errorf("%v", four.Bytes())
	}
	if own, err := NewAddress([]byte{1, 2, 3}, 2); err != nil || own.String() != "0x010203" || !own.IsValid() {
		t.Error(own, err)
	}
	for name, err := range map[string]error{
		"empty":      onlyError(NewAddress(nil, 0)),
		"too long":   onlyError(NewAddress(make([]byte, 33), 0)),
		"prefix":     onlyError(NewAddress([]byte{1}, 2)),
		"zero value": onlyError(AddressFromAddrPort(netip.AddrPort{})),
		"long zone":  onlyError(AddressFromAddrPort(netip.MustParseAddrPort("[fe80::1%a-very-long-zone]:1"))),
	} {
		if !errors.Is(err, ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func onlyError(_ Address, err error) error { return err }

func TestTime(t *testing.T) {
	if a, b := Now(), Now(); a == 0 || b < a {
		t.Error(a, b)
	}
	if wall := time.UnixMicro(int64(Now())).Add(WallClockOffset()); time.Since(wall).Abs() > time.Minute {
		t.Errorf("the wall clock shows %v", wall)
	}
	for _, sum := range []struct {
		from     Time
		step     time.Duration
		expected Time
	}{
		{10, 5 * time.Microsecond, 15}, {10, -4 * time.Microsecond, 6}, {10, -time.Hour, 0},
		{TimeNone - 1, time.Hour, TimeNone}, {TimeNone, -time.Hour, TimeNone}, {10, 999, 10},
	} {
		if got := sum.from.Add(sum.step); got != sum.expected {
			t.Errorf("%d + %v = %d", sum.from, sum.step, got)
		}
	}
	if d := Time(5).Sub(8); d != -3*time.Microsecond {
		t.Error(d)
	}
	if d := Time(TimeNone).Sub(0); d != math.MaxInt64 {
		t.Error(d)
	}
}

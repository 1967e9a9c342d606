package jumping

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSessionCarriesPayloadsBothWays(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, gateway := n.establish()
	if err := n.send(n.client, client, "ping"); err != nil {
		t.Fatal(err)
	}
	if err := n.send(n.gateway, gateway, ""); err != nil {
		t.Fatal(err)
	}
	n.run(100 * time.Millisecond)
	if len(n.gateway.payloads) != 1 || n.gateway.payloads[0] != "ping" {
		t.Errorf("the gateway got %q", n.gateway.payloads)
	}
	if len(n.client.payloads) != 1 || n.client.payloads[0] != "" {
		t.Errorf("the client got %q", n.client.payloads)
	}
	clientInfo, err := client.Info()
	if err != nil {
		t.Fatal(err)
	}
	gatewayInfo, err := gateway.Info()
	if err != nil {
		t.Fatal(err)
	}
	if clientInfo.ID != gatewayInfo.ID || clientInfo.ID == (SessionID{}) {
		t.Errorf("ids %v and %v", clientInfo.ID, gatewayInfo.ID)
	}
	if clientInfo.State != StateAttached || clientInfo.Role != RoleClient || gatewayInfo.Role != RoleGateway {
		t.Errorf("%v %v %v", clientInfo.State, clientInfo.Role, gatewayInfo.Role)
	}
	if clientInfo.Label != "test" || gatewayInfo.Label != "test" || !gatewayInfo.Confirmed {
		t.Errorf("labels %q %q, confirmed %v", clientInfo.Label, gatewayInfo.Label, gatewayInfo.Confirmed)
	}
	if clientInfo.SmoothedRTT < 2*testDelay || clientInfo.SmoothedRTT > 3*testDelay {
		t.Errorf("smoothed RTT %v on a path of %v", clientInfo.SmoothedRTT, 2*testDelay)
	}
}

func TestDeadTransportBecomesAJumpWithTheSameIdentity(t *testing.T) {
	n := newNetwork(t, 2, nil, nil, nil)
	client, gateway := n.establish()
	before, err := client.Info()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 400; i++ {
		if i == 200 {
			n.isCut[0] = true
		}
		if err := n.send(n.client, client, "x"); err != nil {
			t.Fatalf("payload %d: %v", i, err)
		}
		n.run(5 * time.Millisecond)
	}
	jump := n.gateway.last(EventTransportSwitch)
	if jump == nil {
		t.Fatalf("no jump; client: %v", n.client.kinds())
	}
	if jump.FromTransport != "udp:A" || jump.ToTransport != "udp:B" || !jump.Explicit || !jump.Auditable {
		t.Errorf("the jump is %+v", jump)
	}
	if jump.SessionID != before.ID || jump.ToAddress != n.client.addresses[1] {
		t.Errorf("id %v (was %v), address %v", jump.SessionID, before.ID, jump.ToAddress)
	}
	after, err := gateway.Info()
	if err != nil {
		t.Fatal(err)
	}
	if after.ID != before.ID || after.State != StateAttached || after.StateVersion <= before.StateVersion {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if lost := 400 - len(n.gateway.payloads); lost < 1 || lost > 40 {
		t.Errorf("%d of 400 payloads lost", lost)
	}
	paths, err := client.Paths()
	if err != nil || len(paths) != 2 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		if isActive := path.Role == PathActive; isActive != (path.Name == "udp:B") {
			t.Errorf("path %s is %v", path.Name, path.Role)
		}
	}
	explanation, err := client.Explain(n.now)
	if err != nil || !strings.Contains(explanation, "udp:B") {
		t.Errorf("explanation %q, %v", explanation, err)
	}
	stats, err := client.Stats()
	if err != nil || stats.Switches != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestPlannedHandover(t *testing.T) {
	n := newNetwork(t, 2, nil, nil, nil)
	client, _ := n.establish()
	n.run(3 * time.Second)
	if err := client.RequestSwitch(PathNone, n.now); err != nil {
		t.Fatal(err)
	}
	n.drain()
	n.run(time.Second)
	jump := n.client.last(EventTransportSwitch)
	if jump == nil || jump.ToTransport != "udp:B" {
		t.Fatalf("no handover: %v", n.client.kinds())
	}
	if err := client.RequestSwitch(0xFFFF, n.now); !errors.Is(err, ErrPath) {
		t.Errorf("a path that is none: %v", err)
	}
}

func TestCloseTellsThePeer(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, gateway := n.establish()
	if err := client.Close(ReasonNone, n.now); !errors.Is(err, ErrArgument) {
		t.Errorf("a reason that is none: %v", err)
	}
	if err := client.Close(ReasonOperatorTerminated, n.now); err != nil {
		t.Fatal(err)
	}
	n.drain()
	n.run(100 * time.Millisecond)
	ended := n.gateway.last(EventSessionTerminated)
	if ended == nil || ended.Reason != ReasonPeerTerminated || ended.Age <= 0 {
		t.Fatalf("the gateway knows %+v", ended)
	}
	for name, session := range map[string]Session{"client": client, "gateway": gateway} {
		if err := session.Send(nil, n.now, make([]byte, 200), new(Datagram)); !errors.Is(err, ErrTerminated) {
			t.Errorf("%s: send after the end: %v", name, err)
		}
		if info, err := session.Info(); err != nil || info.State != StateTerminated {
			t.Errorf("%s: %v %v", name, info.State, err)
		}
	}
	if err := client.Close(ReasonOperatorTerminated, n.now); !errors.Is(err, ErrTerminated) || !errors.Is(err, ErrStateOrPolicy) {
		t.Errorf("a second close: %v", err)
	}
}

func TestPolicyOfALiveSessionIsReplacedByTheGateway(t *testing.T) {
	policy := DefaultPolicy()
	policy.MaxConsecutiveDrops = 5
	policy.Version = "go-1"
	n := newNetwork(t, 1, nil, nil, &policy)
	client, gateway := n.establish()
	negotiated, err := client.Policy()
	if err != nil || negotiated.MaxConsecutiveDrops != 5 || negotiated.Version != "go-1" {
		t.Fatalf("%+v, %v", negotiated, err)
	}
	policy.Version, policy.LossWindow = "go-2", 3*time.Second
	if err := gateway.SetPolicy(policy, n.now); err != nil {
		t.Fatal(err)
	}
	if err := client.SetPolicy(policy, n.now); !errors.Is(err, ErrRole) {
		t.Errorf("a client's policy: %v", err)
	}
	n.drain()
	n.run(time.Second)
	if negotiated, err = client.Policy(); err != nil || negotiated.Version != "go-2" || negotiated.LossWindow != 3*time.Second {
		t.Errorf("%+v, %v", negotiated, err)
	}
	if n.client.last(EventPolicyChanged) == nil {
		t.Errorf("not audited: %v", n.client.kinds())
	}
	policy.MaxConsecutiveDrops = 1
	if err := gateway.SetPolicy(policy, n.now); !errors.Is(err, ErrPolicy) {
		t.Errorf("an invalid policy: %v", err)
	}
}

func TestStaticKeysAndTheGatewaysAnswer(t *testing.T) {
	gatewayPublic, gatewaySecret, err := KeyPair()
	if err != nil {
		t.Fatal(err)
	}
	clientPublic, clientSecret, err := KeyPair()
	if err != nil {
		t.Fatal(err)
	}
	config := DefaultConfig()
	config.Flags |= ConfigAsk
	n := newNetwork(t, 1, nil, &config, nil)
	for _, err := range []error{n.gateway.endpoint.SetStaticKey(gatewaySecret), n.client.endpoint.SetStaticKey(clientSecret),
		n.gateway.endpoint.AddClientKey(clientPublic, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := n.gateway.endpoint.AddClientKey(clientPublic, nil); !errors.Is(err, ErrExists) {
		t.Errorf("the same key again: %v", err)
	}
	connect := DefaultConnectConfig(0, n.gateway.addresses[0])
	connect.Pattern, connect.GatewayKey = PatternIKpsk2, gatewayPublic
	client := n.connect(connect)
	n.run(100 * time.Millisecond)
	asked := n.gateway.last(EventAcceptRequested)
	if asked == nil || asked.PeerKey != clientPublic || asked.Pattern != PatternIKpsk2 {
		t.Fatalf("%+v", asked)
	}
	if err := n.gateway.endpoint.Session(asked.Session).Accept(nil, n.now); err != nil {
		t.Fatal(err)
	}
	n.drain()
	n.run(time.Second)
	info, err := client.Info()
	if err != nil || info.State != StateAttached || info.PeerKey != gatewayPublic {
		t.Errorf("%+v, %v", info, err)
	}
	second := n.connect(connect)
	n.run(50 * time.Millisecond)
	asked = n.gateway.last(EventAcceptRequested)
	if err := n.gateway.endpoint.Session(asked.Session).Refuse(n.now); err != nil {
		t.Fatal(err)
	}
	n.run(15 * time.Second)
	if info, err := second.Info(); err == nil && info.State != StateTerminated {
		t.Errorf("a refused session is %v", info.State)
	}
}

func TestRekeyAdvancesTheKeyPhase(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, _ := n.establish()
	for i := 0; i < 20; i++ {
		if err := n.send(n.client, client, "x"); err != nil {
			t.Fatal(err)
		}
		n.run(100 * time.Millisecond)
	}
	if err := client.Rekey(n.now); err != nil {
		t.Fatal(err)
	}
	if err := client.Rekey(n.now); !errors.Is(err, ErrRateLimited) {
		t.Errorf("at once again: %v", err)
	}
	if err := n.send(n.client, client, "after"); err != nil {
		t.Fatal(err)
	}
	n.run(time.Second)
	info, err := client.Info()
	if err != nil || info.KeyPhase != 1 || n.gateway.payloads[len(n.gateway.payloads)-1] != "after" {
		t.Errorf("key phase %d, %v", info.KeyPhase, err)
	}
}

func TestEventsAreAnAuditTrailInJSON(t *testing.T) {
	config := DefaultConfig()
	config.NodeID = "node-go"
	n := newNetwork(t, 1, nil, &config, nil)
	client, _ := n.establish()
	if err := client.Close(ReasonOperatorTerminated, n.now); err != nil {
		t.Fatal(err)
	}
	n.drain()
	n.run(100 * time.Millisecond)
	var sequence uint64
	for i := range n.gateway.events {
		event := &n.gateway.events[i]
		line, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if fields["event_type"] != event.Type.String() || fields["node_id"] != "node-go" {
			t.Errorf("%s is not of type %v and node-go", line, event.Type)
		}
		if event.Session != 0 && fields["session_id"] != event.SessionID.String() {
			t.Errorf("%s is not of session %v", line, event.SessionID)
		}
		if event.Type == EventSessionStateChange && fields["new_state"] != event.NewState.String() {
			t.Errorf("%s is not of state %v", line, event.NewState)
		}
		if i > 0 && event.Sequence <= sequence {
			t.Errorf("sequence %d after %d", event.Sequence, sequence)
		}
		sequence = event.Sequence
	}
	if _, err := new(Event).AppendJSON(nil); !errors.Is(err, ErrStructSize) {
		t.Errorf("an event of nobody: %v", err)
	}
}

func TestBatchesDoWhatSingleCallsDo(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, _ := n.establish()
	payloads := []byte("onetwothree")
	const room = 256
	buffer := make([]byte, 5*room)
	items := []SendItem{
		{Session: client.Handle(), PayloadOffset: 0, PayloadLength: 3, BufferOffset: 0, BufferCapacity: room},
		{Session: client.Handle(), PayloadOffset: 3, PayloadLength: 3, BufferOffset: room, BufferCapacity: room},
		{Session: client.Handle(), PayloadOffset: 6, PayloadLength: 500, BufferOffset: 2 * room, BufferCapacity: room},
		{Session: 12345, PayloadOffset: 0, PayloadLength: 3, BufferOffset: 3 * room, BufferCapacity: room},
		{Session: client.Handle(), PayloadOffset: -1, PayloadLength: 3, BufferOffset: 4 * room, BufferCapacity: room},
	}
	done, err := n.client.endpoint.SendBatch(items, payloads, n.now, buffer)
	if err != nil || done != 2 {
		t.Fatal(done, err)
	}
	for i, expected := range []error{nil, nil, ErrArgument, ErrSession, ErrArgument} {
		if items[i].Err != expected {
			t.Errorf("item %d: %v, expected %v", i, items[i].Err, expected)
		}
	}
	received := make([]ReceiveItem, 3)
	for i := range received {
		received[i] = ReceiveItem{Transport: 0, From: n.client.addresses[0], Offset: i * room}
	}
	received[0].Length, received[1].Length = items[0].Datagram.Length, items[1].Datagram.Length
	received[2].Length = 10 * room
	if err := n.gateway.endpoint.ReceiveBatch(received, buffer, n.now); err != nil {
		t.Fatal(err)
	}
	for i, expected := range []string{"one", "two"} {
		item := received[i]
		if item.Err != nil || item.Received.Kind != ReceivedPayload {
			t.Fatalf("item %d: %+v", i, item)
		}
		if got := string(buffer[item.Offset+item.Received.PayloadOffset:][:item.Received.PayloadLength]); got != expected {
			t.Errorf("item %d: %q, expected %q", i, got, expected)
		}
	}
	if received[2].Err != ErrArgument {
		t.Errorf("an item outside the buffer: %v", received[2].Err)
	}
	if done, err := n.client.endpoint.SendBatch(nil, nil, n.now, nil); done != 0 || err != nil {
		t.Error(done, err)
	}
	if err := n.gateway.endpoint.ReceiveBatch(nil, nil, n.now); err != nil {
		t.Error(err)
	}
}

func TestUnsentDatagramsAreNotLost(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, _ := n.establish()
	var datagram Datagram
	if err := client.Send([]byte("x"), n.now, n.client.buffer, &datagram); err != nil {
		t.Fatal(err)
	}
	if err := n.client.endpoint.Unsent(datagram.Session, datagram.PacketNumber, n.now); err != nil {
		t.Errorf("%v", err)
	}
	if err := n.client.endpoint.Unsent(datagram.Session, 1<<40, n.now); !errors.Is(err, ErrArgument) {
		t.Errorf("a number that was never sent: %v", err)
	}
	n.run(5 * time.Second)
	if stats, err := client.Stats(); err != nil || stats.DatagramsLost != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
}

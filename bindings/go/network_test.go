package jumping

import (
	"math/rand"
	"net/netip"
	"sort"
	"testing"
	"time"
)

// network is two endpoints on an in-memory network in virtual time: a link per transport, with a delay, that can be cut.
// A client's transport i reaches the gateway's transport i.
type network struct {
	t       testing.TB
	now     Time
	delay   time.Duration
	client  *node
	gateway *node
	// flying is sorted by arrival.
	flying []flight
	// isCut[i] swallows what link i carries.
	isCut [4]bool
	// chance, when set, loses one datagram in ten.
	chance *rand.Rand
}

type node struct {
	endpoint  *Endpoint
	addresses []Address
	payloads  []string
	// protected payloads, in the order they were handed out
	protected []string
	events    []Event
	buffer    []byte
	// payloadBuffer is for PollPayload.
	payloadBuffer []byte
}

type flight struct {
	arrival   Time
	to        *node
	transport uint32
	from      Address
	bytes     []byte
}

const testDelay = 20 * time.Millisecond

func testKey(fill byte) (key Key) {
	for i := range key {
		key[i] = fill
	}
	return key
}

func newNetwork(t testing.TB, links int, clientConfig, gatewayConfig *Config, policy *Policy) *network {
	n := &network{t: t, now: 1_000_000_000, delay: testDelay}
	n.client = newNode(t, clientConfig, nil, n.now, "10.0.0.", links)
	n.gateway = newNode(t, gatewayConfig, policy, n.now, "192.0.2.", links)
	return n
}

func newNode(t testing.TB, config *Config, policy *Policy, now Time, prefix string, links int) *node {
	endpoint, err := NewEndpoint(config, policy, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endpoint.Close() })
	return attachLinks(t, endpoint, now, prefix, links)
}

func attachLinks(t testing.TB, endpoint *Endpoint, now Time, prefix string, links int) *node {
	node := &node{endpoint: endpoint, buffer: make([]byte, 2048), payloadBuffer: make([]byte, ProtectedPayloadMax)}
	for i := 0; i < links; i++ {
		transport, err := endpoint.AddTransport(DefaultTransportConfig("udp:"+string(rune('A'+i))), now)
		if err != nil || transport != uint32(i) {
			t.Fatal(transport, err)
		}
		address, err := AddressFromAddrPort(netip.MustParseAddrPort(prefix + string(rune('1'+i)) + ":4000"))
		if err != nil {
			t.Fatal(err)
		}
		node.addresses = append(node.addresses, address)
	}
	return node
}

// connect makes a session over link 0 and offers it the other links.
func (n *network) connect(config ConnectConfig) Session {
	n.t.Helper()
	session, err := n.client.endpoint.Connect(config, n.now)
	if err != nil {
		n.t.Fatal(err)
	}
	for i := 1; i < len(n.client.addresses); i++ {
		if _, err := session.AddPath(uint32(i), n.gateway.addresses[i], n.now); err != nil {
			n.t.Fatal(err)
		}
	}
	n.drain()
	return session
}

func (n *network) connectConfig() ConnectConfig {
	config := DefaultConnectConfig(0, n.gateway.addresses[0])
	config.PSK = testKey(7)
	config.Label = "test"
	return config
}

// establish connects by the PSK of hint "" and runs until the session is ATTACHED at both ends and the standby paths are
// warm; it returns both ends.
func (n *network) establish() (client, gateway Session) {
	n.t.Helper()
	if err := n.gateway.endpoint.AddPSK("", testKey(7)); err != nil {
		n.t.Fatal(err)
	}
	client = n.connect(n.connectConfig())
	n.run(time.Second)
	established := n.gateway.last(EventSessionEstablished)
	if established == nil {
		n.t.Fatalf("no session at the gateway; client events: %v", n.client.kinds())
	}
	gateway = n.gateway.endpoint.Session(established.Session)
	return client, gateway
}

// send seals a payload at an end and puts it on its link.
func (n *network) send(from *node, session Session, payload string) error {
	var datagram Datagram
	err := session.Send([]byte(payload), n.now, from.buffer, &datagram)
	if err == nil {
		n.carry(from, &datagram, from.buffer)
	}
	n.drain()
	return err
}

func (n *network) carry(from *node, datagram *Datagram, buffer []byte) {
	to := n.gateway
	if from == n.gateway {
		to = n.client
	}
	if n.isCut[datagram.Transport] || n.chance != nil && n.chance.Intn(10) == 0 {
		return
	}
	n.flying = append(n.flying, flight{n.now.Add(n.delay), to, datagram.Transport, from.addresses[datagram.Transport],
		append([]byte(nil), buffer[:datagram.Length]...)})
	sort.SliceStable(n.flying, func(i, j int) bool { return n.flying[i].arrival < n.flying[j].arrival })
}

// drain takes what both ends want sent and have to tell.
func (n *network) drain() {
	for _, node := range []*node{n.client, n.gateway} {
		var payload ProtectedPayload
		for {
			err := node.endpoint.PollPayload(n.now, node.payloadBuffer, &payload)
			if err == ErrAgain {
				break
			}
			if err != nil {
				n.t.Fatal(err)
			}
			node.protected = append(node.protected, string(node.payloadBuffer[:payload.Length]))
		}
		var datagram Datagram
		for {
			err := node.endpoint.PollTransmit(n.now, node.buffer, &datagram)
			if err == ErrAgain {
				break
			}
			if err != nil {
				n.t.Fatal(err)
			}
			n.carry(node, &datagram, node.buffer)
		}
		var event Event
		for {
			err := node.endpoint.PollEvent(&event)
			if err == ErrAgain {
				break
			}
			if err != nil {
				n.t.Fatal(err)
			}
			node.events = append(node.events, event)
		}
	}
}

// run lets virtual time pass.
func (n *network) run(d time.Duration) {
	n.t.Helper()
	end := n.now.Add(d)
	for step := 0; step < 100_000; step++ {
		next := end
		if len(n.flying) > 0 && n.flying[0].arrival < next {
			next = n.flying[0].arrival
		}
		for _, node := range []*node{n.client, n.gateway} {
			deadline, err := node.endpoint.NextTimeout()
			if err != nil {
				n.t.Fatal(err)
			}
			if deadline < next {
				next = deadline
			}
		}
		if next > n.now {
			n.now = next
		}
		n.arrive()
		for _, node := range []*node{n.client, n.gateway} {
			if err := node.endpoint.HandleTimeout(n.now); err != nil {
				n.t.Fatal(err)
			}
		}
		n.drain()
		if n.now >= end && (len(n.flying) == 0 || n.flying[0].arrival > end) {
			return
		}
	}
	n.t.Fatal("time does not pass: deadlines never move on")
}

func (n *network) arrive() {
	for len(n.flying) > 0 && n.flying[0].arrival <= n.now {
		flight := n.flying[0]
		n.flying = n.flying[1:]
		var received Received
		if err := flight.to.endpoint.Receive(flight.transport, flight.from, flight.bytes, n.now, &received); err != nil {
			n.t.Fatal(err)
		}
		payload := string(flight.bytes[received.PayloadOffset:][:received.PayloadLength])
		switch received.Kind {
		case ReceivedPayload:
			flight.to.payloads = append(flight.to.payloads, payload)
		case ReceivedProtected:
			flight.to.protected = append(flight.to.protected, payload)
		}
		n.drain()
	}
}

// last is the newest event of a type, or nil.
func (n *node) last(kind EventType) *Event {
	for i := len(n.events) - 1; i >= 0; i-- {
		if n.events[i].Type == kind {
			return &n.events[i]
		}
	}
	return nil
}

func (n *node) count(kind EventType) (count int) {
	for i := range n.events {
		if n.events[i].Type == kind {
			count++
		}
	}
	return count
}

func (n *node) kinds() (kinds []string) {
	for i := range n.events {
		kinds = append(kinds, n.events[i].Type.String()+":"+n.events[i].Reason.String())
	}
	return kinds
}

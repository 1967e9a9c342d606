package jumping

import (
	"errors"
	"fmt"
	"math/rand"
	"sort"
	"strings"
	"testing"
	"time"
)

func numbered(count int) []string {
	payloads := make([]string, count)
	for i := range payloads {
		payloads[i] = fmt.Sprintf("payload %03d", i)
	}
	return payloads
}

func expectEqual(t *testing.T, got, expected []string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(expected, "|") {
		t.Errorf("%d payloads, expected %d, or another order: %.200q", len(got), len(expected), got)
	}
}

func TestProtectedPayloadsArriveOnceWhateverGetsLost(t *testing.T) {
	for _, channel := range []uint32{0, Channels - 1} {
		n := newNetwork(t, 2, nil, nil, nil)
		client, gateway := n.establish()
		n.chance = rand.New(rand.NewSource(1))
		for i, payload := range numbered(200) {
			if err := client.SendProtected([]byte(payload), &PayloadOptions{Channel: channel}, n.now); err != nil {
				t.Fatal(err)
			}
			n.drain()
			n.run(5 * time.Millisecond)
			if i == 100 {
				n.isCut[0] = true
			}
		}
		n.run(5 * time.Second)
		got := n.gateway.protected
		if channel == 0 {
			sort.Strings(got)
		}
		expectEqual(t, got, numbered(200))
		stats, err := client.Stats()
		if err != nil || stats.ProtectedSent != 200 || stats.ProtectedAcknowledged != 200 || stats.ProtectedBytesResent == 0 {
			t.Errorf("%+v, %v", stats, err)
		}
		if stats, err = gateway.Stats(); err != nil || stats.ProtectedReceived != 200 {
			t.Errorf("%+v, %v", stats, err)
		}
	}
}

func TestReceivedTellsTheChannelAndLongPayloadsWait(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, _ := n.establish()
	if err := client.SendProtected([]byte("short"), &PayloadOptions{Channel: 4}, n.now); err != nil {
		t.Fatal(err)
	}
	var datagram Datagram
	buffer := make([]byte, DefaultMTU)
	if err := n.client.endpoint.PollTransmit(n.now, buffer, &datagram); err != nil {
		t.Fatal(err)
	}
	items := []ReceiveItem{{From: n.client.addresses[0], Length: datagram.Length}}
	if err := n.gateway.endpoint.ReceiveBatch(items, buffer, n.now); err != nil {
		t.Fatal(err)
	}
	received := items[0].Received
	text := string(buffer[received.PayloadOffset:][:received.PayloadLength])
	if received.Kind != ReceivedProtected || received.Channel != 4 || text != "short" || received.Waiting {
		t.Errorf("%+v %q", received, text)
	}
	n.drain()
	n.run(100 * time.Millisecond) // acknowledged, so that the buffer is empty again
	info, err := client.Info()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("0123456789abcdef", info.MaxProtectedPayload/16)
	if err := client.SendProtected([]byte(long), nil, n.now); err != nil {
		t.Fatal(err)
	}
	if err := client.SendProtected(make([]byte, info.MaxProtectedPayload+1), nil, n.now); err != ErrTooLong {
		t.Errorf("too long: %v", err)
	}
	n.drain()
	n.run(3 * time.Second)
	if got := n.gateway.protected; len(got) != 1 || got[0] != long {
		t.Errorf("%d payloads", len(got))
	}
}

func TestAFullSendBufferSaysSoAndWritableTellsWhenThereIsRoom(t *testing.T) {
	config := DefaultConfig()
	config.SendBuffer = 1 << 16
	n := newNetwork(t, 1, &config, nil, nil)
	client, _ := n.establish()
	taken := 0
	var err error
	for err == nil {
		if err = client.SendProtected(make([]byte, 1000), nil, n.now); err == nil {
			taken++
		}
	}
	if err != ErrAgain || taken != (1<<16)/(1000+ProtectedCharge) {
		t.Errorf("%d taken, then %v", taken, err)
	}
	n.drain()
	n.run(500 * time.Millisecond)
	if n.client.count(EventWritable) != 1 || len(n.gateway.protected) != taken {
		t.Errorf("%d Writable, %d arrived", n.client.count(EventWritable), len(n.gateway.protected))
	}
	if flow := n.client.last(EventFlowControlUpdate); flow == nil || flow.CongestionWindow == 0 || flow.PacingRate == 0 {
		t.Errorf("%+v", flow)
	}
}

func TestReportsTellWhatBecameOfAPayload(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, _ := n.establish()
	if err := client.SendProtected([]byte("twelve bytes"), &PayloadOptions{Channel: 5, Tag: 1 << 63, Report: true}, n.now); err != nil {
		t.Fatal(err)
	}
	n.drain()
	n.run(100 * time.Millisecond)
	report := n.client.last(EventPayloadAcknowledged)
	if report == nil || report.PayloadTag != 1<<63 || report.Channel != 5 || report.PayloadLength != 12 || report.PayloadSequence != 0 {
		t.Errorf("%+v", report)
	}
	n.isCut[0] = true
	begun := n.now
	if err := client.SendProtected([]byte("perishable"), &PayloadOptions{TimeToLive: 50 * time.Millisecond, Tag: 7}, n.now); err != nil {
		t.Fatal(err)
	}
	n.drain()
	n.run(200 * time.Millisecond)
	expired := n.client.last(EventPayloadExpired)
	if expired == nil || expired.PayloadTag != 7 || expired.Time.Sub(begun) != 50*time.Millisecond {
		t.Errorf("%+v", expired)
	}
}

func TestHeldPayloadsWait(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, gateway := n.establish()
	if err := gateway.HoldPayloads(true, n.now); err != nil {
		t.Fatal(err)
	}
	for _, payload := range numbered(20) {
		if err := client.SendProtected([]byte(payload), &PayloadOptions{Channel: 1}, n.now); err != nil {
			t.Fatal(err)
		}
		n.drain()
	}
	n.run(time.Second)
	if info, err := gateway.Info(); err != nil || len(n.gateway.protected) != 0 || info.ReceiveBuffered != 20*(11+ProtectedCharge) {
		t.Errorf("%d handed out, %d bytes wait, %v", len(n.gateway.protected), info.ReceiveBuffered, err)
	}
	var payload ProtectedPayload
	if err := gateway.HoldPayloads(false, n.now); err != nil {
		t.Fatal(err)
	}
	if err := n.gateway.endpoint.PollPayload(n.now, make([]byte, 10), &payload); err != ErrBufferTooSmall || payload.Length != 11 {
		t.Errorf("%+v, %v", payload, err)
	}
	n.drain()
	expectEqual(t, n.gateway.protected, numbered(20))
}

func TestWrongCallsOfProtectedDeliveryChangeNothing(t *testing.T) {
	n := newNetwork(t, 1, nil, nil, nil)
	client, _ := n.establish()
	var field *FieldError
	if err := client.SendProtected(nil, &PayloadOptions{TimeToLive: -1}, n.now); !errors.As(err, &field) || field.Status != ErrArgument {
		t.Errorf("a negative time to live: %v", err)
	}
	if err := client.SendProtected(nil, &PayloadOptions{Channel: Channels}, n.now); err != ErrArgument {
		t.Errorf("a channel that is none: %v", err)
	}
	none := n.client.endpoint.Session(12345)
	if err := none.SendProtected(nil, nil, n.now); err != ErrSession {
		t.Errorf("no session: %v", err)
	}
	if err := none.HoldPayloads(true, n.now); err != ErrSession {
		t.Errorf("no session: %v", err)
	}
	if err := n.client.endpoint.PollPayload(n.now, nil, nil); err != ErrNull {
		t.Errorf("nowhere to write: %v", err)
	}
	if info, err := client.Info(); err != nil || info.ProtectedCount != 0 || info.SendBuffered != 0 {
		t.Errorf("%+v, %v", info, err)
	}
	n.client.endpoint.Close()
	if err := client.SendProtected(nil, nil, n.now); err != ErrClosed {
		t.Errorf("closed: %v", err)
	}
	if err := client.HoldPayloads(true, n.now); err != ErrClosed {
		t.Errorf("closed: %v", err)
	}
}

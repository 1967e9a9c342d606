package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

// startGateway runs a gateway on two loopback ports and returns their addresses, and a function that stops it and gives
// its exit status and its events.
func startGateway(t *testing.T) (addresses []string, stop func() (int, string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, []string{"gateway", "-listen", "127.0.0.1:0", "-listen", "127.0.0.1:0", "-psk", "secret"}, writer, writer)
		writer.Close()
	}()
	lines := bufio.NewReader(reader)
	for len(addresses) < 2 {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("the gateway ended: %v", err)
		}
		var event struct{ Address string }
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if event.Address != "" {
			addresses = append(addresses, event.Address)
		}
	}
	rest := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(lines) // a pipe that is closed is its end
		rest <- string(text)
	}()
	return addresses, func() (int, string) {
		cancel()
		return <-status, <-rest
	}
}

func client(t *testing.T, addresses []string, more ...string) (status int, summary map[string]any, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	arguments := append([]string{"client", "-gateway", addresses[0], "-gateway", addresses[1], "-psk", "secret"}, more...)
	var buffer bytes.Buffer
	status = run(ctx, arguments, &buffer, &buffer)
	for _, line := range strings.Split(buffer.String(), "\n") {
		var event map[string]any
		if json.Unmarshal([]byte(line), &event) == nil && event["event_type"] == "EchoSummary" {
			summary = event
		}
	}
	return status, summary, buffer.String()
}

func TestEveryEchoComesBack(t *testing.T) {
	addresses, stop := startGateway(t)
	status, summary, output := client(t, addresses, "-count", "100", "-interval", "1ms")
	if status != 0 || summary["returned"] != 100.0 || summary["lost_during_jump"] != 0.0 {
		t.Errorf("status %d\n%s", status, output)
	}
	if status, events := stop(); status != 0 || !strings.Contains(events, `"SessionTerminated"`) {
		t.Errorf("the gateway ended with %d\n%s", status, events)
	}
}

func TestKilledTransportsBecomeJumps(t *testing.T) {
	addresses, stop := startGateway(t)
	for _, how := range []string{"mute", "close"} {
		status, summary, output := client(t, addresses, "-count", "200", "-kill-after", "100", "-kill", how)
		if status != 0 || summary["jumped"] != true || summary["ok"] != true {
			t.Errorf("%s: status %d\n%s", how, status, output)
		}
	}
	if status, events := stop(); status != 0 || strings.Count(events, `"TransportSwitch"`) != 2 {
		t.Errorf("the gateway ended with %d\n%s", status, events)
	}
}

func TestWrongCommandLinesAreRefused(t *testing.T) {
	for _, line := range []string{"", "relay", "gateway -psk x", "gateway -listen 127.0.0.1:0", "client -psk x",
		"client -gateway a:1 -psk x -kill-after 5", "client -gateway a:1 -gateway b:1 -psk x -kill-after 5 -kill softly",
		"client -gateway a:1 -psk x -count 0", "client -gateway a:1 -psk x -interval 0s", "client -gateway a:1 -psk x more"} {
		if status := run(context.Background(), strings.Fields(line), io.Discard, io.Discard); status != 2 {
			t.Errorf("%q ended with %d", line, status)
		}
	}
}

func TestWrongPassphraseIsAFailure(t *testing.T) {
	addresses, stop := startGateway(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if status := run(ctx, []string{"client", "-gateway", addresses[0], "-psk", "wrong"}, io.Discard, io.Discard); status != 1 {
		t.Errorf("status %d", status)
	}
	stop()
}

func TestLedgerTellsJumpLossesFromOthers(t *testing.T) {
	ledger := newLedger(4)
	ledger.noteSent(0) // lost before anything happened
	time.Sleep(30 * time.Millisecond)
	ledger.noteKill()
	ledger.noteSent(1) // lost on the way
	ledger.noteJump()
	time.Sleep(time.Millisecond)
	ledger.noteSent(2)
	ledger.noteEcho(payload(2))
	ledger.noteEcho(payload(2)) // twice
	ledger.noteEcho([]byte("payload 3"))
	ledger.noteEcho([]byte("noise"))
	result := ledger.balance()
	if result.sent != 3 || result.returned != 1 || result.lostDuringJump != 1 || result.lostOtherwise != 1 || result.strange != 3 {
		t.Errorf("%+v", result)
	}
	if ledger.isComplete() {
		t.Error("it is not complete")
	}
	if judge(&options{count: 3}, &result, true) == nil {
		t.Error("missing payloads pass")
	}
}

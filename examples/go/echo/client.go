package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jumping"
	"jumping/udp"
)

const (
	// warmPatience is how long the client waits for its other transports to be validated before it begins.
	warmPatience = 5 * time.Second
	// echoPatience is how long it waits for the last echoes.
	echoPatience = 2 * time.Second
)

// runClient sends numbered payloads, kills its first transport on the way if asked to, and tells what came back.
func runClient(ctx context.Context, options *options, log *log) error {
	session, err := dial(ctx, options)
	if err != nil {
		return err
	}
	defer session.Close()
	identity := session.ID()
	ledger := newLedger(options.count)
	printed := make(chan error, 1)
	go func() { printed <- watch(session.Host(), ledger, log) }()
	go collect(session, ledger)

	if err := waitUntilWarm(ctx, session, len(options.gateways)-1); err != nil {
		return err
	}
	if err := sendAll(ctx, session, options, ledger, log); err != nil {
		return err
	}
	waitForEchoes(ctx, ledger)
	info, err := session.Info(ctx)
	if err != nil {
		return err
	}
	result := ledger.balance()
	if err := session.Close(); err != nil {
		return err
	}
	if err := <-printed; err != nil {
		return err
	}
	problem := judge(options, &result, info.ID == identity && session.ID() == identity)
	fields := map[string]any{
		"session_id": info.ID.String(), "sent": result.sent, "returned": result.returned, "strange": result.strange,
		"lost_during_jump": result.lostDuringJump, "lost_otherwise": result.lostOtherwise, "jumped": result.hasJumped,
		"longest_gap_ms":        float64(result.longestGap.Microseconds()) / 1000,
		"longest_round_trip_ms": float64(result.longestRoundTrip.Microseconds()) / 1000,
		"state":                 info.State.String(), "state_version": info.StateVersion, "binding_version": info.BindingVersion,
		"ok": problem == nil,
	}
	if err := log.own("EchoSummary", fields); err != nil {
		return err
	}
	return problem
}

func dial(ctx context.Context, options *options) (*udp.Session, error) {
	psk, err := jumping.PSKFromPassphrase(options.passphrase, options.realm, options.hint)
	if err != nil {
		return nil, err
	}
	defer psk.Wipe()
	return udp.Dial(ctx, udp.DialConfig{
		Config:   udp.Config{Endpoint: options.endpointConfig(jumping.ConfigInitiate)},
		Gateways: options.gateways,
		Hint:     options.hint,
		PSK:      psk,
		Label:    options.label,
	})
}

// watch prints what happens, and notes jumps, until the host ends.
func watch(host *udp.Host, ledger *ledger, log *log) error {
	for event := range host.Events() {
		event := event
		if event.Type == jumping.EventTransportSwitch {
			ledger.noteJump()
		}
		if err := log.event(&event); err != nil {
			return err
		}
	}
	return nil
}

// collect notes echoes until the session ends.
func collect(session *udp.Session, ledger *ledger) {
	for {
		echo, err := session.Recv(context.Background())
		if err != nil {
			return
		}
		ledger.noteEcho(echo)
	}
}

// waitUntilWarm returns when that many other paths are validated: a kill before would test patience, not the jump.
func waitUntilWarm(ctx context.Context, session *udp.Session, candidates int) error {
	ctx, cancel := context.WithTimeout(ctx, warmPatience)
	defer cancel()
	for {
		info, err := session.Info(ctx)
		if err != nil {
			return err
		}
		if int(info.CandidateCount) >= candidates {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d other paths answer", info.CandidateCount, candidates)
		}
	}
}

func sendAll(ctx context.Context, session *udp.Session, options *options, ledger *ledger, log *log) error {
	ticker := time.NewTicker(options.interval)
	defer ticker.Stop()
	for number := 0; number < options.count; number++ {
		if options.killAfter > 0 && number == options.killAfter {
			if err := kill(ctx, session.Host(), options, ledger, log); err != nil {
				return err
			}
		}
		ledger.noteSent(number)
		if err := session.Send(ctx, payload(number)); err != nil {
			return fmt.Errorf("payload %d: %w", number, err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// kill ends the first transport.
func kill(ctx context.Context, host *udp.Host, options *options, ledger *ledger, log *log) error {
	name := udp.DefaultSocketName(0)
	ledger.noteKill()
	if err := log.own("TransportKilled", map[string]any{"transport": name, "how": options.killMode}); err != nil {
		return err
	}
	if options.killMode == "close" {
		return host.RemoveSocket(ctx, name)
	}
	return host.MuteSocket(ctx, name, true)
}

// waitForEchoes returns when everything is back, or nothing more can be expected.
func waitForEchoes(ctx context.Context, ledger *ledger) {
	patience := time.After(echoPatience)
	for !ledger.isComplete() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-patience:
			return
		case <-ctx.Done():
			return
		}
	}
}

// judge is nil when the run proves what it set out to prove.
func judge(options *options, result *balance, isSameSession bool) error {
	switch {
	case !isSameSession:
		return errors.New("the session's identity changed")
	case options.killAfter > 0 && !result.hasJumped:
		return errors.New("the transport was killed and the session did not jump")
	case result.lostOtherwise > 0:
		return fmt.Errorf("%d payloads are missing that no jump explains", result.lostOtherwise)
	case result.strange > 0:
		return fmt.Errorf("%d echoes are of no payload that was sent", result.strange)
	case result.sent != options.count:
		return fmt.Errorf("%d of %d payloads were sent", result.sent, options.count)
	}
	return nil
}

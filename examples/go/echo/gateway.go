package main

import (
	"context"
	"errors"
	"net"

	"jumping"
	"jumping/udp"
)

// runGateway echoes until ctx ends.
func runGateway(ctx context.Context, options *options, log *log) error {
	psk, err := jumping.PSKFromPassphrase(options.passphrase, options.realm, options.hint)
	if err != nil {
		return err
	}
	host, err := udp.Listen(ctx, udp.Config{
		Endpoint: options.endpointConfig(jumping.ConfigAccept),
		Sockets:  sockets(options.listen),
		PSKs:     []udp.PSK{{Hint: options.hint, Key: psk}},
	})
	psk.Wipe()
	if err != nil {
		return err
	}
	for i := range options.listen {
		name := udp.DefaultSocketName(i)
		address, err := host.LocalAddr(ctx, name)
		if err != nil {
			return err
		}
		if err := log.own("Listening", map[string]any{"transport": name, "address": address.String()}); err != nil {
			return err
		}
	}
	printed := make(chan error, 1)
	go func() { printed <- printEvents(host, log) }()
	for {
		session, err := host.Accept(ctx)
		if errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) {
			<-host.Done() // every client has been told
			return <-printed
		}
		if err != nil {
			return err
		}
		go echo(ctx, session)
	}
}

// echo sends back what arrives, until the session or ctx ends.
func echo(ctx context.Context, session *udp.Session) {
	buffer := make([]byte, udp.DefaultMaxDatagram)
	for {
		length, err := session.RecvInto(ctx, buffer)
		if err != nil {
			return
		}
		if err := session.Send(ctx, buffer[:length]); err != nil && !errors.Is(err, jumping.ErrTooLong) {
			return
		}
	}
}

// printEvents prints what happens until the host ends.
func printEvents(host *udp.Host, log *log) error {
	for event := range host.Events() {
		event := event
		if err := log.event(&event); err != nil {
			return err
		}
	}
	return nil
}

// Command echo is a gateway that sends every payload back, and a client that proves a session outlives its transport.
//
//	echo gateway -listen 127.0.0.1:4000 -listen 127.0.0.1:4001 -psk "a passphrase"
//	echo client -gateway 127.0.0.1:4000 -gateway 127.0.0.1:4001 -psk "a passphrase" -count 400 -kill-after 200
//
// Both print one JSON object a line: the library's audit events as they happen, and a few of their own. The gateway ends
// on SIGINT or SIGTERM. The client ends with status 0 only if the session kept its identity and every payload came back
// but those that were under way while it jumped, which it counts; 1 when something is missing, 2 for a wrong command line.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"jumping"
	"jumping/udp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

const usage = `usage: echo gateway -listen ADDR:PORT [-listen …] -psk PASSPHRASE [-hint H] [-realm R] [-node-id ID]
       echo client -gateway ADDR:PORT [-gateway …] -psk PASSPHRASE [-hint H] [-realm R] [-count N] [-interval D]
                   [-kill-after N] [-kill mute|close] [-label L]`

// run is the program without its globals; it returns the exit status.
func run(ctx context.Context, arguments []string, output, errors io.Writer) int {
	var run func(ctx context.Context, options *options, log *log) error
	switch {
	case len(arguments) > 0 && arguments[0] == "gateway":
		run = runGateway
	case len(arguments) > 0 && arguments[0] == "client":
		run = runClient
	default:
		fmt.Fprintln(errors, usage)
		return 2
	}
	options, err := parse(arguments[0], arguments[1:], errors)
	if err != nil {
		fmt.Fprintf(errors, "echo: %v\n%s\n", err, usage)
		return 2
	}
	if err := run(ctx, options, &log{output: output}); err != nil {
		fmt.Fprintf(errors, "echo: %v\n", err)
		return 1
	}
	return 0
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// options are the command line of both roles.
type options struct {
	listen, gateways                list
	passphrase, hint, realm, nodeID string
	label, killMode                 string
	count, killAfter                int
	interval                        time.Duration
}

func parse(role string, arguments []string, errors io.Writer) (*options, error) {
	var o options
	flags := flag.NewFlagSet("echo "+role, flag.ContinueOnError)
	flags.SetOutput(errors)
	flags.StringVar(&o.passphrase, "psk", "", "the `passphrase` both sides share")
	flags.StringVar(&o.hint, "hint", "", "the name of the passphrase's key, sent in clear")
	flags.StringVar(&o.realm, "realm", "", "what the passphrase is for; the same on both sides")
	flags.StringVar(&o.nodeID, "node-id", role, "this node in events")
	if role == "gateway" {
		flags.Var(&o.listen, "listen", "a local `address:port`; may be repeated")
	} else {
		flags.Var(&o.gateways, "gateway", "an `address:port` of the gateway; may be repeated")
		flags.IntVar(&o.count, "count", 200, "how many payloads to send")
		flags.DurationVar(&o.interval, "interval", 5*time.Millisecond, "time between payloads")
		flags.IntVar(&o.killAfter, "kill-after", 0, "kill the first transport after this many payloads; 0: never")
		flags.StringVar(&o.killMode, "kill", "mute", "mute: the transport silently swallows everything; close: its socket is closed")
		flags.StringVar(&o.label, "label", "echo", "audit label of the session")
	}
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.passphrase == "":
		return nil, fmt.Errorf("-psk is missing")
	case role == "gateway" && len(o.listen) == 0:
		return nil, fmt.Errorf("-listen is missing")
	case role == "client" && len(o.gateways) == 0:
		return nil, fmt.Errorf("-gateway is missing")
	case role == "client" && o.count < 1:
		return nil, fmt.Errorf("-count: expected at least 1")
	case role == "client" && o.interval <= 0:
		return nil, fmt.Errorf("-interval: expected more than 0")
	case o.killAfter < 0 || o.killAfter > 0 && o.killAfter >= o.count:
		return nil, fmt.Errorf("-kill-after: expected 0, or less than -count")
	case o.killAfter > 0 && len(o.gateways) < 2:
		return nil, fmt.Errorf("-kill-after needs a second -gateway to jump to")
	case role == "client" && o.killMode != "mute" && o.killMode != "close":
		return nil, fmt.Errorf("-kill: expected mute or close, got %q", o.killMode)
	}
	return &o, nil
}

// endpointConfig is the library's defaults under this node's name.
func (o *options) endpointConfig(flags jumping.ConfigFlag) *jumping.Config {
	config := jumping.DefaultConfig()
	config.Flags, config.NodeID = flags, o.nodeID
	return &config
}

// log prints one JSON object a line; any goroutine.
type log struct {
	mutex  sync.Mutex
	output io.Writer
}

// event prints an event of the library as it is.
func (l *log) event(event *jumping.Event) error {
	line, err := event.AppendJSON(nil)
	if err != nil {
		return err
	}
	return l.line(line)
}

// own prints an event of this program: its type, the time, and some fields.
func (l *log) own(eventType string, fields map[string]any) error {
	fields["event_type"], fields["ts_ms"] = eventType, time.Now().UnixMilli()
	line, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return l.line(line)
}

func (l *log) line(line []byte) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	_, err := l.output.Write(append(line, '\n'))
	return err
}

// sockets names the host's sockets as the library shall.
func sockets(addresses []string) []udp.Socket {
	sockets := make([]udp.Socket, len(addresses))
	for i, address := range addresses {
		sockets[i] = udp.Socket{Name: udp.DefaultSocketName(i), Listen: address}
	}
	return sockets
}

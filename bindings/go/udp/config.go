package udp

import (
	"errors"
	"fmt"
	"time"

	"jumping"
)

// The sizes that are used where a Config says 0.
const (
	DefaultMaxDatagram   = 1500
	DefaultSendQueue     = 512
	DefaultReceiveQueue  = 512
	DefaultEventQueue    = 1024
	DefaultAcceptBacklog = 128
	// DefaultReceiveBuffer asks the kernel for room for bursts, in bytes per socket.
	DefaultReceiveBuffer = 1 << 20
)

// PSK is a pre-shared key and the hint by which clients name it (0 … jumping.HintMax bytes).
type PSK struct {
	Hint string
	Key  jumping.Key
}

// Admission is a gateway's answer to a session that asks to begin.
type Admission struct {
	// Accept is false to forget the request without an answer.
	Accept bool
	// PSK is the client's key: required for PatternNNpsk0, nil for none with PatternIKpsk2.
	PSK *jumping.Key
}

// Config is what a host is. The zero Config is a client without sockets and credentials; 0 stands for the defaults above.
type Config struct {
	// Endpoint and Policy are the library's; nil means their defaults, with the roles that Listen and Dial need.
	Endpoint *jumping.Config
	Policy   *jumping.Policy
	// Sockets are the host's transports. More can come and go later.
	Sockets []Socket
	// PSKs are the keys of clients a gateway lets in.
	PSKs []PSK
	// StaticKey is the host's own X25519 secret key for PatternIKpsk2; nil means none.
	StaticKey *jumping.Key
	// Setup, when set, is called once with the endpoint before anything else happens, e.g. to add client keys.
	Setup func(endpoint *jumping.Endpoint, now jumping.Time) error
	// Admit, when set, is asked by AcceptRequested events (jumping.ConfigAsk in Endpoint.Flags). It runs in the loop: it
	// must not wait, and must not call the host. Without it such sessions are refused.
	Admit func(event *jumping.Event) Admission
	// MaxDatagram is the largest datagram of any socket, in bytes (jumping.MinMTU … jumping.MaxMTU). Longer ones that
	// arrive are dropped.
	MaxDatagram int
	// SendQueue and ReceiveQueue are payloads: of the whole host that wait to be sealed, of each session that wait for
	// Recv (and of protected ones no more bytes than Endpoint.ReceiveBuffer). EventQueue is events that wait for the reader of Events, AcceptBacklog sessions that wait for Accept.
	SendQueue     int
	ReceiveQueue  int
	EventQueue    int
	AcceptBacklog int
}

// withDefaults fills what is 0.
func (config Config) withDefaults() (Config, error) {
	for _, number := range []struct {
		value        *int
		defaultValue int
		name         string
	}{
		{&config.MaxDatagram, DefaultMaxDatagram, "MaxDatagram"},
		{&config.SendQueue, DefaultSendQueue, "SendQueue"},
		{&config.ReceiveQueue, DefaultReceiveQueue, "ReceiveQueue"},
		{&config.EventQueue, DefaultEventQueue, "EventQueue"},
		{&config.AcceptBacklog, DefaultAcceptBacklog, "AcceptBacklog"},
	} {
		if *number.value < 0 {
			return config, fmt.Errorf("udp: %s: expected no negative number, got %d: %w", number.name, *number.value, jumping.ErrArgument)
		}
		if *number.value == 0 {
			*number.value = number.defaultValue
		}
	}
	if config.MaxDatagram < jumping.MinMTU || config.MaxDatagram > jumping.MaxMTU {
		return config, fmt.Errorf("udp: MaxDatagram: expected %d … %d bytes, got %d: %w",
			jumping.MinMTU, jumping.MaxMTU, config.MaxDatagram, jumping.ErrArgument)
	}
	return config, nil
}

// DialConfig is how to begin a session, and the host for it.
type DialConfig struct {
	Config
	// Gateways are the gateway's addresses, "host:port". The i-th is reached through the i-th socket; when there are more
	// of one than of the other, the shorter list is used again from its beginning. Without Sockets there is one per
	// gateway. The handshake tries these paths in order; the others become warm candidates.
	Gateways []string
	// Pattern is jumping.PatternNNpsk0 (the default) or jumping.PatternIKpsk2.
	Pattern jumping.Pattern
	// Hint and PSK are the client's key and its name at the gateway.
	Hint string
	PSK  jumping.Key
	// GatewayKey is the gateway's X25519 public key (PatternIKpsk2).
	GatewayKey jumping.Key
	// HandshakeTimeout is for each path that is tried; 0 means the library's default.
	HandshakeTimeout time.Duration
	// Label is the session's audit label, told to the gateway.
	Label string
}

// ErrNoGateway: DialConfig.Gateways is empty.
var ErrNoGateway = errors.New("udp: no gateway address")

// EndedError is what calls of a session return once it is TERMINATED.
type EndedError struct {
	// Reason is why; ReasonOperatorTerminated also when this side closed it.
	Reason jumping.Reason
}

// Error names the reason.
func (e *EndedError) Error() string { return "udp: the session ended: " + e.Reason.String() }

// Is makes it jumping.ErrTerminated and of that error's domain.
func (e *EndedError) Is(target error) bool { return errors.Is(jumping.ErrTerminated, target) }

package jumping

// #include "scratch.h"
import "C"

import (
	"strings"
	"time"
	"unsafe"
)

// Config says what an endpoint is. Its caps bound the endpoint's memory: tables grow up to them, never past. Begin with
// DefaultConfig; the zero Config is invalid.
type Config struct {
	// Flags is a set of ConfigFlag; default ConfigInitiate | ConfigAccept.
	Flags ConfigFlag
	// MaxSessions is 1 … 4,194,304; default 65,536.
	MaxSessions uint32
	// MaxHalfOpen is 1 … 65,536 sessions whose handshake is not finished; default 256.
	MaxHalfOpen uint32
	// MaxWaiting is 1 … 4,096 sessions that wait for Accept or Refuse; default 64.
	MaxWaiting uint32
	// EventCapacity is 64 … 65,536 events that wait for PollEvent; default 1,024.
	EventCapacity uint32
	// CookieThreshold is how many half-open sessions there may be before clients are asked for a cookie; default 32.
	CookieThreshold uint32
	// SourceRate is 1 … 1,000,000 handshakes per second and source; default 20.
	SourceRate uint32
	// SourceBurst is 1 … 1,000,000 handshakes at once per source; default 40.
	SourceBurst uint32
	// TelemetryInterval is how often each session gives a TelemetryTick event: 0 is off (default), else at least 100 ms;
	// whole milliseconds.
	TelemetryInterval time.Duration
	// Suites is the set of cipher suites this host allows; default SuiteAll.
	Suites Suite
	// NodeTag is the first two bytes of the connection ids this endpoint hands out, for balancers.
	NodeTag uint16
	// WallClockOffset is Unix time minus the host's clock, for event times; DefaultConfig sets it from this machine's.
	WallClockOffset time.Duration
	// NodeID is 0 … 31 printable ASCII bytes, in every event; default "node".
	NodeID string
	// SendBuffer is bytes of a session's protected payloads until they are acknowledged, each counted with ProtectedCharge
	// bytes more, 64 KiB … 64 MiB; default 1 MiB.
	SendBuffer uint32
	// ReceiveBuffer is bytes of a session's protected payloads until the host takes them, 64 KiB … 64 MiB; default 1 MiB.
	// One payload more may lie there.
	ReceiveBuffer uint32
	// DeliveryMemory is bytes of all sessions' protected payloads together, both ways, 1 MiB … 1 TiB; default 256 MiB.
	DeliveryMemory uint64
}

// DefaultConfig is the library's defaults, with the wall clock of this machine. Any goroutine.
func DefaultConfig() Config {
	var c C.jmp_config
	C.jmp_config_init(&c)
	return Config{
		Flags: ConfigFlag(c.flags), MaxSessions: uint32(c.max_sessions), MaxHalfOpen: uint32(c.max_half_open),
		MaxWaiting: uint32(c.max_waiting), EventCapacity: uint32(c.event_capacity),
		CookieThreshold: uint32(c.cookie_threshold), SourceRate: uint32(c.source_rate),
		SourceBurst: uint32(c.source_burst), TelemetryInterval: time.Duration(c.telemetry_interval_ms) * time.Millisecond,
		Suites: Suite(c.suites), NodeTag: uint16(c.node_tag), WallClockOffset: WallClockOffset(),
		NodeID: readText(c.node_id[:]), SendBuffer: uint32(c.send_buffer), ReceiveBuffer: uint32(c.receive_buffer),
		DeliveryMemory: uint64(c.delivery_memory),
	}
}

// Check is nil for a valid configuration, else a [*FieldError] with ErrArgument or ErrSuite. Any goroutine.
func (config *Config) Check() error {
	var c C.jmp_config
	if err := config.write(&c); err != nil {
		return err
	}
	return checkConfig(&c)
}

func checkConfig(c *C.jmp_config) error {
	var message [messageSize]byte
	status := C.jmp_config_check(c, (*C.char)(unsafe.Pointer(&message[0])), messageSize)
	return fieldError(status, message[:])
}

func (config *Config) write(c *C.jmp_config) error {
	C.jmp_config_init(c)
	telemetry := config.TelemetryInterval.Milliseconds()
	if telemetry < 0 || telemetry > 0xFFFFFFFF {
		return &FieldError{ErrArgument, "telemetry_interval_ms: expected 0 or 100 … 4294967295 ms"}
	}
	c.flags, c.max_sessions = C.uint32_t(config.Flags), C.uint32_t(config.MaxSessions)
	c.max_half_open, c.max_waiting = C.uint32_t(config.MaxHalfOpen), C.uint32_t(config.MaxWaiting)
	c.event_capacity, c.cookie_threshold = C.uint32_t(config.EventCapacity), C.uint32_t(config.CookieThreshold)
	c.source_rate, c.source_burst = C.uint32_t(config.SourceRate), C.uint32_t(config.SourceBurst)
	c.telemetry_interval_ms, c.suites = C.uint32_t(telemetry), C.uint32_t(config.Suites)
	c.node_tag = C.uint16_t(config.NodeTag)
	c.send_buffer, c.receive_buffer = C.uint32_t(config.SendBuffer), C.uint32_t(config.ReceiveBuffer)
	c.delivery_memory = C.uint64_t(config.DeliveryMemory)
	c.wall_clock_offset_us = C.int64_t(config.WallClockOffset.Microseconds())
	return writeText(c.node_id[:], config.NodeID, ErrArgument, "node_id")
}

// messageSize is the room for the library's sentences about a field, in bytes.
const messageSize = 512

// fieldError is nil for success, else the status with the message the library wrote (zero-terminated).
func fieldError(status C.jmp_status, message []byte) error {
	if status == C.JMP_OK {
		return nil
	}
	text, _, _ := strings.Cut(string(message), "\x00")
	return &FieldError{Status(status), text}
}

// TransportConfig describes something the host can send datagrams through. Begin with DefaultTransportConfig.
type TransportConfig struct {
	// Name is 1 … 15 printable ASCII bytes, unique in the endpoint, e.g. "udp:A".
	Name string
	// Class is 0 … 31; default ClassUnspecified.
	Class TransportClass
	// Cost is 1 … 1,000,000; 1 is cheapest (default). Selection weighs the smoothed RTT with it.
	Cost uint32
	// MTU is the largest datagram in bytes, MinMTU … MaxMTU; default DefaultMTU.
	MTU uint32
}

// DefaultTransportConfig is the library's defaults with this name. Any goroutine.
func DefaultTransportConfig(name string) TransportConfig {
	var c C.jmp_transport_config
	C.jmp_transport_config_init(&c)
	return TransportConfig{Name: name, Class: TransportClass(c.transport_class), Cost: uint32(c.cost), MTU: uint32(c.mtu)}
}

func (config *TransportConfig) write(c *C.jmp_transport_config) error {
	C.jmp_transport_config_init(c)
	c.transport_class, c.cost, c.mtu = C.uint32_t(config.Class), C.uint32_t(config.Cost), C.uint32_t(config.MTU)
	return writeText(c.name[:], config.Name, ErrArgument, "name")
}

// ConnectConfig says how to begin a session (client side). Begin with DefaultConnectConfig.
type ConnectConfig struct {
	// Pattern is PatternNNpsk0 (default: a PSK) or PatternIKpsk2 (keys of both sides, the PSK optional).
	Pattern Pattern
	// Transport is the number AddTransport gave; with Remote it is the session's first path.
	Transport uint32
	// Remote is the gateway's address on that transport.
	Remote Address
	// Hint names the PSK to the gateway, 0 … HintMax bytes, sent in clear.
	Hint string
	// PSK is required for PatternNNpsk0; zeros mean none for PatternIKpsk2.
	PSK Key
	// GatewayKey is the gateway's X25519 public key (PatternIKpsk2).
	GatewayKey Key
	// HandshakeTimeout is 100 ms … 10 min; default 10 s.
	HandshakeTimeout time.Duration
	// Label is the session's audit label, 0 … 31 printable ASCII bytes, told to the gateway (encrypted).
	Label string
}

// DefaultConnectConfig is the library's defaults for a session over this transport to this address. Any goroutine.
func DefaultConnectConfig(transport uint32, remote Address) ConnectConfig {
	var c C.jmp_connect_config
	C.jmp_connect_config_init(&c)
	return ConnectConfig{Pattern: Pattern(c.pattern), Transport: transport, Remote: remote,
		HandshakeTimeout: microseconds(uint64(c.handshake_timeout_us))}
}

func (config *ConnectConfig) write(c *C.jmp_connect_config) error {
	C.jmp_connect_config_init(c)
	if len(config.Hint) > HintMax {
		return &FieldError{ErrArgument, "hint: expected at most 32 bytes"}
	}
	if config.HandshakeTimeout < 0 {
		return &FieldError{ErrArgument, "handshake_timeout_us: expected no negative time"}
	}
	c.pattern, c.transport = C.uint32_t(config.Pattern), C.uint32_t(config.Transport)
	c.hint_length = C.uint32_t(copy((*[HintMax]byte)(unsafe.Pointer(&c.hint))[:], config.Hint))
	config.Remote.write(&c.remote)
	*(*Key)(unsafe.Pointer(&c.psk)) = config.PSK
	*(*Key)(unsafe.Pointer(&c.gateway_key)) = config.GatewayKey
	c.handshake_timeout_us = C.uint64_t(config.HandshakeTimeout.Microseconds())
	return writeText(c.label[:], config.Label, ErrArgument, "label")
}

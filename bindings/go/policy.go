package jumping

// #include "scratch.h"
import "C"

import (
	"time"
	"unsafe"
)

// Policy is how a session behaves; it is checked as a whole. The gateway's is authoritative and travels to the client.
// Times count in whole microseconds, ratios in parts per million. Begin with DefaultPolicy; the zero Policy is invalid.
type Policy struct {
	// StrictBinding delivers payloads only from the bound path; default false.
	StrictBinding bool
	// MaxLifetime is 1 s … 7 d; default 8 h.
	MaxLifetime time.Duration
	// TransportLostTTL is 1 s … 1 d without two-way evidence on any path; default 30 s.
	TransportLostTTL time.Duration
	// HeartbeatInterval is 20 ms … 60 s, while active; default 500 ms.
	HeartbeatInterval time.Duration
	// IdleHeartbeat is HeartbeatInterval … 10 min; default 15 s.
	IdleHeartbeat time.Duration
	// HeartbeatVolatile is 20 ms … 60 s after an unanswered heartbeat; default 2 s.
	HeartbeatVolatile time.Duration
	// LossWindow is 100 ms … 60 s; default 2 s.
	LossWindow time.Duration
	// VolatileToDegraded is 10 ms … 10 min; default 4 s.
	VolatileToDegraded time.Duration
	// SwitchCooldown is 0 … 10 min; default 1.5 s. It binds voluntary switches only.
	SwitchCooldown time.Duration
	// RecoveryWindow is 100 ms … 10 min; default 8 s.
	RecoveryWindow time.Duration
	// ProofMaxAge is 100 ms … 60 s; default 5 s.
	ProofMaxAge time.Duration
	// LatencyVolatileThreshold is 0 for off (default), else 1 ms … 60 s.
	LatencyVolatileThreshold time.Duration
	// StabilityWindow is 10 ms … 60 s; default 2 s.
	StabilityWindow time.Duration
	// KeyMaxAge is 1 s … 1 d between key phases; default 2 min.
	KeyMaxAge time.Duration
	// LossVolatileThresholdPPM is 1,000 … 1,000,000; default 200,000.
	LossVolatileThresholdPPM uint32
	// MaxConsecutiveDrops is 2 … 64; default 3.
	MaxConsecutiveDrops uint32
	// MaxSwitchesPerMinute is 1 … 60; default 8.
	MaxSwitchesPerMinute uint32
	// SwitchImprovementPPM is 1,000,000 … 10,000,000; default 1,100,000 (10 % better).
	SwitchImprovementPPM uint32
	// MaxCandidates is 0 … 6 paths besides the active one; default 3.
	MaxCandidates uint32
	// AllowedClasses allows transport class n by bit n; default all.
	AllowedClasses uint32
	// ReplayWindow is 64 … 65,536 packet numbers, a power of two; default 1,024.
	ReplayWindow uint32
	// Suites is the set of cipher suites the policy allows; default SuiteAll.
	Suites Suite
	// Redundancy is RedundancyNever (default), RedundancyWhileVolatile or RedundancyAlways.
	Redundancy uint32
	// RedundancySharePPM is 1,000 … 1,000,000 of the protected bytes sent that may be copied; default 1,000,000.
	RedundancySharePPM uint32
	// ControlExpendable puts expendable payloads under congestion control too: Send gives ErrAgain, and the event Writable follows.
	ControlExpendable bool
	// Version is 0 … 31 printable ASCII bytes for the audit trail; default "default-1".
	Version string
}

// DefaultPolicy is the library's defaults. Any goroutine.
func DefaultPolicy() Policy {
	var c C.jmp_policy
	C.jmp_policy_init(&c)
	return readPolicy(&c)
}

// Check is nil for a valid policy, else a [*FieldError] with ErrPolicy. Any goroutine.
func (policy *Policy) Check() error {
	var c C.jmp_policy
	if err := policy.write(&c); err != nil {
		return err
	}
	return checkPolicy(&c)
}

func checkPolicy(c *C.jmp_policy) error {
	var message [messageSize]byte
	status := C.jmp_policy_check(c, (*C.char)(unsafe.Pointer(&message[0])), messageSize)
	return fieldError(status, message[:])
}

func (policy *Policy) write(c *C.jmp_policy) error {
	C.jmp_policy_init(c)
	durations := [...]struct {
		to   *C.uint64_t
		from time.Duration
		name string
	}{
		{&c.max_lifetime_us, policy.MaxLifetime, "max_lifetime_us"},
		{&c.transport_lost_ttl_us, policy.TransportLostTTL, "transport_lost_ttl_us"},
		{&c.heartbeat_interval_us, policy.HeartbeatInterval, "heartbeat_interval_us"},
		{&c.idle_heartbeat_us, policy.IdleHeartbeat, "idle_heartbeat_us"},
		{&c.heartbeat_volatile_us, policy.HeartbeatVolatile, "heartbeat_volatile_us"},
		{&c.loss_window_us, policy.LossWindow, "loss_window_us"},
		{&c.volatile_to_degraded_us, policy.VolatileToDegraded, "volatile_to_degraded_us"},
		{&c.switch_cooldown_us, policy.SwitchCooldown, "switch_cooldown_us"},
		{&c.recovery_window_us, policy.RecoveryWindow, "recovery_window_us"},
		{&c.proof_max_age_us, policy.ProofMaxAge, "proof_max_age_us"},
		{&c.latency_volatile_threshold_us, policy.LatencyVolatileThreshold, "latency_volatile_threshold_us"},
		{&c.stability_window_us, policy.StabilityWindow, "stability_window_us"},
		{&c.key_max_age_us, policy.KeyMaxAge, "key_max_age_us"},
	}
	for _, duration := range durations {
		if duration.from < 0 {
			return &FieldError{ErrPolicy, duration.name + ": expected no negative time"}
		}
		*duration.to = C.uint64_t(duration.from.Microseconds())
	}
	c.strict_binding = 0
	if policy.StrictBinding {
		c.strict_binding = 1
	}
	c.loss_volatile_threshold_ppm = C.uint32_t(policy.LossVolatileThresholdPPM)
	c.max_consecutive_drops = C.uint32_t(policy.MaxConsecutiveDrops)
	c.max_switches_per_min = C.uint32_t(policy.MaxSwitchesPerMinute)
	c.switch_improvement_ppm = C.uint32_t(policy.SwitchImprovementPPM)
	c.max_candidates, c.allowed_classes = C.uint32_t(policy.MaxCandidates), C.uint32_t(policy.AllowedClasses)
	c.replay_window, c.suites = C.uint32_t(policy.ReplayWindow), C.uint32_t(policy.Suites)
	c.redundancy, c.redundancy_share_ppm = C.uint32_t(policy.Redundancy), C.uint32_t(policy.RedundancySharePPM)
	c.control_expendable = 0
	if policy.ControlExpendable {
		c.control_expendable = 1
	}
	return writeText(c.version[:], policy.Version, ErrPolicy, "version")
}

func readPolicy(c *C.jmp_policy) Policy {
	return Policy{
		StrictBinding:            c.strict_binding != 0,
		MaxLifetime:              microseconds(uint64(c.max_lifetime_us)),
		TransportLostTTL:         microseconds(uint64(c.transport_lost_ttl_us)),
		HeartbeatInterval:        microseconds(uint64(c.heartbeat_interval_us)),
		IdleHeartbeat:            microseconds(uint64(c.idle_heartbeat_us)),
		HeartbeatVolatile:        microseconds(uint64(c.heartbeat_volatile_us)),
		LossWindow:               microseconds(uint64(c.loss_window_us)),
		VolatileToDegraded:       microseconds(uint64(c.volatile_to_degraded_us)),
		SwitchCooldown:           microseconds(uint64(c.switch_cooldown_us)),
		RecoveryWindow:           microseconds(uint64(c.recovery_window_us)),
		ProofMaxAge:              microseconds(uint64(c.proof_max_age_us)),
		LatencyVolatileThreshold: microseconds(uint64(c.latency_volatile_threshold_us)),
		StabilityWindow:          microseconds(uint64(c.stability_window_us)),
		KeyMaxAge:                microseconds(uint64(c.key_max_age_us)),
		LossVolatileThresholdPPM: uint32(c.loss_volatile_threshold_ppm),
		MaxConsecutiveDrops:      uint32(c.max_consecutive_drops),
		MaxSwitchesPerMinute:     uint32(c.max_switches_per_min),
		SwitchImprovementPPM:     uint32(c.switch_improvement_ppm),
		MaxCandidates:            uint32(c.max_candidates),
		AllowedClasses:           uint32(c.allowed_classes),
		ReplayWindow:             uint32(c.replay_window),
		Suites:                   Suite(c.suites),
		Redundancy:               uint32(c.redundancy),
		RedundancySharePPM:       uint32(c.redundancy_share_ppm),
		ControlExpendable:        c.control_expendable != 0,
		Version:                  readText(c.version[:]),
	}
}

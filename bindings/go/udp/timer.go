package udp

// #include "messages.h"
import "C"

import (
	"fmt"
	"os"
	"syscall"

	"jumping"
)

// timer wakes the loop at a moment of CLOCK_BOOTTIME. Go's own timers stand still while the machine is suspended and
// would wake a session of yesterday late.
type timer struct {
	// file is read by the timer's goroutine; descriptor is the same one, because File.Fd would make it blocking.
	file       *os.File
	descriptor C.int
	// armed is the moment the kernel will wake us, TimeNone for never.
	armed jumping.Time
	// ticks has one token after the moment passed.
	ticks chan struct{}
}

func newTimer() (*timer, error) {
	descriptor := C.jumping_udp_timer_new()
	if descriptor < 0 {
		return nil, fmt.Errorf("udp: timer: %w", syscall.Errno(-descriptor))
	}
	t := &timer{file: os.NewFile(uintptr(descriptor), "timer"), descriptor: descriptor,
		armed: jumping.TimeNone, ticks: make(chan struct{}, 1)}
	go t.run()
	return t, nil
}

// run ends when close closes the file.
func (t *timer) run() {
	var expirations [8]byte
	for {
		if _, err := t.file.Read(expirations[:]); err != nil {
			return
		}
		select {
		case t.ticks <- struct{}{}:
		default:
		}
	}
}

// arm makes the next tick come at a moment, or earlier when an earlier one is armed already: waking once for nothing is
// cheaper than a system call whenever a deadline moves back.
func (t *timer) arm(at, now jumping.Time) {
	if at == jumping.TimeNone || (t.armed != jumping.TimeNone && t.armed <= at && t.armed > now) {
		return
	}
	if C.jumping_udp_timer_arm(t.descriptor, C.uint64_t(at)) == 0 {
		t.armed = at
	}
}

func (t *timer) close() { t.file.Close() }

package jumping

// #include "scratch.h"
import "C"

import (
	"math"
	"time"
)

// Time is a moment of the host's clock: microseconds of a monotonic clock that counts through suspend (CLOCK_BOOTTIME).
// [TimeNone] is "no time". Simulations may use any clock of their own that does not run backwards.
type Time uint64

// Now is the moment CLOCK_BOOTTIME shows. Any goroutine.
func Now() Time { return Time(C.jumping_go_now()) }

// Add is the moment d later, in whole microseconds; it stops at 0 and at TimeNone, and TimeNone stays.
func (t Time) Add(d time.Duration) Time {
	if t == TimeNone {
		return t
	}
	step := d.Microseconds()
	if step < 0 {
		if back := Time(-step); back < t {
			return t - back
		}
		return 0
	}
	if Time(step) > TimeNone-t {
		return TimeNone
	}
	return t + Time(step)
}

// Sub is how long after u this moment is (negative when before), cut to what a Duration holds.
func (t Time) Sub(u Time) time.Duration {
	if t >= u {
		return microseconds(uint64(t - u))
	}
	return -microseconds(uint64(u - t))
}

// WallClockOffset is Unix time minus Now, to be told to [Endpoint.SetWallClock] so that events carry the wall clock. Any
// goroutine.
func WallClockOffset() time.Duration {
	return time.Duration(time.Now().UnixMicro()-int64(Now())) * time.Microsecond
}

// microseconds makes a Duration of them, the longest there is when they do not fit.
func microseconds(us uint64) time.Duration {
	if us > uint64(math.MaxInt64)/1000 {
		return math.MaxInt64
	}
	return time.Duration(us) * time.Microsecond
}

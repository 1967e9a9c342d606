package jumping

// #include "scratch.h"
import "C"

import "strconv"

// ErrAgain: nothing to hand out now; not a fault. The same value as [Again], under the name that fits errors.Is.
const ErrAgain = Again

// Domain is a family of statuses. errors.Is(err, domain) is true for every error of the family.
type Domain int32

// The families of [Status], by the hundreds of their numbers.
const (
	// ErrUsage: the call itself is wrong (-1 … -99), [ErrClosed] included.
	ErrUsage Domain = iota + 1
	// ErrStateOrPolicy: right, but not in the present state or against the policy (-100 … -199).
	ErrStateOrPolicy
	// ErrLimits: a cap or a rate is reached, or there is nothing now (-200 … -299).
	ErrLimits
	// ErrCryptography: libsodium, suites or keys (-300 … -399).
	ErrCryptography
	// ErrInternalFault: a broken invariant or no memory (-400 … -499).
	ErrInternalFault
)

// Error names the family.
func (d Domain) Error() string {
	switch d {
	case ErrUsage:
		return "jumping: usage error"
	case ErrStateOrPolicy:
		return "jumping: state or policy error"
	case ErrLimits:
		return "jumping: limit error"
	case ErrCryptography:
		return "jumping: cryptography error"
	case ErrInternalFault:
		return "jumping: internal error"
	}
	return "jumping: unknown error domain " + strconv.Itoa(int(d))
}

// Domain is the family of the status; 0 for [OK] and for numbers outside every family.
func (s Status) Domain() Domain {
	switch {
	case s <= -1 && s >= -99:
		return ErrUsage
	case s <= -100 && s >= -199:
		return ErrStateOrPolicy
	case s <= -200 && s >= -299:
		return ErrLimits
	case s <= -300 && s >= -399:
		return ErrCryptography
	case s <= -400 && s >= -499:
		return ErrInternalFault
	}
	return 0
}

// Error is the library's sentence for the status.
func (s Status) Error() string {
	return "jumping: " + C.GoString(C.jmp_strerror(C.jmp_status(s)))
}

// Is makes errors.Is(status, domain) true for the status's own [Domain].
func (s Status) Is(target error) bool {
	domain, isDomain := target.(Domain)
	return isDomain && domain != 0 && domain == s.Domain()
}

// FieldError says which field of a configuration or policy is wrong, and what was expected.
type FieldError struct {
	// Status is ErrArgument, ErrPolicy, ErrSuite or ErrStructSize; errors.Is sees it and its domain.
	Status Status
	// Message names the field as the C interface spells it.
	Message string
}

// Error is the message, or the status's sentence when there is none.
func (e *FieldError) Error() string {
	if e.Message == "" {
		return e.Status.Error()
	}
	return "jumping: " + e.Message
}

// Unwrap is the status.
func (e *FieldError) Unwrap() error { return e.Status }

type closedError struct{}

func (closedError) Error() string { return "jumping: the endpoint is closed" }

// A closed endpoint is to Go what JMP_ERR_ENDPOINT is to C.
func (closedError) Is(target error) bool { return target == ErrEndpoint || target == ErrUsage }

// ErrClosed: the endpoint was closed, or never made by NewEndpoint. errors.Is also finds [ErrEndpoint] and [ErrUsage].
var ErrClosed error = closedError{}

// statusErrors holds every status as an error value already: making one out of a number would allocate.
var statusErrors = func() (table [500]error) {
	for i := range table {
		if i > 0 {
			table[i] = Status(-i)
		}
	}
	return table
}()

// check is nil for JMP_OK, else the status as an error. It allocates nothing for the documented range.
func check(status C.jmp_status) error { return statusError(int32(status)) }

func statusError(status int32) error {
	if Status(status) == OK {
		return nil
	}
	if status < 0 && int(-status) < len(statusErrors) {
		return statusErrors[-status]
	}
	return Status(status)
}

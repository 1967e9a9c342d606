package jumping

// #include "scratch.h"
import "C"

import "encoding/hex"

// SessionID is the identity of a session: 128 random bits, constant from BIRTH to TERMINATED, never in clear on the wire.
type SessionID [SessionIDSize]byte

// String is the id as 32 hexadecimal digits, as events show it.
func (id SessionID) String() string { return hex.EncodeToString(id[:]) }

// nameTable is how many names of each family are kept as Go strings: every family's numbers lie below.
const nameTable = 64

// names keeps the constant strings of the library, which would cost an allocation each time otherwise.
type names [nameTable]string

func makeNames(look func(number C.uint32_t) *C.char) *names {
	table := new(names)
	for i := range table {
		table[i] = C.GoString(look(C.uint32_t(i)))
	}
	return table
}

func (table *names) get(number uint32, look func(number C.uint32_t) *C.char) string {
	if number < nameTable {
		return table[number]
	}
	return C.GoString(look(C.uint32_t(number)))
}

func lookState(n C.uint32_t) *C.char    { return C.jmp_state_name(n) }
func lookReason(n C.uint32_t) *C.char   { return C.jmp_reason_name(n) }
func lookEvent(n C.uint32_t) *C.char    { return C.jmp_event_name(n) }
func lookDrop(n C.uint32_t) *C.char     { return C.jmp_drop_name(n) }
func lookSuite(n C.uint32_t) *C.char    { return C.jmp_suite_name(n) }
func lookPathRole(n C.uint32_t) *C.char { return C.jmp_path_role_name(n) }

var (
	stateNames    = makeNames(lookState)
	reasonNames   = makeNames(lookReason)
	eventNames    = makeNames(lookEvent)
	dropNames     = makeNames(lookDrop)
	suiteNames    = makeNames(lookSuite)
	pathRoleNames = makeNames(lookPathRole)
)

// String is the stable name, e.g. "ATTACHED"; "UNKNOWN" for numbers that are none.
func (s State) String() string { return stateNames.get(uint32(s), lookState) }

// String is the stable name, e.g. "loss_threshold_exceeded"; "unknown" for numbers that are none.
func (r Reason) String() string { return reasonNames.get(uint32(r), lookReason) }

// String is the stable name, e.g. "TransportSwitch"; "Unknown" for numbers that are none.
func (t EventType) String() string { return eventNames.get(uint32(t), lookEvent) }

// String is the stable name, e.g. "bad_tag"; "unknown" for numbers that are none.
func (d DropCause) String() string { return dropNames.get(uint32(d), lookDrop) }

// String is the stable name of one suite, e.g. "AES-256-GCM"; "none" for sets and for no suite.
func (s Suite) String() string { return suiteNames.get(uint32(s), lookSuite) }

// String is the stable name, e.g. "standby"; "unknown" for numbers that are none.
func (r PathRole) String() string { return pathRoleNames.get(uint32(r), lookPathRole) }

// String is "client" or "gateway"; "unknown" for numbers that are neither.
func (r Role) String() string {
	switch r {
	case RoleClient:
		return "client"
	case RoleGateway:
		return "gateway"
	}
	return "unknown"
}

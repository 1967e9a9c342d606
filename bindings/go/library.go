package jumping

// #include "scratch.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// These two do not compile when constants.go was generated for another header than the one cgo found.
const (
	_ = uint(C.JMP_ABI_VERSION - ABIVersion)
	_ = uint(ABIVersion - C.JMP_ABI_VERSION)
)

// Version is the version of the library that is loaded, e.g. "0.1.0". Any goroutine.
func Version() string { return C.GoString(C.jmp_version()) }

// CheckABI compares the loaded library with the header this package was built with. NewEndpoint does it too. Any
// goroutine. Errors: one that names both numbers; errors.Is finds ErrStructSize in it.
func CheckABI() error {
	if loaded := uint32(C.jmp_abi_version()); loaded != ABIVersion {
		return fmt.Errorf("jumping: the loaded library has ABI %d, this program was built for %d: %w", loaded, ABIVersion, ErrStructSize)
	}
	return nil
}

// Init initialises libsodium. Every call that needs it does so itself; call Init to learn early whether it works. Any
// goroutine, any number of times. Errors: ErrCrypto.
func Init() error { return check(C.jmp_init()) }

// AvailableSuites is the set of cipher suites that this build, its libsodium and this CPU offer. Any goroutine. Errors:
// ErrCrypto.
func AvailableSuites() (Suite, error) {
	var suites C.uint32_t
	err := check(C.jmp_suites_available(&suites))
	return Suite(suites), err
}

// Route tells where a datagram belongs, as far as that can be told without keys.
type Route struct {
	Kind DatagramKind
	// ConnectionID is set for DatagramData, else 0.
	ConnectionID uint64
	// HandshakeID is set for every other kind, else 0.
	HandshakeID uint64
	// NodeTag is the [Config].NodeTag of the gateway that handed the connection id out (DatagramData), else 0.
	NodeTag uint16
}

// RouteDatagram tells, without keys, what kind of datagram this is and where it belongs: for balancers in front of
// several gateways. Any goroutine. Errors: ErrArgument (not a datagram of this protocol), ErrNull (empty).
func RouteDatagram(datagram []byte) (Route, error) {
	var route C.jmp_route
	route.struct_size = C.sizeof_jmp_route
	if err := check(C.jmp_route_datagram(bytesPointer(datagram), C.size_t(len(datagram)), &route)); err != nil {
		return Route{}, err
	}
	return Route{
		Kind:         DatagramKind(route.kind),
		ConnectionID: uint64(route.connection_id),
		HandshakeID:  uint64(route.handshake_id),
		NodeTag:      uint16(route.node_tag),
	}, nil
}

// bytesPointer is where a slice's bytes begin, nil for an empty one. C uses it for the length of the call only.
func bytesPointer(bytes []byte) *C.uint8_t {
	if len(bytes) == 0 {
		return nil
	}
	return (*C.uint8_t)(unsafe.Pointer(&bytes[0]))
}

// writeText puts text and a final 0 into a C character array, zeros behind it. field names the array in the error.
func writeText(array []C.char, text string, status Status, field string) error {
	if len(text) >= len(array) {
		return &FieldError{status, fmt.Sprintf("%s: expected at most %d bytes, got %d", field, len(array)-1, len(text))}
	}
	for i := range array {
		array[i] = 0
	}
	for i := 0; i < len(text); i++ {
		if text[i] == 0 {
			return &FieldError{status, field + ": expected no zero byte"}
		}
		array[i] = C.char(text[i])
	}
	return nil
}

// readText is the text of a C character array, to its first 0.
func readText(array []C.char) string {
	var bytes [NameSize + LabelSize]byte
	length := 0
	for length < len(array) && length < len(bytes) && array[length] != 0 {
		bytes[length] = byte(array[length])
		length++
	}
	return string(bytes[:length])
}

package jumping

// #include "scratch.h"
import "C"

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"unsafe"
)

// Address is a remote address as the library keeps it: opaque bytes, compared as a whole, never sent on the wire. Values
// compare with == and serve as map keys. The zero Address is no address.
type Address struct {
	bytes  [AddressMax]byte
	length uint8
	prefix uint8
}

// NewAddress makes an address of 1 … [AddressMax] bytes in a form of the host's own. prefixLength (0 … len(bytes)) is how
// many leading bytes name one source for rate limits; 0 means all. Errors: ErrArgument.
func NewAddress(bytes []byte, prefixLength int) (Address, error) {
	var address Address
	if len(bytes) < 1 || len(bytes) > AddressMax || prefixLength < 0 || prefixLength > len(bytes) {
		return address, ErrArgument
	}
	copy(address.bytes[:], bytes)
	address.length, address.prefix = uint8(len(bytes)), uint8(prefixLength)
	return address, nil
}

// AddressFromAddrPort writes an IP address and port: IPv4 as 4 bytes, IPv6 as 16, then the port as 2 bytes, big endian,
// then the IPv6 zone's name. One source for rate limits is an IPv4 address or an IPv6 /64. IPv4 mapped into IPv6 becomes
// IPv4, so that one peer has one address whatever socket heard it. Errors: ErrArgument for an invalid address or a zone
// longer than 14 bytes.
func AddressFromAddrPort(remote netip.AddrPort) (Address, error) {
	var address Address
	ip := remote.Addr().Unmap()
	switch {
	case ip.Is4():
		bytes := ip.As4()
		address.length, address.prefix = uint8(copy(address.bytes[:], bytes[:])), 4
	case ip.Is6():
		bytes := ip.As16()
		address.length, address.prefix = uint8(copy(address.bytes[:], bytes[:])), 8
	default:
		return address, ErrArgument
	}
	binary.BigEndian.PutUint16(address.bytes[address.length:], remote.Port())
	address.length += 2
	zone := ip.Zone()
	if int(address.length)+len(zone) > AddressMax {
		return Address{}, ErrArgument
	}
	address.length += uint8(copy(address.bytes[address.length:], zone))
	return address, nil
}

// AddrPort reads back what AddressFromAddrPort wrote; false for other forms.
func (a Address) AddrPort() (netip.AddrPort, bool) {
	switch {
	case a.length == 6 && a.prefix == 4:
		ip := netip.AddrFrom4(*(*[4]byte)(a.bytes[:4]))
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(a.bytes[4:])), true
	case a.length >= 18 && a.prefix == 8:
		ip := netip.AddrFrom16(*(*[16]byte)(a.bytes[:16]))
		if a.length > 18 {
			ip = ip.WithZone(string(a.bytes[18:a.length]))
		}
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(a.bytes[16:])), true
	}
	return netip.AddrPort{}, false
}

// IsValid is false for the zero Address.
func (a Address) IsValid() bool { return a.length > 0 }

// Bytes is a copy of the address's bytes.
func (a Address) Bytes() []byte { return append([]byte(nil), a.bytes[:a.length]...) }

// CopyTo copies the address's bytes and returns how many they are; room for AddressMax always suffices. It allocates
// nothing.
func (a Address) CopyTo(bytes []byte) int { return copy(bytes, a.bytes[:a.length]) }

// PrefixLength is how many leading bytes name one source; 0 means all.
func (a Address) PrefixLength() int { return int(a.prefix) }

// String is host:port for IP addresses, else the bytes in hexadecimal.
func (a Address) String() string {
	if remote, isIP := a.AddrPort(); isIP {
		return remote.String()
	}
	if !a.IsValid() {
		return "none"
	}
	return fmt.Sprintf("0x%s", hex.EncodeToString(a.bytes[:a.length]))
}

// write puts the address into a C struct.
func (a *Address) write(c *C.jmp_address) {
	c.length, c.prefix_length = C.uint8_t(a.length), C.uint8_t(a.prefix)
	*(*[AddressMax]byte)(unsafe.Pointer(&c.bytes)) = a.bytes
}

// readAddress takes the address out of a C struct.
func readAddress(c *C.jmp_address) Address {
	length, prefix := uint8(c.length), uint8(c.prefix_length)
	return Address{bytes: *(*[AddressMax]byte)(unsafe.Pointer(&c.bytes)), length: length, prefix: prefix}
}

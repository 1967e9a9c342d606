package jumping

// #include "scratch.h"
import "C"

import "unsafe"

// Key is a PSK, an X25519 key or a seed: 32 bytes. Go may have copied it elsewhere; Wipe clears this copy.
type Key [KeySize]byte

// Wipe overwrites the key with zeros.
func (k *Key) Wipe() { *k = Key{} }

// KeyPair makes an X25519 key pair from system randomness. Any goroutine. Errors: ErrCrypto.
func KeyPair() (public, secret Key, err error) {
	err = check(C.jmp_keypair(keyPointer(&public), keyPointer(&secret)))
	return public, secret, err
}

// PublicKey is the X25519 public key of a secret key (RFC 7748). Any goroutine. Errors: ErrCrypto, ErrKey.
func PublicKey(secret Key) (public Key, err error) {
	err = check(C.jmp_public_key(keyPointer(&secret), keyPointer(&public)))
	return public, err
}

// PSKFromPassphrase makes a PSK by Argon2id. It takes some 100 ms and 64 MiB: never call it per datagram. Both sides must
// use the same passphrase (1 … 1024 bytes), realm (0 … 255 bytes) and hint (0 … [HintMax] bytes). Whoever knows the
// passphrase can impersonate the gateway. Any goroutine. Errors: ErrNull (no passphrase), ErrArgument, ErrCrypto,
// ErrMemory.
func PSKFromPassphrase(passphrase, realm, hint string) (psk Key, err error) {
	secret, realmBytes, hintBytes := []byte(passphrase), []byte(realm), []byte(hint)
	err = check(C.jmp_psk_from_passphrase(bytesPointer(secret), C.size_t(len(secret)),
		bytesPointer(realmBytes), C.size_t(len(realmBytes)), bytesPointer(hintBytes), C.size_t(len(hintBytes)),
		keyPointer(&psk)))
	for i := range secret {
		secret[i] = 0
	}
	return psk, err
}

// SetStaticKey gives the endpoint its own X25519 secret key: a gateway needs one to accept PatternIKpsk2, a client to use
// it. Replaces an earlier one; sessions that exist keep going. Errors: ErrClosed, ErrForked, ErrKey.
func (e *Endpoint) SetStaticKey(secret Key) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.wipeKeys()
	return check(C.jmp_endpoint_set_static_key(e.c.endpoint, e.loadKey(&secret)))
}

// AddPSK adds a PSK that clients name by hint (0 … [HintMax] bytes; the empty hint is the key of clients that send none).
// Errors: ErrClosed, ErrForked, ErrArgument, ErrExists, ErrCredentialLimit, ErrKey (all zeros), ErrMemory.
func (e *Endpoint) AddPSK(hint string, psk Key) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.wipeKeys()
	pointer, length, err := e.loadHint(hint)
	if err != nil {
		return err
	}
	return check(C.jmp_endpoint_add_psk(e.c.endpoint, pointer, length, e.loadKey(&psk)))
}

// RemovePSK removes the PSK of a hint and wipes it; sessions that exist keep going. Errors: ErrClosed, ErrForked,
// ErrArgument, ErrNotFound.
func (e *Endpoint) RemovePSK(hint string) error {
	if err := e.enter(); err != nil {
		return err
	}
	pointer, length, err := e.loadHint(hint)
	if err != nil {
		return err
	}
	return check(C.jmp_endpoint_remove_psk(e.c.endpoint, pointer, length))
}

// AddClientKey lets the client with this X25519 public key in by PatternIKpsk2, with its PSK or nil for none. Errors:
// ErrClosed, ErrForked, ErrExists, ErrCredentialLimit, ErrKey, ErrMemory.
func (e *Endpoint) AddClientKey(public Key, psk *Key) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.wipeKeys()
	return check(C.jmp_endpoint_add_client_key(e.c.endpoint, e.loadKey(&public), e.loadSecondKey(psk)))
}

// RemoveClientKey removes a client key; sessions that exist keep going. Errors: ErrClosed, ErrForked, ErrNotFound.
func (e *Endpoint) RemoveClientKey(public Key) error {
	if err := e.enter(); err != nil {
		return err
	}
	return check(C.jmp_endpoint_remove_client_key(e.c.endpoint, e.loadKey(&public)))
}

// keyPointer is where a key's bytes begin. C uses it for the length of the call only.
func keyPointer(key *Key) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(&key[0])) }

// loadKey copies a key into the endpoint's C memory; wipeKeys clears it after the call.
func (e *Endpoint) loadKey(key *Key) *C.uint8_t {
	*(*Key)(unsafe.Pointer(&e.c.key)) = *key
	return &e.c.key[0]
}

// loadSecondKey is loadKey for a call with two keys, the second optional: nil stays NULL.
func (e *Endpoint) loadSecondKey(key *Key) *C.uint8_t {
	if key == nil {
		return nil
	}
	*(*Key)(unsafe.Pointer(&e.c.second_key)) = *key
	return &e.c.second_key[0]
}

func (e *Endpoint) wipeKeys() {
	*(*Key)(unsafe.Pointer(&e.c.key)) = Key{}
	*(*Key)(unsafe.Pointer(&e.c.second_key)) = Key{}
}

// loadHint copies a hint into the endpoint's C memory. A longer one than C memory holds is what the library would refuse.
func (e *Endpoint) loadHint(hint string) (*C.uint8_t, C.size_t, error) {
	if len(hint) > HintMax {
		return nil, 0, ErrArgument
	}
	copy((*[HintMax]byte)(unsafe.Pointer(&e.c.hint))[:], hint)
	return &e.c.hint[0], C.size_t(len(hint)), nil
}

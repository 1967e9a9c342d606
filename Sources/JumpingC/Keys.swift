import CJumping
import Jumping

/// Makes an X25519 key pair from system randomness; each buffer is `JMP_KEY_SIZE` (32) bytes. The caller wipes
/// the secret key. Any thread. Errors: `JMP_ERR_NULL`, `JMP_ERR_CRYPTO`.
@_cdecl("jmp_keypair")
public func jmp_keypair(_ publicKey: UnsafeMutablePointer<UInt8>?, _ secretKey: UnsafeMutablePointer<UInt8>?) -> jmp_status {
    guard let publicKey, let secretKey else { return JMP_ERR_NULL }
    guard Library.initialize() else { return JMP_ERR_CRYPTO }
    return Library.makeKeyPair(publicKey: publicKey, secretKey: secretKey)
}

/// The public key of a secret key, each 32 bytes (X25519, RFC 7748). Any thread. Errors: `JMP_ERR_NULL`,
/// `JMP_ERR_CRYPTO`, `JMP_ERR_KEY`.
@_cdecl("jmp_public_key")
public func jmp_public_key(_ secretKey: UnsafePointer<UInt8>?, _ publicKey: UnsafeMutablePointer<UInt8>?) -> jmp_status {
    guard let secretKey, let publicKey else { return JMP_ERR_NULL }
    guard Library.initialize() else { return JMP_ERR_CRYPTO }
    return Library.derivePublicKey(secretKey: secretKey, publicKey: publicKey)
}

/// A 32-byte PSK from a passphrase: Argon2id (3 passes, 64 MiB) with salt = first 16 bytes of
/// BLAKE2b(length(realm) ‖ realm ‖ hint). Takes some 100 ms and 64 MiB: never call it per datagram. Both sides must use
/// the same passphrase (1 … 1024 bytes), realm (0 … 255 bytes) and hint (0 … `JMP_HINT_MAX` bytes). Any thread.
/// Errors: `JMP_ERR_NULL`, `JMP_ERR_ARGUMENT`, `JMP_ERR_CRYPTO`, `JMP_ERR_MEMORY`.
@_cdecl("jmp_psk_from_passphrase")
public func jmp_psk_from_passphrase(_ passphrase: UnsafePointer<UInt8>?, _ passphraseLength: Int,
                                    _ realm: UnsafePointer<UInt8>?, _ realmLength: Int,
                                    _ hint: UnsafePointer<UInt8>?, _ hintLength: Int,
                                    _ psk: UnsafeMutablePointer<UInt8>?) -> jmp_status {
    guard let passphrase, let psk else { return JMP_ERR_NULL }
    guard passphraseLength >= 1, passphraseLength <= 1024, realmLength >= 0, realmLength <= 255,
          hintLength >= 0, hintLength <= Int(JMP_HINT_MAX) else { return JMP_ERR_ARGUMENT }
    guard realm != nil || realmLength == 0, hint != nil || hintLength == 0 else { return JMP_ERR_NULL }
    guard Library.initialize() else { return JMP_ERR_CRYPTO }
    return Library.stretchPassphrase(UnsafeRawBufferPointer(start: passphrase, count: passphraseLength),
                                     realm: UnsafeRawBufferPointer(start: realm, count: realmLength),
                                     hint: UnsafeRawBufferPointer(start: hint, count: hintLength), into: psk)
}

/// Gives the endpoint its own X25519 secret key (32 bytes, copied): a gateway needs one to accept IKpsk2, a client to
/// use it. Replaces an earlier one; sessions that exist keep going. Errors: `JMP_ERR_NULL`, `JMP_ERR_ENDPOINT`,
/// `JMP_ERR_FORKED`, `JMP_ERR_KEY`.
@_cdecl("jmp_endpoint_set_static_key")
public func jmp_endpoint_set_static_key(_ endpoint: OpaquePointer?, _ secretKey: UnsafePointer<UInt8>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let secretKey else { return JMP_ERR_NULL }
    return e.pointee.setStaticKey(secretKey)
}

/// Adds a PSK (32 bytes, copied) that clients name by `hint` (0 … `JMP_HINT_MAX` bytes; the empty hint is the key of
/// clients that send none). Errors: `JMP_ERR_NULL`, `JMP_ERR_ARGUMENT`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`,
/// `JMP_ERR_EXISTS`, `JMP_ERR_CREDENTIAL_LIMIT`, `JMP_ERR_KEY` (all zeros), `JMP_ERR_MEMORY`.
@_cdecl("jmp_endpoint_add_psk")
public func jmp_endpoint_add_psk(_ endpoint: OpaquePointer?, _ hint: UnsafePointer<UInt8>?, _ hintLength: Int,
                                 _ psk: UnsafePointer<UInt8>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let psk, hint != nil || hintLength == 0 else { return JMP_ERR_NULL }
    guard hintLength >= 0, hintLength <= Int(JMP_HINT_MAX) else { return JMP_ERR_ARGUMENT }
    return e.pointee.addPSK(hint: UnsafeRawBufferPointer(start: hint, count: hintLength), psk: psk)
}

/// Removes the PSK of a hint and wipes it; sessions that exist keep going. Errors: `JMP_ERR_NULL`, `JMP_ERR_ARGUMENT`,
/// `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_NOT_FOUND`.
@_cdecl("jmp_endpoint_remove_psk")
public func jmp_endpoint_remove_psk(_ endpoint: OpaquePointer?, _ hint: UnsafePointer<UInt8>?, _ hintLength: Int) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard hint != nil || hintLength == 0 else { return JMP_ERR_NULL }
    guard hintLength >= 0, hintLength <= Int(JMP_HINT_MAX) else { return JMP_ERR_ARGUMENT }
    return e.pointee.removePSK(hint: UnsafeRawBufferPointer(start: hint, count: hintLength))
}

/// Lets a client with this X25519 public key (32 bytes) in by IKpsk2, with its PSK (32 bytes) or NULL for none.
/// Errors: `JMP_ERR_NULL`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_EXISTS`, `JMP_ERR_CREDENTIAL_LIMIT`,
/// `JMP_ERR_KEY`, `JMP_ERR_MEMORY`.
@_cdecl("jmp_endpoint_add_client_key")
public func jmp_endpoint_add_client_key(_ endpoint: OpaquePointer?, _ publicKey: UnsafePointer<UInt8>?,
                                        _ psk: UnsafePointer<UInt8>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let publicKey else { return JMP_ERR_NULL }
    return e.pointee.addClientKey(publicKey, psk: psk)
}

/// Removes a client key; sessions that exist keep going. Errors: `JMP_ERR_NULL`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`,
/// `JMP_ERR_NOT_FOUND`.
@_cdecl("jmp_endpoint_remove_client_key")
public func jmp_endpoint_remove_client_key(_ endpoint: OpaquePointer?, _ publicKey: UnsafePointer<UInt8>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let publicKey else { return JMP_ERR_NULL }
    return e.pointee.removeClientKey(publicKey)
}

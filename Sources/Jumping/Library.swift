import CJumping
import JumpingCrypto
import JumpingWire

/// What needs no endpoint.
package enum Library {
    package static func initialize() -> Bool {
        Sodium.initialize()
    }

    package static var availableSuites: UInt32 { Suite.available }

    package static func makeKeyPair(publicKey: UnsafeMutablePointer<UInt8>, secretKey: UnsafeMutablePointer<UInt8>) -> jmp_status {
        var random = RandomSource()
        X25519.keyPair(&random, public: publicKey, secret: secretKey)
        return JMP_OK
    }

    package static func derivePublicKey(secretKey: UnsafePointer<UInt8>, publicKey: UnsafeMutablePointer<UInt8>) -> jmp_status {
        X25519.publicKey(secret: secretKey, into: publicKey) ? JMP_OK : JMP_ERR_KEY
    }

    package static func stretchPassphrase(_ passphrase: UnsafeRawBufferPointer, realm: UnsafeRawBufferPointer, hint: UnsafeRawBufferPointer,
                                          into psk: UnsafeMutablePointer<UInt8>) -> jmp_status {
        PassphraseKey.derive(passphrase: passphrase, realm: realm, hint: hint, into: psk) ? JMP_OK : JMP_ERR_MEMORY
    }

    /// What a balancer can tell of a datagram without keys.
    package static func route(_ datagram: UnsafeRawBufferPointer, _ route: UnsafeMutablePointer<jmp_route>) -> jmp_status {
        var out = jmp_route()
        out.struct_size = UInt32(MemoryLayout<jmp_route>.size)
        var reader = ByteReader(datagram)
        let first = reader.u8()
        if DataPacket.isData(first), !reader.failed {
            guard datagram.count >= DataPacket.minimumLength else { return JMP_ERR_ARGUMENT }
            out.kind = UInt32(bitPattern: JMP_DATAGRAM_DATA)
            out.connection_id = reader.u64()
            out.node_tag = UInt32(truncatingIfNeeded: out.connection_id >> 48)
        } else {
            switch first {
            case HandshakePacket.initByte: out.kind = UInt32(bitPattern: JMP_DATAGRAM_INIT)
            case HandshakePacket.responseByte: out.kind = UInt32(bitPattern: JMP_DATAGRAM_RESP)
            case HandshakePacket.cookieByte: out.kind = UInt32(bitPattern: JMP_DATAGRAM_COOKIE)
            case HandshakePacket.adoptByte: out.kind = UInt32(bitPattern: JMP_DATAGRAM_ADOPT)
            default: return JMP_ERR_ARGUMENT
            }
            if first == HandshakePacket.initByte || first == HandshakePacket.adoptByte { _ = reader.u32() }
            out.handshake_id = reader.u64()
        }
        guard !reader.failed else { return JMP_ERR_ARGUMENT }
        route.pointee = out
        return JMP_OK
    }
}

import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

/// What the host asks of the endpoint and its sessions, apart from datagrams.
extension Endpoint {
    // MARK: keys

    package mutating func setStaticKey(_ secret: UnsafePointer<UInt8>) -> jmp_status {
        guard !Sodium.isZero(secret, 32) else { return JMP_ERR_KEY }
        var key = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        let isGood = withUnsafeMutableBytes(of: &key) { bytes in bytes.baseAddress.map { X25519.publicKey(secret: secret, into: $0) } ?? false }
        guard isGood else { return JMP_ERR_KEY }
        env.staticSecret = Key32(copying: secret)
        env.staticPublic = withUnsafeBytes(of: &key) { CredentialName($0) }
        env.hasStaticKey = true
        return JMP_OK
    }

    package mutating func addPSK(hint: UnsafeRawBufferPointer, psk: UnsafePointer<UInt8>) -> jmp_status {
        guard !Sodium.isZero(psk, 32) else { return JMP_ERR_KEY }
        return env.pskCredentials.add(CredentialName(hint), psk: psk)
    }

    package mutating func removePSK(hint: UnsafeRawBufferPointer) -> jmp_status {
        env.pskCredentials.remove(CredentialName(hint))
    }

    package mutating func addClientKey(_ key: UnsafePointer<UInt8>, psk: UnsafePointer<UInt8>?) -> jmp_status {
        guard !Sodium.isZero(key, 32) else { return JMP_ERR_KEY }
        return env.keyCredentials.add(CredentialName(UnsafeRawBufferPointer(start: key, count: 32)), psk: psk)
    }

    package mutating func removeClientKey(_ key: UnsafePointer<UInt8>) -> jmp_status {
        env.keyCredentials.remove(CredentialName(UnsafeRawBufferPointer(start: key, count: 32)))
    }

    package mutating func setWallClock(offset: Int64) {
        env.config.wallClockOffset = offset
    }

    // MARK: transports

    package mutating func addTransport(_ config: UnsafePointer<jmp_transport_config>, _ now: jmp_time, _ number: UnsafeMutablePointer<UInt32>) -> jmp_status {
        env.advance(to: now)
        let (status, transport) = Settings.transport(config)
        guard status == JMP_OK else { return status }
        guard env.transports.find(transport.name) == nil else { return JMP_ERR_EXISTS }
        guard let added = env.transports.add(transport) else { return JMP_ERR_TRANSPORT_LIMIT }
        number.pointee = added
        return JMP_OK
    }

    package mutating func setTransport(_ number: UInt32, _ config: UnsafePointer<jmp_transport_config>, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        guard env.transports.contains(number) else { return JMP_ERR_TRANSPORT }
        let (status, transport) = Settings.transport(config)
        guard status == JMP_OK else { return status }
        guard transport.name == env.transports[number].name else { return JMP_ERR_ARGUMENT }
        env.transports.set(number, transport)
        beginSweep()
        return JMP_OK
    }

    package mutating func removeTransport(_ number: UInt32, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        guard env.transports.contains(number) else { return JMP_ERR_TRANSPORT }
        env.transports.remove(number)
        env.outgoing.forget(transport: number)
        beginSweep()
        return JMP_OK
    }

    package mutating func hintTransport(_ number: UInt32, isUp: Bool, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        guard env.transports.contains(number) else { return JMP_ERR_TRANSPORT }
        env.transports.hint(number, isUp: isUp)
        beginSweep()
        return JMP_OK
    }

    // MARK: sessions

    package mutating func markUnsent(_ handle: jmp_session, _ packetNumber: UInt64, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        return withSession(handle) { session, _ in session.markUnsent(packetNumber) }
    }

    package mutating func close(_ handle: jmp_session, reason: UInt32, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        guard let why = Reason(rawValue: UInt8(truncatingIfNeeded: reason)), reason == UInt32(why.rawValue),
              why == .operatorTerminated || why == .securityFailure else { return JMP_ERR_ARGUMENT }
        if let index = sessions.resolve(handle), sessions[index].isHalfOpen, isCurrent(index) {
            abandon(index)
            return JMP_OK
        }
        return withSession(handle) { session, env in
            guard session.state != .terminated else { return JMP_ERR_TERMINATED }
            session.terminate(why, tellPeer: true, &env)
            return JMP_OK
        }
    }

    package mutating func addPath(_ handle: jmp_session, _ transport: UInt32, _ remote: UnsafePointer<jmp_address>, _ now: jmp_time,
                                  _ path: UnsafeMutablePointer<UInt32>) -> jmp_status {
        env.advance(to: now)
        guard let address = Address(remote) else { return JMP_ERR_ARGUMENT }
        return withSession(handle) { session, env in
            let (status, id) = session.addPath(transport, address, &env)
            if status == JMP_OK { path.pointee = id }
            return status
        }
    }

    package mutating func removePath(_ handle: jmp_session, _ path: UInt32, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        return withSession(handle) { session, env in session.removePath(path, &env) }
    }

    package mutating func requestSwitch(_ handle: jmp_session, _ path: UInt32, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        return withSession(handle) { session, env in session.requestSwitch(path, &env) }
    }

    package mutating func setPolicy(_ handle: jmp_session, _ policy: UnsafePointer<jmp_policy>, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        let (status, fresh) = Settings.policy(policy, Message(nil, 0))
        guard status == JMP_OK else { return status }
        return withSession(handle) { session, env in session.replacePolicy(fresh, &env) }
    }

    package mutating func rekey(_ handle: jmp_session, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        return withSession(handle) { session, env in
            if session.state == .terminated { return JMP_ERR_TERMINATED }
            guard session.state != .birth, session.keys != nil else { return JMP_ERR_STATE }
            guard session.canRotate(env.now) else { return JMP_ERR_RATE_LIMITED }
            session.rotateKeys(&env)
            return JMP_OK
        }
    }

    // MARK: looking

    package mutating func fill(_ info: UnsafeMutablePointer<jmp_session_info>, _ handle: jmp_session) -> jmp_status {
        withSession(handle) { session, env in
            session.fill(info, env)
            return JMP_OK
        }
    }

    package mutating func fill(_ stats: UnsafeMutablePointer<jmp_session_stats>, _ handle: jmp_session) -> jmp_status {
        withSession(handle) { session, _ in
            session.fill(stats)
            return JMP_OK
        }
    }

    package mutating func fill(_ policy: UnsafeMutablePointer<jmp_policy>, _ handle: jmp_session) -> jmp_status {
        withSession(handle) { session, _ in
            Settings.export(session.policy, policy)
            return JMP_OK
        }
    }

    package mutating func listPaths(_ handle: jmp_session, _ paths: UnsafeMutablePointer<jmp_path_info>?, _ capacity: Int,
                                    _ count: UnsafeMutablePointer<Int>) -> jmp_status {
        withSession(handle) { session, env in
            count.pointee = session.paths.count
            guard capacity >= session.paths.count else { return JMP_ERR_BUFFER_TOO_SMALL }
            if let paths { session.fill(paths, env) }
            return JMP_OK
        }
    }

    package mutating func explain(_ handle: jmp_session, _ now: jmp_time, _ message: Message) -> jmp_status {
        env.advance(to: now)
        var text = message
        return withSession(handle) { session, env in
            session.explain(&text, env)
            return JMP_OK
        }
    }

    package func fill(_ stats: UnsafeMutablePointer<jmp_endpoint_stats>) {
        var out = jmp_endpoint_stats()
        out.struct_size = UInt32(MemoryLayout<jmp_endpoint_stats>.size)
        out.sessions = UInt32(clamping: sessions.count)
        out.half_open = UInt32(clamping: env.halfOpen)
        out.waiting = UInt32(clamping: env.waiting)
        out.transports = UInt32(clamping: env.transports.count)
        out.seeded = env.random.isSeeded ? 1 : 0
        out.datagrams_received = env.counters.datagramsReceived
        out.datagrams_sent = env.counters.datagramsSent
        out.handshakes_completed = env.counters.handshakesCompleted
        out.sessions_terminated = env.counters.sessionsTerminated
        out.events_dropped = env.events.dropped
        out.clock_went_backwards = env.counters.clockWentBackwards
        out.late_calls = env.counters.lateCalls
        let dropped = env.counters.dropped
        withUnsafeMutableBytes(of: &out.dropped) { target in withUnsafeBytes(of: dropped) { target.copyMemory(from: $0) } }
        stats.pointee = out
    }
}

extension Session {
    /// A planned handover. The client jumps itself; the gateway asks the client by a report, and where to is the client's choice.
    mutating func requestSwitch(_ path: UInt32, _ env: inout Environment) -> jmp_status {
        if state == .terminated { return JMP_ERR_TERMINATED }
        guard state == .attached else { return JMP_ERR_STATE }
        if !isClient {
            guard path == JMP_PATH_NONE else { return JMP_ERR_ROLE }
            becomeVolatile(.operatorRequested, &env)
            return JMP_OK
        }
        var slot = bestCandidate(mustBeProven: true, env)
        if path != JMP_PATH_NONE {
            guard let wanted = paths.find(id: path), wanted != activeSlot else { return JMP_ERR_PATH }
            slot = paths[wanted].isValidated && !paths[wanted].isDead ? wanted : nil
        }
        let denial: Reason? = slot == nil ? .noCandidateTransports : switchDenial(env)?.reason
        if let denial {
            counters.rare.switchesDenied &+= 1
            emit(JMP_EVENT_TRANSPORT_SWITCH_DENIED, reason: denial, &env)
            return JMP_ERR_SWITCH_DENIED
        }
        emit(JMP_EVENT_VOLATILITY_SIGNAL, reason: .operatorRequested, &env)
        transition(to: .volatile, .operatorRequested, &env)
        episode.isOperatorRequested = true
        episode.requestedSlot = slot
        recover(&env)
        return JMP_OK
    }
}

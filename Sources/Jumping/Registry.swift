import CJumping
import JumpingCrypto
import JumpingSession

/// Endpoint handles: numbers that the process-wide table turns into endpoints, so that a wrong, freed or forked one is an error.
package enum Registry {
    @inline(__always)
    package static func find(_ handle: OpaquePointer?) -> UnsafeMutablePointer<Endpoint>? {
        let endpoint = jumping_registry_find(UnsafeRawPointer(handle))?.assumingMemoryBound(to: Endpoint.self)
        #if DEBUG
        endpoint?.pointee.checkInvariants()
        #endif
        return endpoint
    }

    /// Why `find` gave nil.
    package static func failure(_ handle: OpaquePointer?) -> jmp_status {
        guard handle != nil else { return JMP_ERR_NULL }
        return jumping_registry_failure(UnsafeRawPointer(handle)) == Int32(JUMPING_HANDLE_FORKED) ? JMP_ERR_FORKED : JMP_ERR_ENDPOINT
    }

    package static func create(_ config: UnsafePointer<jmp_config>?, _ policy: UnsafePointer<jmp_policy>?, seed: UnsafePointer<UInt8>?,
                               _ now: jmp_time, _ result: UnsafeMutablePointer<OpaquePointer?>?) -> jmp_status {
        guard let result else { return JMP_ERR_NULL }
        result.pointee = nil
        guard Library.initialize() else { return JMP_ERR_CRYPTO }
        guard now != .max else { return JMP_ERR_ARGUMENT }
        var settings = Config()
        if let config {
            let (status, given) = Settings.config(config, Message(nil, 0))
            guard status == JMP_OK else { return status }
            settings = given
        }
        var rules = Policy()
        if let policy {
            let (status, given) = Settings.policy(policy, Message(nil, 0))
            guard status == JMP_OK else { return status }
            rules = given
        }
        let wanted = settings.suites & rules.suites
        guard wanted & Suite.available != 0 else { return JMP_ERR_SUITE }
        // A seeded run must not depend on the CPU: its suites are named exactly.
        if seed != nil, wanted & Suite.available != settings.suites { return JMP_ERR_SUITE }
        let endpoint = UnsafeMutablePointer<Endpoint>.allocate(capacity: 1)
        if let seed {
            endpoint.initialize(to: Endpoint(config: settings, policy: rules, random: RandomSource(seed: seed), now: now))
        } else {
            endpoint.initialize(to: Endpoint(config: settings, policy: rules, random: RandomSource(), now: now))
        }
        guard let handle = jumping_registry_insert(endpoint) else {
            endpoint.deinitialize(count: 1)
            endpoint.deallocate()
            return JMP_ERR_ENDPOINT_LIMIT
        }
        result.pointee = OpaquePointer(handle)
        return JMP_OK
    }

    package static func destroy(_ handle: OpaquePointer?) -> jmp_status {
        guard let core = jumping_registry_remove(UnsafeRawPointer(handle)) else { return failure(handle) }
        let endpoint = core.assumingMemoryBound(to: Endpoint.self)
        endpoint.deinitialize(count: 1)
        endpoint.deallocate()
        return JMP_OK
    }
}

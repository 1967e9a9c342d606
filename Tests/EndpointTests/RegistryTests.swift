import CJumping
import Foundation
import JumpingC
import Testing
@testable import Jumping

/// Handles are numbers: a wrong one is an error, never a crash.
struct RegistryTests {
    private func make() -> OpaquePointer? {
        var handle: OpaquePointer?
        expectOK(jmp_endpoint_new(nil, nil, 0, &handle))
        return handle
    }

    @Test func aFreedHandleIsAnErrorForEver() {
        let first = make()
        expectOK(jmp_handle_timeout(first, 1))
        expectOK(jmp_endpoint_free(first))
        #expect(jmp_endpoint_free(first) == JMP_ERR_ENDPOINT)
        #expect(jmp_handle_timeout(first, 1) == JMP_ERR_ENDPOINT)
        let next = (0..<50).map { _ in make() }
        #expect(!next.contains(first), "a handle is used once")
        #expect(jmp_handle_timeout(first, 1) == JMP_ERR_ENDPOINT)
        for handle in next { expectOK(jmp_endpoint_free(handle)) }
    }

    @Test func anyNumberIsSafeToHandIn() {
        var random = SeededGenerator(seed: 8)
        let alive = make()
        for _ in 0..<2000 {
            let number = UInt(random.next() >> (random.next() % 60))
            guard let handle = OpaquePointer(bitPattern: number), handle != alive else { continue }
            #expect(jmp_handle_timeout(handle, 0) == JMP_ERR_ENDPOINT)
        }
        #expect(jmp_handle_timeout(nil, 0) == JMP_ERR_NULL)
        #expect(jmp_endpoint_free(nil) == JMP_OK)
        expectOK(jmp_handle_timeout(alive, 0))
        expectOK(jmp_endpoint_free(alive))
    }

    @Test func aSessionHandleOfAnotherTimeOrPlaceIsAnError() {
        let pair = Pair.established(), other = Pair.established()
        var random = SeededGenerator(seed: 9)
        var info = jmp_session_info()
        info.struct_size = UInt32(MemoryLayout<jmp_session_info>.size)
        for handle in [0, 1, .max, pair.client.session + 1, pair.client.session ^ 1 << 32] + (0..<500).map({ _ in random.next() }) {
            guard handle != pair.client.session else { continue }
            #expect(jmp_session_get_info(pair.client.handle, handle, &info) == JMP_ERR_SESSION)
            #expect(jmp_session_close(pair.client.handle, handle, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now) == JMP_ERR_SESSION)
        }
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        #expect(other.info(.client).state == JMP_STATE_ATTACHED)
    }

    @Test func nothingCanBeCreatedWithoutItsArguments() {
        #expect(jmp_endpoint_new(nil, nil, 0, nil) == JMP_ERR_NULL)
        var handle = OpaquePointer(bitPattern: 1)
        #expect(jmp_endpoint_new_seeded(nil, nil, nil, 0, &handle) == JMP_ERR_NULL)
        #expect(handle == nil)
        var config = jmp_config()
        #expect(jmp_endpoint_new(&config, nil, 0, &handle) == JMP_ERR_STRUCT_SIZE)
        expectOK(jmp_config_init(&config))
        config.flags = 0
        #expect(jmp_endpoint_new(&config, nil, 0, &handle) == JMP_ERR_ARGUMENT)
        var policy = jmp_policy()
        expectOK(jmp_policy_init(&policy))
        policy.suites = 0
        #expect(jmp_endpoint_new(nil, &policy, 0, &handle) == JMP_ERR_POLICY)
        #expect(handle == nil)
    }

    /// In a forked child keys and nonces would repeat: its parent's endpoint is refused there and untouched here.
    @Test func aForkedChildCannotUseItsParentsEndpoint() throws {
        typealias Fork = @convention(c) () -> Int32
        let symbol = try #require(dlsym(UnsafeMutableRawPointer(bitPattern: 0), "fork"))
        let fork = unsafeBitCast(symbol, to: Fork.self)
        let handle = make()
        let child = fork()
        if child == 0 {
            let isRefused = jmp_handle_timeout(handle, 0) == JMP_ERR_FORKED && jmp_endpoint_free(handle) == JMP_ERR_FORKED
            _exit(isRefused ? 42 : 1)
        }
        var status: Int32 = 0
        #expect(waitpid(child, &status, 0) == child)
        #expect(status == 42 << 8)
        expectOK(jmp_handle_timeout(handle, 0))
        expectOK(jmp_endpoint_free(handle))
    }
}

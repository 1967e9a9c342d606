import CJumping
import JumpingCrypto
import Testing
@testable import Jumping

struct CredentialsTests {
    private func name(_ text: String) -> CredentialName {
        Array(text.utf8).withUnsafeBytes { CredentialName($0) }
    }

    private func psk(_ number: Int) -> [UInt8] {
        (0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 4 * 8)) &+ UInt8($0) }
    }

    private func find(_ credentials: borrowing Credentials, _ name: CredentialName) -> [UInt8]? {
        var key = [UInt8](repeating: 0xEE, count: 32)
        return credentials.copyPSK(name, to: &key) ? key : nil
    }

    /// Additions, removals and look-ups against a dictionary.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func theyHoldWhatADictionaryHolds(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var source = RandomSource(seed: [UInt8](repeating: 3, count: 32))
        var credentials = Credentials(random: &source)
        var model: [String: [UInt8]] = [:]
        for step in 0..<5000 {
            let hint = "client \(random.next() % 300)"
            switch random.next() % 3 {
            case 0:
                let status = credentials.add(name(hint), psk: psk(step))
                verify(status == (model[hint] == nil ? JMP_OK : JMP_ERR_EXISTS))
                if model[hint] == nil { model[hint] = psk(step) }
            case 1:
                verify(credentials.remove(name(hint)) == (model[hint] == nil ? JMP_ERR_NOT_FOUND : JMP_OK))
                model[hint] = nil
            default:
                verify(find(credentials, name(hint)) == model[hint])
            }
            verify(credentials.count == model.count)
        }
        for (hint, key) in model { verify(find(credentials, name(hint)) == key) }
    }

    @Test func aCredentialWithoutAPSKHasZeros() {
        var source = RandomSource(seed: [UInt8](repeating: 3, count: 32))
        var credentials = Credentials(random: &source)
        verify(credentials.add(name("a"), psk: nil) == JMP_OK)
        verify(find(credentials, name("a")) == [UInt8](repeating: 0, count: 32))
        verify(find(credentials, name("b")) == nil)
    }

    /// "ab" and "ab" followed by zeros are different hints, and so is the empty one.
    @Test func namesAreComparedWithTheirLength() {
        var source = RandomSource(seed: [UInt8](repeating: 3, count: 32))
        var credentials = Credentials(random: &source)
        for (i, hint) in ["", "\0", "ab", "ab\0", String(repeating: "x", count: 32)].enumerated() {
            verify(credentials.add(name(hint), psk: psk(i)) == JMP_OK)
        }
        for (i, hint) in ["", "\0", "ab", "ab\0", String(repeating: "x", count: 32)].enumerated() {
            verify(find(credentials, name(hint)) == psk(i))
        }
    }
}

import CJumping
import Jumping

/// The ABI this library implements. Compare it with `JMP_ABI_VERSION` of the header a host was built with:
/// they must be equal. Any thread.
@_cdecl("jmp_abi_version")
public func jmp_abi_version() -> UInt32 {
    UInt32(JMP_ABI_VERSION)
}

/// The library's version, e.g. "0.1.0". A constant string: never freed. Any thread.
@_cdecl("jmp_version")
public func jmp_version() -> UnsafePointer<CChar>? {
    text("0.1.0")
}

/// Initialises libsodium. Called by every function that needs it; call it yourself to learn early whether it works.
/// Any thread, any number of times. Errors: `JMP_ERR_CRYPTO`.
@_cdecl("jmp_init")
public func jmp_init() -> jmp_status {
    Library.initialize() ? JMP_OK : JMP_ERR_CRYPTO
}

/// The cipher suites that this build, its libsodium and this CPU offer, as a set of `JMP_SUITE_*`. Any thread.
/// Errors: `JMP_ERR_NULL`, `JMP_ERR_CRYPTO`.
@_cdecl("jmp_suites_available")
public func jmp_suites_available(_ suites: UnsafeMutablePointer<UInt32>?) -> jmp_status {
    guard let suites else { return JMP_ERR_NULL }
    guard Library.initialize() else { return JMP_ERR_CRYPTO }
    suites.pointee = Library.availableSuites
    return JMP_OK
}

/// What a status means, one English sentence. A constant string: never NULL, never freed. Any thread.
@_cdecl("jmp_strerror")
public func jmp_strerror(_ status: jmp_status) -> UnsafePointer<CChar>? {
    text(Names.status(status))
}

/// Stable name of a `JMP_STATE_*`, e.g. "ATTACHED"; "UNKNOWN" for others. A constant string. Any thread.
@_cdecl("jmp_state_name")
public func jmp_state_name(_ state: UInt32) -> UnsafePointer<CChar>? {
    text(Names.state(state))
}

/// Stable name of a `JMP_REASON_*`, e.g. "loss_threshold_exceeded"; "unknown" for others. A constant string. Any thread.
@_cdecl("jmp_reason_name")
public func jmp_reason_name(_ reason: UInt32) -> UnsafePointer<CChar>? {
    text(Names.reason(reason))
}

/// Stable name of a `JMP_EVENT_*`, e.g. "TransportSwitch"; "Unknown" for others. A constant string. Any thread.
@_cdecl("jmp_event_name")
public func jmp_event_name(_ type: UInt32) -> UnsafePointer<CChar>? {
    text(Names.event(type))
}

/// Stable name of a `JMP_DROP_*`, e.g. "bad_tag"; "unknown" for others. A constant string. Any thread.
@_cdecl("jmp_drop_name")
public func jmp_drop_name(_ cause: UInt32) -> UnsafePointer<CChar>? {
    text(Names.drop(cause))
}

/// Stable name of one `JMP_SUITE_*`, e.g. "AES-256-GCM"; "none" for others. A constant string. Any thread.
@_cdecl("jmp_suite_name")
public func jmp_suite_name(_ suite: UInt32) -> UnsafePointer<CChar>? {
    text(Names.suite(suite))
}

/// Stable name of a `JMP_PATH_*` role, e.g. "standby"; "unknown" for others. A constant string. Any thread.
@_cdecl("jmp_path_role_name")
public func jmp_path_role_name(_ role: UInt32) -> UnsafePointer<CChar>? {
    text(Names.pathRole(role))
}

/// The bytes of a static string as C sees them; Swift ends every literal with a zero.
func text(_ string: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(string.utf8Start).assumingMemoryBound(to: CChar.self)
}

import CJumping
import Jumping

/// Fills an endpoint configuration with its defaults, `struct_size` included. Errors: `JMP_ERR_NULL`.
@_cdecl("jmp_config_init")
public func jmp_config_init(_ config: UnsafeMutablePointer<jmp_config>?) -> jmp_status {
    guard let config else { return JMP_ERR_NULL }
    Settings.initialize(config)
    return JMP_OK
}

/// Checks a whole configuration. When it is invalid and `message` is not NULL, up to `message_capacity` bytes (final
/// zero included) name the first wrong field and what was expected. Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`,
/// `JMP_ERR_ARGUMENT`, `JMP_ERR_SUITE`.
@_cdecl("jmp_config_check")
public func jmp_config_check(_ config: UnsafePointer<jmp_config>?, _ message: UnsafeMutablePointer<CChar>?,
                             _ messageCapacity: Int) -> jmp_status {
    guard let config else { return JMP_ERR_NULL }
    return Settings.check(config, Message(message, messageCapacity))
}

/// Fills a policy with its defaults, `struct_size` included. Errors: `JMP_ERR_NULL`.
@_cdecl("jmp_policy_init")
public func jmp_policy_init(_ policy: UnsafeMutablePointer<jmp_policy>?) -> jmp_status {
    guard let policy else { return JMP_ERR_NULL }
    Settings.initialize(policy)
    return JMP_OK
}

/// Checks a whole policy, as every call that takes one does. When it is invalid and `message` is not NULL, up to
/// `message_capacity` bytes (final zero included) name the first wrong field and what was expected.
/// Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_POLICY`.
@_cdecl("jmp_policy_check")
public func jmp_policy_check(_ policy: UnsafePointer<jmp_policy>?, _ message: UnsafeMutablePointer<CChar>?,
                             _ messageCapacity: Int) -> jmp_status {
    guard let policy else { return JMP_ERR_NULL }
    return Settings.check(policy, Message(message, messageCapacity))
}

/// Fills a transport description with its defaults, `struct_size` included; the name is left for the host.
/// Errors: `JMP_ERR_NULL`.
@_cdecl("jmp_transport_config_init")
public func jmp_transport_config_init(_ config: UnsafeMutablePointer<jmp_transport_config>?) -> jmp_status {
    guard let config else { return JMP_ERR_NULL }
    Settings.initialize(config)
    return JMP_OK
}

/// Fills a connect description with its defaults, `struct_size` included; transport, remote and keys are left for the
/// host. Errors: `JMP_ERR_NULL`.
@_cdecl("jmp_connect_config_init")
public func jmp_connect_config_init(_ config: UnsafeMutablePointer<jmp_connect_config>?) -> jmp_status {
    guard let config else { return JMP_ERR_NULL }
    Settings.initialize(config)
    return JMP_OK
}

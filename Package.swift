// swift-tools-version: 6.2
import PackageDescription

// Two ways to build the same sources. Debug (`swift build`, `swift test`) is ordinary hosted Swift. Release is Embedded
// Swift, so that libjumping.so needs libsodium and libc and no Swift runtime.
//
// A hosted Swift program cannot import a release build of an Embedded module. Swift programs that use these modules
// directly, and comparisons of the two builds, set JUMPING_HOSTED=1 in the environment: release is then hosted too.
let isHosted = Context.environment["JUMPING_HOSTED"] == "1"

// JUMPING_SANITIZED=1 goes with `swift build -c release --sanitize=…`: the sanitizer's symbols come from the host
// program, so the linker must not ask for them.
let isSanitized = Context.environment["JUMPING_SANITIZED"] == "1"

let library: [SwiftSetting] = [
    .enableExperimentalFeature("AddressableTypes"),
    .enableExperimentalFeature("Lifetimes"),
    .enableExperimentalFeature("RawLayout"),
] + (isHosted ? [] : [.enableExperimentalFeature("Embedded", .when(configuration: .release))])

// Only jmp_* is exported; a symbol nobody defines fails here, not when a host loads the library. The SONAME changes when
// the ABI breaks.
let exports = ["-Xlinker", "-soname=libjumping.so.0",
               "-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/JumpingC/exports.map"]
    + (isSanitized ? [] : ["-Xlinker", "--no-undefined"])

let package = Package(
    name: "jumping",
    products: [
        .library(name: "jumping", type: .dynamic, targets: ["JumpingC"]),
        .executable(name: "jumping-generate", targets: ["jumping-generate"]),
        .executable(name: "jumping-bench", targets: ["jumping-bench"]),
    ],
    targets: [
        // Low floors first; a module imports only floors below it.
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .target(name: "CJumping"),
        .target(name: "JumpingCrypto", dependencies: ["CSodium"], swiftSettings: library),
        .target(name: "JumpingWire", swiftSettings: library),
        .target(name: "JumpingSession", dependencies: ["JumpingCrypto", "JumpingWire", "CJumping"], swiftSettings: library),
        .target(name: "JumpingDelivery", dependencies: ["JumpingWire"], swiftSettings: library),
        .target(name: "Jumping", dependencies: ["JumpingDelivery", "JumpingSession", "JumpingCrypto", "JumpingWire", "CJumping"], swiftSettings: library),
        .target(name: "JumpingC", dependencies: ["Jumping", "CJumping"], exclude: ["exports.map"], swiftSettings: library,
                linkerSettings: [.unsafeFlags(exports, .when(configuration: .release))]),

        // Writes the public header and the bindings' constants; a tool of the developers, not part of the library.
        .executableTarget(name: "jumping-generate"),

        // What the library costs beside raw libsodium, through the C interface alone.
        .executableTarget(name: "jumping-bench", dependencies: ["JumpingC", "CSodium"], cSettings: [.headerSearchPath("../../include")]),

        .testTarget(name: "CryptoTests", dependencies: ["JumpingCrypto", "CSodium"]),
        .testTarget(name: "WireTests", dependencies: ["JumpingWire"]),
        .testTarget(name: "SessionTests", dependencies: ["JumpingSession", "JumpingCrypto", "JumpingWire", "CJumping"]),
        .testTarget(name: "DeliveryTests", dependencies: ["JumpingDelivery", "JumpingWire"]),
        .testTarget(name: "EndpointTests", dependencies: ["JumpingC", "Jumping", "JumpingDelivery", "JumpingSession", "JumpingCrypto", "JumpingWire", "CJumping"]),
    ]
)

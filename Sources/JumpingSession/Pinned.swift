/// A member that makes its struct live in memory and be passed by address. Without one a large struct is loadable to the compiler,
/// which hands it to every function that only looks at it as a copy on the stack: 1,400 bytes for each look at a session. It lies in
/// another module than its users, and has a `deinit`, because Embedded Swift compiles it only so.
@_rawLayout(size: 1, alignment: 1)
@usableFromInline
package struct Pinned: ~Copyable {
    package init() {}

    deinit {}
}

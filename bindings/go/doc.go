// Package jumping binds libjumping: encrypted sessions whose identity does not depend on a network path. The session is
// the anchor; transports come and go.
//
// This package is the C interface as Go sees it: it owns no socket, no goroutine and no clock. A host gives datagrams
// and the time to an [Endpoint] and takes datagrams, payloads and events from it. Hosts that want sockets, timers and
// contexts done for them use the package jumping/udp, which is built on this one and on nothing else.
//
// # The loop of a host
//
// After every call that can change something (Connect, Send, Receive, HandleTimeout, AddTransport, …):
//
//  1. after Receive, call [Endpoint.PollPayload] until it returns [ErrAgain] and take each protected payload,
//  2. call [Endpoint.PollTransmit] until it returns [ErrAgain] and put each datagram on the network,
//  3. call [Endpoint.PollEvent] until it returns [ErrAgain],
//  4. ask [Endpoint.NextTimeout] when to call [Endpoint.HandleTimeout].
//
// When the loop wakes later than it asked for, it gives every datagram that waits in its sockets to [Endpoint.Receive]
// before it calls HandleTimeout: a silence that is the host's own must not look like the path's. When the network
// refuses a datagram, [Endpoint.Unsent] says so and it does not count as lost.
//
// # Goroutines
//
// An [Endpoint] and all its [Session] values are confined to one goroutine at a time: they may move between goroutines
// when something orders the moves (a channel, a mutex), and never be used by two at once. Endpoints share nothing, so a
// host may run one per core. The race detector reports concurrent use. Functions that belong to no endpoint (Now, keys,
// names, RouteDatagram) may be called from any goroutine.
//
// # Errors
//
// Calls return a [Status] for what the library refused, one value per cause, so errors.Is(err, jumping.ErrTerminated)
// works; errors.Is(err, jumping.ErrUsage) and the other values of [Domain] ask for a whole family. An endpoint that was
// closed answers [ErrClosed]. An invalid [Config] or [Policy] gives a [*FieldError] that names the field. A call that
// returned an error has changed nothing. Bad datagrams are not errors: they are counted by cause.
//
// # Memory
//
// Byte slices are handed to the library directly and only for the length of the call; it keeps no pointer into Go
// memory. Everything else it reads or writes lies in C memory that is allocated once per endpoint, so Send, Receive,
// PollTransmit, NextTimeout and HandleTimeout allocate nothing. [Endpoint.Close] frees it.
//
// # Building
//
// The package finds an installed library with pkg-config (jumping.pc). If it lies under a prefix of its own:
//
//	export PKG_CONFIG_PATH=/opt/jumping/lib/pkgconfig
//
// To build against a library without jumping.pc, such as the build tree of libjumping, set the build tag
// jumping_environment and say where header and library are:
//
//	export CGO_CFLAGS="-I$ROOT/include"
//	export CGO_LDFLAGS="-L$ROOT/.build/release -Wl,-rpath,$ROOT/.build/release"
//	go build -tags jumping_environment ./...
//
// The run path (-Wl,-rpath) makes the program find the library where it is; without it use ldconfig or LD_LIBRARY_PATH.
//
// The module has no dependencies. A program outside this repository names it in its go.mod:
//
//	require jumping v0.0.0
//	replace jumping => ../libjumping/bindings/go
package jumping

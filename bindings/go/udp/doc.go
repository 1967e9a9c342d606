// Package udp runs libjumping sessions over UDP sockets: it owns sockets, timers and the goroutine an endpoint is confined
// to, and gives programs sessions with contexts. It is built on package jumping and on nothing that other programs could
// not use; Linux only.
//
// A gateway:
//
//	host, err := udp.Listen(ctx, udp.Config{
//		Sockets: []udp.Socket{{Listen: "192.0.2.1:4000"}, {Listen: "198.51.100.1:4000"}},
//		PSKs:    []udp.PSK{{Hint: "alice", Key: psk}},
//	})
//	session, err := host.Accept(ctx)
//	payload, err := session.Recv(ctx)
//	err = session.Send(ctx, payload)
//
// A client with two transports, each to an address of the gateway:
//
//	session, err := udp.Dial(ctx, udp.DialConfig{
//		Gateways: []string{"192.0.2.1:4000", "198.51.100.1:4000"},
//		Hint:     "alice",
//		PSK:      psk,
//	})
//	defer session.Close()
//
// When a transport dies the session jumps to another and keeps its id; Send and Recv go on. The payloads of Send are
// expendable: those in flight on a dead path are lost, like datagrams. Those of SendProtected are not:
//
//	err = session.SendProtected(ctx, payload, udp.PayloadOptions{Channel: 1})
//
// # Goroutines
//
// All methods of [Host] and [Session] may be called from any goroutine at once. Inside, one goroutine, the loop, owns the
// endpoint; a reader per socket feeds it with batches of datagrams, and senders with a queue. Every queue is bounded: a
// full send queue makes Send wait, a full send buffer SendProtected; a full receive queue drops expendable payloads as a
// socket does and holds protected ones back at their sender; a full event channel drops events. Drops are counted (see [Session.Counters] and [Host.EventsDropped]); nothing slows the loop.
//
// # Ending
//
// [Session.Close] returns once the peer's CLOSE has left. [Host.Close] closes every session so, then sockets and endpoint;
// afterwards every call returns an error that is net.ErrClosed. A session that ended returns a [*EndedError], which is
// jumping.ErrTerminated and carries the reason.
package udp

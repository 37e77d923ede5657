// Package wire carries Thrift calls: a server for one or several services on one port, a client, and the encoding of
// single structs. It is the only home of calls into apache/thrift; the generated structs of stormrpc may be used anywhere.
//
// On the wire it speaks what Storm's SimpleTransportPlugin speaks: frames of a 4-byte big-endian length and one
// TBinaryProtocol message. Requests are taken with and without the version word, replies always carry it and echo the
// sequence id of the request (streamparse sends 0 every time).
//
// # Server
//
//	srv, err := wire.NewServer(wire.Options{Held: []string{"syncNode"}},
//		stormrpc.NewNimbusProcessor(nimbus), stormrpc.NewGearstormProcessor(nimbus))
//	go srv.Serve(listener)
//	...
//	srv.Shutdown(ctx)
//
// Everything that comes in is bounded before it is believed: frame length, bytes buffered by all connections together,
// elements of one container and of one message, nesting, connections in all and per address, calls in progress, the time
// a started frame may take. Memory grows with the bytes that arrived, never with a length somebody claims.
//
// One goroutine owns each connection: it reads a frame, runs the call, writes the reply, and begins again, so a connection
// has at most one call in progress. A held call (a long poll) has a second goroutine that watches for the caller to go
// away; it ends before the reply is written.
//
// # Errors of handlers
//
// A handler returns the exceptions its method declares as they are, not wrapped: the generated code compares types. Any
// other error reaches the caller as application exception 6 "Internal error processing <method>", as with Storm, and its
// text only goes to the log. [ErrUnknownResult] and [ErrNotImplemented] have answers of their own. A panic is such an
// error too.
package wire

// Package drpc is Storm's DRPC server: callers ask it to execute a function, topologies fetch what was asked and bring the
// results back. It speaks the DistributedRPC service on one port, DistributedRPCInvocations on another, and HTTP on a third.
//
//	caller --execute, or HTTP--> server <--fetchRequest-- spout --> bolts --result--> server --> caller
//
// Requests live in the memory of one server, first come, first fetched, in a queue for each function. A request ends with
// its result, with a failure that the topology reports, when its time is up, when the caller leaves or when the server
// ends; each is a DRPCExecutionException with Storm's type and text, except the caller's leaving, which nobody hears of.
//
// Nothing that a caller names stays: a function is known only while requests for it are open. How many requests there may
// be, of one function and in all, and what their arguments hold together is bounded ([Limits]); one that does not fit is
// refused at once.
//
// The topology's side, DRPCSpout and ReturnResults, is package drpc/invocations.
package drpc

// Package invocations is a topology's side of DRPC: Storm's two components that talk to the DRPC servers, in Go. Every
// worker has them, so topologies in any language are served by them.
//
//	spout (DRPCSpout)  fetches requests, emits args and return-info
//	bolts              make a result of args and pass return-info on
//	ReturnResults      takes (result, return-info) and answers
//
// return-info is the JSON object of id, host and port that Storm's own components write and read, so each may be
// replaced by Storm's. No call of a component waits for a server: goroutines talk to them and act through the task's
// Async. They start in Open and have ended when Close returns.
package invocations

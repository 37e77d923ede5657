// Package client talks to Nimbus over its Thrift port: the one way in for the command line, the UI, the supervisor and the
// SDK. It finds the leader among the seeds as Storm's Java client does, connects again when a connection is lost, moves
// jars and blobs in chunks, and sorts errors.
//
//	c, err := client.New(client.Options{Seeds: []string{"nimbus1", "nimbus2"}})
//	defer c.Close()
//	topologies, err := c.Nimbus().GetTopologySummaries(ctx)
//
// A [Client] may be used from several goroutines; what Nimbus and Gearstorm return may not, so each goroutine asks for its
// own, which costs nothing. All calls share two connections, made when first needed: one for Nimbus and the transfers, one
// for the long polls of Gearstorm, so that a held poll stops nobody else. Calls on one connection wait for each other.
//
// A call that was certainly not sent is sent again on a new connection. One whose connection broke after it was sent is
// not: it may have been carried out. [Retryable] says whether trying again later makes sense.
package client

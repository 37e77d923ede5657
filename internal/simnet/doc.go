// Package simnet is a TCP network in memory for a bubble of testing/synctest: waiting on it is durable blocking, so that
// virtual time goes on. Everything a test does to it is between hosts (delay, cuts of one or both directions, resets) or
// to one process (it is killed, or stopped as by SIGSTOP).
//
// It keeps TCP's promises and no more: what is written arrives once and in order, or the connection ends. What is
// written into a cut waits and arrives when the cut is healed, as retransmission has it; only deadlines end the wait.
// Each direction of a connection holds 256 KiB, then Write waits.
//
// At most one goroutine may read a connection, and one write it, at a time.
package simnet

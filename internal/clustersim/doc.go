// Package clustersim holds tests that run whole clusters inside one process under virtual time: three Nimbus over one
// store, three supervisors, their workers with engines and links, and a small topology whose spouts and sinks keep a
// ledger outside of the cluster. Everything is the product's own code; only what a machine gives is replaced:
//
//   - the clock, by a bubble of testing/synctest: a world of half a minute takes some 50 ms;
//   - the network, by package simnet: TCP alone, since workers may not use Unix sockets and shared memory here;
//   - worker processes, by worker.Run in this process (supervisor.Config.Processes). One that was killed may have
//     goroutines that still end, but its network is gone and the ledger does not hear it. SIGSTOP stops a process's
//     network, and what a supervisor does to its workers; code that needs neither goes on;
//   - the store, by mem with sessions that can be cut off, expire and are fenced. Calls to a store that is away fail at
//     once, though a real client would wait: who waits for the store holds a mutex, and synctest stops the clock while
//     somebody waits for that.
//
// Files are real, in memory where the system has such a place.
//
// A seed draws the topology, the delays and the faults: processes are killed, stopped and started again, hosts and
// directions of the network are cut, connections reset, sessions of the store lost, topologies rebalanced and
// deactivated meanwhile, a node stays away for ever, the clock of one Nimbus is wrong by ten minutes. Steps of the
// clock and crashes between two writes to a disk are beyond it; integration has those. What has to hold:
//
//   - a root is acked only when the sinks have seen it, on every way through the topology; within one attempt nothing
//     comes twice; an attempt is settled once; equal keys go to one task;
//   - an epoch has one leader, only the newest one's writes succeed, nobody follows an older plan after a newer one;
//   - a slot has one live worker;
//   - when all is healed, within a bounded time every root is acked, every executor runs where it is assigned and
//     nothing else does, all follow the newest leader; a killed topology leaves nothing behind;
//   - in one world of four nothing hits a worker: then none is restarted, and no tuple fails; in one of six workers die and
//     connections break but nothing is out of reach: then no attempt comes near the message timeout.
//
// TestExactSeeds gives the same worlds the topology of package exact, which makes checkpoints: each record is to be counted once.
//
// # Running it again
//
// Topology, delays and faults are the same for a seed; the order of goroutines is Go's. With one run queue (TestSeeds
// starts processes with GOMAXPROCS=1) it mostly is the same too. What differs from run to run is the choice of select, the
// order of maps and the transport's backoff. So a failure that follows from the faults comes in every run, one that
// needs an order of microseconds in some: try a seed several times before believing that it is good now.
//
//	GOMAXPROCS=1 go test ./internal/clustersim -run 'TestSeed$' -seed 95 -v
//	GOMAXPROCS=1 go test ./internal/clustersim -run 'TestSeed$' -seed 95 -times 20
package clustersim

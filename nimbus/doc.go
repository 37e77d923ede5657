// Package nimbus is the master: it takes topologies from Storm's clients, decides where they run and tells the nodes.
//
// # What it promises
//
//   - It speaks Storm's Nimbus service: what a real client sends is accepted, and answers hold every field that the
//     clients read without asking whether it is set.
//   - A topology exists whole or not at all. Its blobs are written first; one transaction then creates its record. What
//     a crash leaves in between is removed at the next start.
//   - What was acknowledged is on disk, and every write names the epoch of this leadership: a master that was replaced
//     gets cluster.ErrFenced, stops leading at once and follows.
//   - Every master can be asked anything: followers relay to the leader and hold copies of all blobs. A change of leader
//     restarts no worker.
//   - No blob keeps a master from leading: a topology whose data is missing or damaged is marked and left where it runs.
//   - A change of a plan reaches the nodes concerned at once: their long polls are answered, nobody waits for a period.
//   - Nodes, workers and their figures are soft state in memory, learnt again from the reports after a restart. Until
//     then running topologies are left where they are.
//
// # Files
//
//	lifecycle.go   what kill, activate, deactivate and rebalance do to a status: a pure state machine
//	transition.go  its shell: stores the new state, runs the actions, arms the timers
//	submit.go      a submission step by step; jar.go what is allowed in a jar
//	proposal.go    a new version of a running topology worked out, changerows.go in words; apply.go stored; versions.go what is kept
//	trial.go       whether a new version stands or goes back: a pure state machine; trials.go its shell
//	round.go       one round of scheduling; nodes.go who is alive; plan.go what a node is told
//	leadership.go  terms: campaign, lead, step down, follow again; relay.go where a call is served
//	takeover.go    the start of a term: records read, rests put aside, timers armed; raise.go after the store was wiped
//	follow.go      what a follower does; peers.go what its leader does for it; holding.go what it serves itself
//	book.go        the leader's knowledge of blobs; replicate.go how missing ones come here
//	stats.go, summary.go, page.go   figures for clients and pages
//	orders.go      what users ask of running workers: log levels, credentials, profiling
//	service_*.go   the methods of the Thrift services, by area; unsupported.go those that are not there
//
// # Goroutines and locks
//
// Run serves connections and has three goroutines of its own: one campaigns and, while this master leads, does timers,
// scheduling and housekeeping; one attends to the leader while this master follows; one gets missing blobs. Calls run on the
// goroutines of their connections.
//
// Nimbus.change serializes what alters the cluster's records: submissions, transitions, rounds of scheduling. It is
// held over writes to the store and the blob store. Nimbus.mu guards the memory and is never held over anything slow.
// change is taken before mu; alarms, errors, listings, the mirror and the blob store have locks of their own, which may be taken
// with mu held and never the other way round. A *topology is never altered once it can be seen in Nimbus.topologies: changes put an
// altered copy in its place, so readers use it without a lock.
package nimbus

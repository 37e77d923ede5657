// Package schedule decides which executor runs in which slot. It is pure: a cluster and topologies in, placements out, no
// clock and nothing random, so the same input gives the same output.
//
// [Run] works on a [Board]: nodes with slots and what is left of their resources, while topologies are placed one after the
// other. Two kinds of functions do the placing:
//
//   - a [Scheduler] decides whose turn it is and who has to give way: [Even], [Aware] (resources, priorities, eviction),
//     [Isolated] (machines of their own), [Tenants] (machines by user). The operator chooses it.
//   - a [Strategy] places the executors of one topology that have no place. The topology chooses it, where the scheduler asks:
//     under [Aware]. A new strategy is one function and one row in names.go.
//
// What runs stays. A topology that has all its executors placed is left alone unless its [Wish] asks for more, a worker or
// node that is lost moves the executors that were there and no other one, and a node that is added moves nothing by itself.
//
// The rules are Storm's: EvenScheduler.java, ResourceAwareScheduler.java and the strategies below it,
// IsolationScheduler.java, MultitenantScheduler.java. Where Storm walks a hash map, this package goes in order of names and
// numbers; where Storm places a topology anew, this one moves the least.
package schedule

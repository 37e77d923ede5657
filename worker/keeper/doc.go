// Package keeper runs the clock and the checkpoints of a topology: the parts around checkpoint.Coordinator that have goroutines,
// a store and messages.
//
// Every worker of a timed topology has an Agent, which tells the Keeper how its engine is (a report when something changed, at
// most every 20 ms, and each second), and its engine what is wanted (orders). The worker with the task of __clock has the Keeper
// besides. It steps the coordinator, carries out what that wants of the store, tells all workers the order when it changed and each
// second, and says to people how far the topology is.
//
// There may be two Keepers of a topology for a while, since workers hear of a new plan at different times. The log of checkpoints
// lets one of them write. The other one is fenced, and begins anew after a pause if it still has a plan by which it is the one;
// a log does not take a plan that is older than the one it has seen.
//
// # Goroutines
//
// Run of a Keeper has one that looks at clocks, one that steps the coordinator, and for each of its terms one that writes to the store, one that cleans up
// there and one that looks after savepoints. Methods never wait for any of them: they leave what they bring in the Keeper, the newest
// report of each worker and the newest plan.
package keeper

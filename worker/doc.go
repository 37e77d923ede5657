// Package worker is the process that hosts the tasks of one topology on one slot, and the same host without a cluster
// around it.
//
// Run is the process: it reads the stored topology, compiles it to the graph that every other worker has (same bytes,
// same task ids), runs the executors that the assignment gives to its slot, keeps links to the workers it sends to, and
// tells its supervisor about once a second how it fares. Local runs a whole topology in the calling process.
//
// # What a worker does when
//
//   - Spouts are opened and activated once all links are up for the first time; later breaks only hold back.
//   - A plan of a smaller leader epoch, or an older version of the same epoch, is refused.
//   - Peers moved: links follow. Status changed: spouts follow. Its own executors changed: the engine follows, and nothing
//     else is touched (change.go).
//   - It has no executor any more: it finishes what it has begun, for a second at most, and ends.
//   - The task numbering, the DAG or the secret changed, or the topology is not alive any more: the worker ends in order, and
//     its supervisor starts another one if there is one to start.
//   - The supervisor is away: the worker goes on with the plan it has and keeps trying.
//   - Log levels, credentials, profiling actions: taken from the plan as soon as it comes (orders.go).
//   - Its context ends: spouts are deactivated, tasks closed (children get SIGTERM), at most
//     supervisor.worker.shutdown.sleep.secs long.
//
// # Goroutines
//
// Run starts one for the engine, one for the transport, one that reports, one that profiles, and waits for all. The gate between links,
// status and engine has a lock of its own that is held across Engine.Activate and Deactivate, which do not block; it is
// taken before none of the engine's and transport's locks are held.
package worker

// Package supervisor is the node agent: it runs on every node what Nimbus planned for it.
//
// # Promises
//
//   - A change of the plan acts at once: the node holds a call to Nimbus open and its workers hold calls to the node open.
//     Nothing here waits for a fixed time.
//   - With Nimbus away everything goes on, also through a restart of this node's supervisor: the last plan, the code of the
//     topologies and the identities of the workers are on disk.
//   - Workers outlive their supervisor, however it ends, and the next one goes on with them: same processes, no restart. With
//     Config.Lifeline they end with it instead.
//   - A slot runs at most one worker. A worker that died is started again under a new id, at once the first time, then after
//     growing pauses. A worker that is silent is suspected, looked at, and in the end killed with all it started; time in which
//     the supervisor itself stood still is not counted.
//   - Only the process that was launched can report as a worker and is told its plan: it shows a token that nobody else has.
//   - Newer code, and newer blobs that ask for it, have the workers of a topology start again one after the other.
//   - An unhealthy node (storm.health.check.dir) ends its workers and offers no slots until it is healthy again.
//   - A full disk stops nothing that runs. A plan finds room in a reserve; where it does not, it waits and users are told.
//   - Plans of a leader that was replaced are refused: the largest epoch is on disk before anything of its plan is done.
//   - What goes wrong is told to the users of the topology (WorkerError of component __system) and once to the log.
//
// # Parts
//
//	slot.go     the machine of one slot: a value, events and actions    slot_test.go, testdata/slot
//	machine.go  its pure step; silence.go  how silence is counted
//	runner.go   its shell: localizer, isolate, timers; occupant.go  its worker as others see it
//	plan.go     the plan in force and who waits for its changes
//	sync.go     the held call to Nimbus
//	report.go   what goes up with it: workers' reports and errors
//	renew.go    newer code and blobs, and workers that start again for them
//	health.go   health checks
//	evidence.go what a silent worker looks like
//	service.go  the node's own Thrift service: Gearstorm.syncWorker, Storm's Supervisor
//	limits.go   how workers are isolated; limits_worker.go what one may use
//	memory.go   the rule for workers that use too much memory; memory_guard.go its shell, and how a worker ended
//	record.go   the state on disk; reserve.go  room for plans
//	restore.go  going on from it
//
// # Goroutines
//
// Supervisor.Run starts and waits for: one for the Thrift server (and the server's own), one for Nimbus, one for
// health checks, one for newer code, one per slot. A slot's starts one per localization, inspection, kill and living worker, that
// for newer code one per topology that starts again, and they wait for them at their end. plans, reports and occupants
// are shared under a mutex each; no two of these are held at once, and none across I/O.
package supervisor

package worker

import (
	"fmt"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// obey does what a plan says beside where executors run: log levels, credentials, profiling actions. The error is errLeave for
// a worker that is to start anew.
func (w *worker) obey(p *stormrpc.TopologyPlan) error {
	if w.levels.follow(p.LogConfig) {
		w.log.Info("log levels are changed")
	}
	w.credentials.Set(p.Credentials)
	w.timed.ask(p.Savepoints)
	if w.profiler.follow(w.self, p.Actions) {
		return fmt.Errorf("%w: a restart was asked for", errLeave)
	}
	return nil
}

package worker

import (
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/metrics"
)

// expose writes how far this worker's tasks are and, where the clock is, what came of checkpoints.
func (t *timed) expose(e *metrics.Exposition) {
	if t == nil {
		return
	}
	clocks := t.engine.Report().Clocks
	e.Family("gearstorm_watermark_seconds", "gauge", "The lowest event time of a component's tasks in this worker, since 1970; missing while they know none, are idle or have ended.")
	for _, c := range clocks {
		if c.Min != 0 && c.Min < gearcore.Idle {
			e.Sample(float64(c.Min)/1e3, "component", c.Component)
		}
	}
	e.Family("gearstorm_stuck_tasks", "gauge", "Tasks that do nothing though there is something for them to do.")
	for _, c := range clocks {
		e.Sample(float64(len(c.Stuck)), "component", c.Component)
	}
	t.mu.Lock()
	k := t.keeper
	t.mu.Unlock()
	if k == nil || t.store == nil {
		return
	}
	f := k.Figures()
	e.Family("gearstorm_checkpoints_total", "counter", "Checkpoints that count, and that came to nothing, since this worker has the clock.")
	e.Sample(float64(f.Committed), "outcome", "committed")
	e.Sample(float64(f.Dropped), "outcome", "dropped")
	e.Family("gearstorm_rollbacks_total", "counter", "How often the topology went back to a checkpoint since this worker has the clock.")
	e.Sample(float64(f.Rollbacks))
	e.Family("gearstorm_checkpoint_epoch", "gauge", "The newest checkpoint that counts.")
	e.Sample(float64(f.Epoch))
	e.Family("gearstorm_checkpoint_seconds", "gauge", "How long it took.")
	e.Sample(f.Took.Seconds())
	e.Family("gearstorm_checkpoint_bytes", "gauge", "Its size; files that checkpoints share count in each.")
	e.Sample(float64(f.Bytes))
}

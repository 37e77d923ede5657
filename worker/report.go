package worker

import (
	"os"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// reportSlack is what a report may grow by in its message.
const reportSlack = 1 << 10

// The statistics of many executors go up less often: each second they would take some per cent of a processor where nothing
// else happens. A report without them means those of the last one.
const (
	statsPerExecutor = 10 * time.Millisecond
	statsAtLeast     = 10 * time.Second
)

// maxErrorLine is what is left of an error's text in a report that would be too large.
const maxErrorLine = 256

// report says how the worker fares. upTo is the number to drop the errors in it with once it was taken.
func (w *worker) report(now time.Time) (r *stormrpc.WorkerReport, upTo uint64) {
	w.host.endDone()
	w.host.table.Advance(now)
	pid := int32(os.Getpid())
	r = &stormrpc.WorkerReport{
		TopologyID: w.spec.Topology, Port: int32(w.spec.Port), WorkerID: w.spec.Worker, AssignmentID: w.plan.AssignmentID,
		Epoch: w.plan.Epoch, UptimeSecs: int64(now.Sub(w.started) / time.Second), TimeMs: now.UnixMilli(),
		Ready: w.gate.ready(), AtWork: new(bool), Pid: &pid, Token: &w.spec.Token,
		DagVersion: &w.plan.DagVersion, ActionsDone: w.profiler.finished(), Timing: w.timed.view(),
	}
	*r.AtWork = r.Ready && w.host.engine.AtWork()
	r.Errors, upTo = w.host.table.Errors()
	r.ExecutorStats = []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}
	if !now.Before(w.statsDue) {
		r.ExecutorStats = w.statistics()
	}
	for _, l := range w.links.Links() {
		r.Links = append(r.Links, &stormrpc.WorkerLink{Peer: l.Peer, Over: l.Over})
	}
	w.fit(r)
	return r, upTo
}

func (w *worker) statistics() []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats] {
	out := make([]wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats], 0, len(w.host.local))
	for _, x := range w.host.local {
		out = append(out, wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{
			Key: &stormrpc.ExecutorInfo{TaskStart: int32(x.First), TaskEnd: int32(x.Last)}, Value: w.host.table.ExecutorStats(x),
		})
	}
	return out
}

// took notes that r, which was made at that time, has been taken: when the next statistics are due.
func (w *worker) took(r *stormrpc.WorkerReport, at time.Time) {
	w.told += len(r.ExecutorStats)
	if all := len(w.host.local); w.told >= all { // else others are to follow
		w.told = 0
		w.statsDue = at.Add(min(time.Duration(all)*statsPerExecutor, statsAtLeast))
	}
}

// fit makes r as small as the supervisor's bound: it halves the executors whose statistics it holds, others coming in
// the next reports, and then the texts of errors and what is told of checkpoints.
func (w *worker) fit(r *stormrpc.WorkerReport) {
	all := r.ExecutorStats
	for n := len(all); ; n /= 2 {
		if data, err := wire.Marshal(r); err != nil || len(data)+reportSlack <= w.host.set.reportBytes {
			break
		}
		if n <= 1 {
			for i, e := range r.Errors {
				short := *e // the errors are shared
				short.Message = e.Message[:min(len(e.Message), maxErrorLine)]
				r.Errors[i] = &short
			}
			r.ExecutorStats = all[:0]
			if r.Timing != nil {
				r.Timing.Checkpoints = nil
			}
			break
		}
		from := w.turn % len(all)
		r.ExecutorStats = append(all[from:len(all):len(all)], all[:from]...)[:n/2]
	}
	w.turn += len(r.ExecutorStats)
}

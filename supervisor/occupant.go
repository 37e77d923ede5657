package supervisor

import (
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// occupant is the worker of a slot as the Thrift service knows it. It is set before the process exists, so that its first
// call is not too early.
type occupant struct {
	topology, worker string
	silence          time.Duration
	token            string                 // it proves who it is by, "" for one of a supervisor that gave none
	stamp            string                 // of the code it runs
	graph            int64                  // version of the graph that it runs, 0 if that is not known
	strict           bool                   // it can read no code that comes later
	told             *stormrpc.TopologyPlan // its last answer
}

func occupantOf(rec workerRecord) occupant {
	return occupant{topology: rec.Topology, worker: rec.Worker, silence: rec.Silence, token: rec.Token, stamp: rec.Stamp,
		graph: rec.Graph, strict: rec.Strict}
}

func (r *runner) occupy(o occupant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = o
	for _, c := range r.gone {
		close(c)
	}
	r.gone = nil
}

func (r *runner) occupant() occupant {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// expected reports a worker that has not reported itself. One that keeps failing is not: Nimbus shall place it elsewhere.
func (r *runner) expected() {
	if r.state.Failures > 1 {
		return
	}
	w := &stormrpc.WorkerReport{TopologyID: r.record.Topology, Port: int32(r.port), WorkerID: r.record.Worker,
		UptimeSecs: int64(max(0, time.Since(r.record.Launched)).Seconds()), TimeMs: time.Now().UnixMilli(),
		ExecutorStats: []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}}
	if r.record.Process != nil {
		pid := int32(r.record.Process.Pid)
		w.Pid = &pid
	}
	r.reports.expect(w)
}

// keepRecord writes what a next supervisor needs to go on with the worker. A full disk is no reason to end it now: the
// next one finds it by its id where the system shows that, so writing is tried again with its reports.
func (r *runner) keepRecord() {
	err := r.disk.keepWorker(r.port, r.record)
	if err != nil && !r.unkept {
		r.log.Error("cannot keep record of worker, trying again", "worker", r.record.Worker, "err", err)
	}
	r.unkept = err != nil
}

// beat is told by the Thrift service that a worker reported. It never blocks: when one beat waits, the next is no news.
func (r *runner) beat(worker string) {
	select {
	case r.beats <- worker:
	default:
	}
}

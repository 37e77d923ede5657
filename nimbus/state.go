package nimbus

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/gist"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// maxStateBytes bounds each text that a supervisor sends of a node or a worker to be shown.
	maxStateBytes = 1 << 10
	// silentAfter is from when on it is told that a worker is not heard of. Nodes report each second, and those that run alone.
	silentAfter = 10 * time.Second
	// isolationMeta is the scheduler entry in which a supervisor says how it isolates workers.
	isolationMeta = "gearstorm.isolation"
)

// shortened is text of a node as it is kept and shown.
func shortened(s string) string { return gist.Of(s, maxStateBytes) }

// stateOf takes from a report what its supervisor says of a worker. Where it is and for how long it runs is added when it is
// shown.
func stateOf(r *stormrpc.WorkerReport) *stormrpc.WorkerState {
	s := &stormrpc.WorkerState{TopologyID: r.TopologyID, Port: r.Port, WorkerID: ref(shortened(r.WorkerID)), Ready: ref(r.Ready),
		Restarts: ref(max(0, r.GetRestarts())), LastExit: text(shortened(r.GetLastExit())), Suspect: text(shortened(r.GetSuspect()))}
	if u := r.Usage; u != nil {
		s.Usage = &stormrpc.WorkerUsage{MemoryBytes: max(0, u.MemoryBytes), MemoryLimitBytes: max(0, u.MemoryLimitBytes), CPUUs: max(0, u.CPUUs),
			ThrottledUs: max(0, u.ThrottledUs)}
	}
	return s
}

// silence says that a worker has not been heard of for some time, "" if it has: it ended and waits for its next start, or its node is away.
func (w *worker) silence(now time.Time) string {
	silent := now.Sub(w.seen)
	if silent < silentAfter {
		return ""
	}
	return fmt.Sprintf("its node has not reported it for %v", silent.Round(time.Second))
}

// statesOf tells of the workers of t, on a node or with "" on all, in order of slots. One that has not reported is named alone.
func (n *Nimbus) statesOf(t *topology, node string) []*stormrpc.WorkerState {
	out, now := []*stormrpc.WorkerState{}, n.cfg.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for slot, held := range t.slots() {
		if node != "" && slot.Node != node {
			continue
		}
		s := stormrpc.WorkerState{TopologyID: t.ID, Port: slot.Port}
		if w := n.workers[workerKey{t.ID, slot}]; w != nil && !w.seen.Before(held[0].Started) {
			s = *w.state
			s.UptimeSecs = ref(secondsBetween(w.since, now))
			if silent := w.silence(now); silent != "" && s.Suspect == nil {
				s.Suspect = &silent
			}
		}
		s.Host = t.assignment.Hosts[slot.Node]
		out = append(out, &s)
	}
	slices.SortFunc(out, func(a, b *stormrpc.WorkerState) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port))
	})
	return out
}

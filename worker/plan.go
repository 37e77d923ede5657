package worker

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// slot is where a worker is: a node (supervisor id) and a port.
type slot struct {
	node string
	port int
}

func (s slot) String() string { return s.node + ":" + strconv.Itoa(s.port) }

// span is an executor as an assignment names it: its first and last task.
type span struct{ first, last gearcore.TaskID }

// placement is an assignment, read.
type placement struct {
	spans map[span]slot
	hosts map[string]string // node -> host
}

// place reads the assignment of p. Every task may be placed once only.
func place(p *stormrpc.TopologyPlan) (placement, error) {
	out := placement{spans: map[span]slot{}, hosts: map[string]string{}}
	if p.Assignment == nil {
		return out, fmt.Errorf("read plan of %s: it has no assignment", p.TopologyID)
	}
	if p.Assignment.NodeHost != nil {
		out.hosts = *p.Assignment.NodeHost
	}
	if p.Assignment.ExecutorNodePort == nil {
		return out, nil
	}
	placed := map[int64]bool{}
	for _, e := range *p.Assignment.ExecutorNodePort {
		if len(e.Key) != 2 || e.Key[0] < 1 || e.Key[1] < e.Key[0] || e.Key[1]-e.Key[0] >= int64(len(p.TaskComponents)) {
			return out, fmt.Errorf("read plan of %s: executor %v", p.TopologyID, e.Key)
		}
		if e.Value == nil || len(e.Value.Port) != 1 || e.Value.Port[0] < 1 || e.Value.Port[0] > 65535 {
			return out, fmt.Errorf("read plan of %s: executor %v has no slot", p.TopologyID, e.Key)
		}
		for t := e.Key[0]; t <= e.Key[1]; t++ {
			if placed[t] {
				return out, fmt.Errorf("read plan of %s: task %d is placed twice", p.TopologyID, t)
			}
			placed[t] = true
		}
		out.spans[span{gearcore.TaskID(e.Key[0]), gearcore.TaskID(e.Key[1])}] = slot{e.Value.Node, int(e.Value.Port[0])}
	}
	return out, nil
}

// of returns the spans of one slot, ascending.
func (p placement) of(s slot) []span {
	var out []span
	for x, at := range p.spans {
		if at == s {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	return out
}

// onHost returns the tasks on the host of s, those of s included.
func (p placement) onHost(s slot) map[gearcore.TaskID]bool {
	out := map[gearcore.TaskID]bool{}
	for x, at := range p.spans {
		if at.node != s.node && (p.hosts[at.node] == "" || p.hosts[at.node] != p.hosts[s.node]) {
			continue
		}
		for id := x.first; id <= x.last; id++ {
			out[id] = true
		}
	}
	return out
}

// executors turns spans into executors of plan.
func executors(plan *dag.Plan, spans []span) ([]dag.Executor, error) {
	var out []dag.Executor
	for _, s := range spans {
		first, ok := plan.Task(s.first)
		last, ok2 := plan.Task(s.last)
		if !ok || !ok2 || first.Processor != last.Processor {
			return nil, fmt.Errorf("executor [%d %d] of topology %s is not one component's", s.first, s.last, plan.Graph.Name)
		}
		out = append(out, dag.Executor{Processor: first.Processor, First: s.first, Last: s.last})
	}
	return out, nil
}

// targets returns the tasks to which the local executors may send and that are not local themselves: their
// subscribers.
func targets(plan *dag.Plan, local []dag.Executor) map[gearcore.TaskID]bool {
	out := map[gearcore.TaskID]bool{}
	for _, x := range local {
		for _, o := range x.Processor.Outputs {
			if id, ok := plan.Stream(x.Processor.Name, o.Stream); ok {
				for _, r := range plan.Routes[id] {
					for _, task := range r.Tasks {
						out[task] = true
					}
				}
			}
		}
	}
	for _, x := range local {
		for id := x.First; id <= x.Last; id++ {
			delete(out, id)
		}
	}
	return out
}

// peers returns the addresses of those of want, nil for all, that are placed on other slots.
func (p placement) peers(self slot, want map[gearcore.TaskID]bool) map[gearcore.TaskID]string {
	out := map[gearcore.TaskID]string{}
	for x, at := range p.spans {
		addr := p.addr(at)
		if at == self || addr == "" {
			continue
		}
		for id := x.first; id <= x.last; id++ {
			if want == nil || want[id] {
				out[id] = addr
			}
		}
	}
	return out
}

// addr returns where the worker of a slot listens, "" if its host is not known.
func (p placement) addr(at slot) string {
	host := p.hosts[at.node]
	if host == "" {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(at.port))
}

// assignmentEpoch returns the leader epoch in which an assignment was made: the number before the dash of its id. It
// lags behind the plan's epoch when a new leader keeps an assignment.
func assignmentEpoch(p *stormrpc.TopologyPlan) int64 {
	if head, _, ok := strings.Cut(p.AssignmentID, "-"); ok {
		if n, err := strconv.ParseInt(head, 10, 64); err == nil && n <= p.Epoch {
			return n
		}
	}
	return p.Epoch
}

// errLeave is wrapped by the reasons for which a worker ends in order.
var errLeave = errors.New("worker ends")

// errNothingHere is the one for which it takes the time to finish what it has begun.
var errNothingHere = fmt.Errorf("%w: nothing is assigned to this slot any more", errLeave)

// judge compares a new plan with the one a worker runs. It returns the plan's placement if the worker goes on with it, by
// move or, where its graph is another one, by adopt;
// known if it is to be ignored, or an error: errLeave when the worker's time is over, others for a plan that makes no
// sense and is ignored.
func judge(cur, next *stormrpc.TopologyPlan, self slot) (p placement, known bool, err error) {
	if next.TopologyID != cur.TopologyID {
		return p, false, fmt.Errorf("plan is of topology %s", next.TopologyID)
	}
	if next.Epoch < cur.Epoch || next.Epoch == cur.Epoch && next.PlanVersion <= cur.PlanVersion {
		return p, true, nil
	}
	if p, err = place(next); err != nil {
		return p, false, err
	}
	switch {
	case next.DagVersion != cur.DagVersion && !inPlace(cur, next):
		return p, false, fmt.Errorf("%w: the DAG has changed", errLeave)
	case next.DagVersion == cur.DagVersion && !sameNumbering(cur.TaskComponents, next.TaskComponents):
		return p, false, fmt.Errorf("%w: the numbering of tasks has changed", errLeave)
	case string(next.Secret) != string(cur.Secret):
		return p, false, fmt.Errorf("%w: the secret has changed", errLeave)
	case len(p.of(self)) == 0:
		return p, false, errNothingHere
	}
	return p, false, nil
}

// inPlace reports whether a worker that runs the graph of cur may take over that of next without a new start.
func inPlace(cur, next *stormrpc.TopologyPlan) bool {
	from := next.GetInPlaceFrom()
	return from > 0 && from <= cur.DagVersion && cur.DagVersion < next.DagVersion && next.GetCodeDir() != ""
}

func sameNumbering(a, b map[int32]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

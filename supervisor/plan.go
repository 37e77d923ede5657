package supervisor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/gearstorm/gearstorm/supervisor/localizer"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// errStale says that a plan comes from a leader that is none any more.
var errStale = errors.New("plan of a leader that was replaced")

// plans holds what this node has to do: the newest plan, by topology and by slot. Plans are not changed once they are in
// it, so everybody may keep and read them.
type plans struct {
	node string

	mu      sync.Mutex
	known   bool  // a plan was accepted, or the last one was on disk
	epoch   int64 // largest seen; only a plan of Nimbus raises it, never a worker, which may belong to anybody
	version int64
	byID    map[string]*stormrpc.TopologyPlan
	bySlot  map[int]string
	leaving map[string]*stormrpc.TopologyPlan // topologies that have nothing here any more, for the last of their workers
	unfit   string                            // why nothing may run here whatever is planned, "" if it may
	changed chan struct{}                     // closed and replaced with every change
}

func newPlans(node string) *plans {
	return &plans{node: node, byID: map[string]*stormrpc.TopologyPlan{}, bySlot: map[int]string{}, changed: make(chan struct{})}
}

// check refuses what accept must not see. It says false, and no error, for a plan that is in force already.
func (p *plans) check(np *stormrpc.NodePlan) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case np == nil:
		return false, errors.New("no plan")
	case np.Epoch < p.epoch:
		return false, fmt.Errorf("%w: epoch %d, newest is %d", errStale, np.Epoch, p.epoch)
	case np.Epoch == p.epoch && np.PlanVersion < p.version:
		return false, fmt.Errorf("%w: version %d, newest is %d", errStale, np.PlanVersion, p.version)
	case p.known && np.Epoch == p.epoch && np.PlanVersion == p.version:
		return false, nil
	}
	seen := map[string]bool{}
	for _, t := range np.Topologies {
		if t == nil || t.TopologyID == "" || t.Assignment == nil || seen[t.TopologyID] {
			return false, errors.New("plan has a topology without id or assignment, or twice")
		}
		seen[t.TopologyID] = true
	}
	return true, nil
}

// accept puts a plan that check passed into force. It keeps np. The topologies that cannot run as planned come back as
// complaints.
func (p *plans) accept(np *stormrpc.NodePlan, ports []int) []complain {
	p.mu.Lock()
	defer p.mu.Unlock()
	byID, bySlot := map[string]*stormrpc.TopologyPlan{}, map[int]string{}
	leaving := map[string]*stormrpc.TopologyPlan{}
	var complaints []complain
	for _, t := range np.Topologies {
		if old := p.byID[t.TopologyID]; old != nil && t.Epoch < old.Epoch {
			complaints = append(complaints, complain{t.TopologyID, fmt.Sprintf("plan of epoch %d is refused, newest is %d", t.Epoch, old.Epoch)})
			t = old
		}
		slots := slotsOf(t, p.node)
		if len(slots) == 0 {
			leaving[t.TopologyID] = t
			continue
		}
		byID[t.TopologyID] = t
		for _, port := range slots {
			other, taken := bySlot[port]
			switch {
			case !slices.Contains(ports, port):
				complaints = append(complaints, complain{t.TopologyID, fmt.Sprintf("node %s has no slot %d", p.node, port)})
			case taken: // the one that has it keeps it
				winner, loser := other, t.TopologyID
				if p.bySlot[port] == t.TopologyID {
					winner, loser = loser, winner
				}
				bySlot[port] = winner
				complaints = append(complaints, complain{loser, fmt.Sprintf("slot %d is given to %s as well", port, winner)})
			default:
				bySlot[port] = t.TopologyID
			}
		}
	}
	p.known, p.epoch, p.version, p.byID, p.bySlot = true, np.Epoch, np.PlanVersion, byID, bySlot
	p.leaving = leaving
	p.tellLocked()
	return complaints
}

// tell has everybody who waits for a change look again.
func (p *plans) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tellLocked()
}

func (p *plans) tellLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// setUnfit has nothing run on this node, or with "" again what is planned.
func (p *plans) setUnfit(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unfit != why {
		p.unfit = why
		p.tellLocked()
	}
}

// fitness gives why nothing may run here, "" if it may.
func (p *plans) fitness() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unfit
}

// slotsOf lists the ports on a node that a topology has executors in.
func slotsOf(t *stormrpc.TopologyPlan, node string) []int {
	var ports []int
	if t.Assignment.ExecutorNodePort == nil {
		return nil
	}
	for _, e := range *t.Assignment.ExecutorNodePort {
		if e.Value == nil || e.Value.Node != node {
			continue
		}
		for _, port := range e.Value.Port {
			ports = append(ports, int(port))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// slot gives what is to run on a port. It says false while no plan is known.
func (p *plans) slot(port int) (planned, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unfit != "" {
		return planned{Why: "node is unhealthy: " + p.unfit}, true
	}
	return planned{Topology: p.bySlot[port]}, p.known
}

// topologies lists the ids of what is planned here, in no order.
func (p *plans) topologies() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.byID))
}

// has tells whether a topology is planned here. While no plan is known, every one may be.
func (p *plans) has(topology string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID[topology] != nil || !p.known
}

// code is the version of a topology's code that its plan names, none if it names none.
func (p *plans) code(topology string) localizer.Version {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.byID[topology]; t != nil {
		return localizer.Version{Number: t.CodeVersion, Code: t.GetCodeID()}
	}
	return localizer.Version{}
}

// topology gives the plan of a topology that has executors here, else nil, and a channel that is closed with the next
// change of any plan.
func (p *plans) topology(id string) (*stormrpc.TopologyPlan, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID[id], p.changed
}

// answer is what a worker of a topology is told: its plan, or the one by which all it has left is to finish; else nil. The
// channel is closed with the next change of any plan.
func (p *plans) answer(id string) (*stormrpc.TopologyPlan, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.byID[id]; t != nil {
		return t, p.changed
	}
	return p.leaving[id], p.changed
}

// next is closed with the next change.
func (p *plans) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// seen gives the largest epoch and the version in force.
func (p *plans) seen() (epoch, version int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.epoch, p.version
}

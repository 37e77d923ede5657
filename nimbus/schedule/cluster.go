package schedule

import (
	"cmp"
	"time"
)

// Slot is a place for one worker: a port of a supervisor's node. The zero Slot is no place.
type Slot struct {
	Node string
	Port int32
}

// Executor is a run of tasks, First to Last, that are driven together.
type Executor struct {
	First, Last int32
}

// Node is a supervisor that offers slots.
type Node struct {
	ID string
	// Host is the machine. Nodes of one host are isolated together; "" stands for a host of its own.
	Host string
	// Rack groups nodes that are close to each other; "" is a rack like any other.
	Rack  string
	Ports []int32
	// Suspect ports are taken only when a topology finds nothing else: a worker just died or never came up there.
	Suspect []int32
	// Avoid makes the whole node suspect.
	Avoid bool
	// CPU is in points, 100 a core; Memory in MB. Generic are further resources by name.
	CPU, Memory float64
	Generic     map[string]float64
}

// Demand is what one executor asks for: CPU in points, 100 a core, memory in MB.
type Demand struct {
	CPU, OnHeap, OffHeap float64
	Generic              map[string]float64
}

// Shared is memory in MB that all executors of a worker, or of a node, use together: it counts once.
type Shared struct {
	Name                               string
	OnHeap, OffHeapWorker, OffHeapNode float64
}

// Component is a spout or bolt of a topology.
type Component struct {
	ID string
	Demand
	Shared []Shared
	// To names the components that get its tuples.
	To []string
	// Acker marks the component whose executors go along with workers instead of by themselves.
	Acker bool
	// MaxPerNode bounds its executors on one node; 0 is no bound. Apart names components that may not share a worker with it.
	// ConstraintSolver keeps both; the other strategies do not look at them, as in Storm.
	MaxPerNode int
	Apart      []string
}

// Wish says what a round may do with a topology whose executors all have a place.
type Wish int

const (
	Keep   Wish = iota // nothing
	Fill               // give it workers that it misses
	Spread             // also move whole workers to nodes that have less to do
)

// Topology is what wants to run. Its slices are read only and may be shared.
type Topology struct {
	ID, Name, Owner string
	Workers         int // wanted; below 1 is taken as 1. The resource-aware strategies find their own number
	Components      []Component
	Executors       []Executor // all of them, in order of First
	Of              []int      // index in Components, for each executor
	// Current is where each executor is and may stay; the zero Slot if it is nowhere or its worker is dead. nil is nowhere.
	Current []Slot
	// Near is a place that an executor without a place prefers, as most of its tasks were there. nil is no preference.
	Near []Slot
	Wish Wish
	// Fixed keeps all of it where it is, whatever happens to others.
	Fixed bool

	// What follows matters to the resource-aware scheduler.
	Strategy           string        // as in names.go; "" is the default one
	Priority           int           // 0 comes first
	Uptime             time.Duration // of equal ones the oldest comes first
	MaxHeap            float64       // on-heap MB of a worker (topology.worker.max.heap.size.mb); 0 is no bound
	MaxStates          int           // how often ConstraintSolver may go back on a choice; 0 takes the policy's bound
	AckersPerWorker    int           // that a new worker takes along
	OneExecutor        bool          // one executor a worker, ackers apart
	OneComponent       bool          // executors of one component a worker, ackers apart
	Proximity          bool          // take executors in the order in which tuples flow
	Favored, Unfavored []string      // hosts or node ids
	// Machines is how many nodes RoundRobin may use, and how many Tenants sets aside; 0 is no matter.
	Machines int
}

// Guarantee is a user's part of a cluster: CPU in points, memory in MB.
type Guarantee struct {
	CPU, Memory float64
}

// Policy is what the operator decides. The zero Policy is Storm's default scheduler.
type Policy struct {
	Scheduler Scheduler // nil is Even
	// MinWorkerCPU is what a worker counts for at least, in points (storm.worker.min.cpu.pcore.percent).
	MinWorkerCPU float64
	// Attempts bounds the tries to place a topology by evicting others; 0 is 5.
	Attempts int
	// MaxStates bounds every topology's own bound; 0 is 100,000.
	MaxStates int
	// FIFO evicts the oldest topologies of users beyond their guarantee instead of the ones beyond it most.
	FIFO       bool
	Guarantees map[string]Guarantee // by user
	Machines   map[string]int       // of isolated topologies, by name
	Tenants    map[string]int       // most machines of a user
	// Settling says that nodes may be missing that are there, as after a change of leaders: nobody has to give way for it.
	Settling bool
	// Allowed restricts strategies, by the names that topologies give; nil allows all.
	Allowed []string
}

// Result is what a round came to.
type Result struct {
	// Placed gives the slot of each executor of a topology, by its id, in the order of its Executors; the zero Slot is no
	// place. A slice may be the topology's own Current.
	Placed map[string][]Slot
	// Status is what the scheduler has to say of a topology, in Storm's words where Storm has some; most have nothing.
	Status map[string]string
	// Evicted are the topologies that had to give way, in that order. They may have found another place.
	Evicted []string
}

// Run places topologies on nodes. Of equal rights, those that come first are placed first. No argument is changed or kept.
func Run(p Policy, nodes []Node, topologies []Topology) Result {
	b := newBoard(p, nodes, topologies)
	if p.Scheduler == nil {
		p.Scheduler = Even
	}
	p.Scheduler(b)
	return b.result()
}

func compareSlots(x, y Slot) int {
	return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Port, y.Port))
}

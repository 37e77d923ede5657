package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Complete is the status of a topology that had all it needs already.
const Complete = "Fully Scheduled"

// Aware is Storm's resource-aware scheduler: no node gives more than it has, each topology is placed by its own strategy, whole or
// not at all, in order of priorities; one that does not fit may evict those that come after it. How many workers a topology
// gets follows from what it asks for.
func Aware(b *Board) {
	b.account()
	turn := b.priorities()
	for i, j := range turn {
		strategy, err := b.strategyOf(j)
		if err != nil {
			j.status = err.Error()
			continue
		}
		if j.Wish == Spread {
			b.relieve(j)
		}
		if j.placed < len(j.at) {
			b.makeRoom(j, strategy, turn[i+1:])
		} else if j.Wish == Spread && strategyName(j.Strategy) == roundRobinStrategy {
			b.spread(j, true)
		}
		j.status = cmp.Or(j.status, Complete)
	}
}

// strategyOf finds the strategy of a topology that the operator allows.
func (b *Board) strategyOf(j *Job) (Strategy, error) {
	if b.policy.Allowed != nil && j.Strategy != "" && !slices.Contains(b.policy.Allowed, j.Strategy) {
		return nil, fmt.Errorf("Unsuccessful in scheduling - %s is not an allowed strategy. Please make sure your topology.scheduler.strategy "+
			"config is one of the allowed strategies: [%s]", j.Strategy, strings.Join(b.policy.Allowed, ", "))
	}
	return FindStrategy(j.Strategy)
}

// relieve takes out executors where j has more than a node or worker can give, the last ones first, so that they are placed
// anew: its demands, or the node, may have changed.
func (b *Board) relieve(j *Job) {
	for _, s := range slices.Sorted(slices.Values(j.used)) {
		slot := &b.slots[s]
		for len(slot.execs) > 0 && (b.overdrawn(slot.node) || (j.MaxHeap > 0 && slot.heap > j.MaxHeap+slack)) {
			b.take(j, slices.Max(slot.execs))
		}
	}
}

func (b *Board) overdrawn(node int) bool {
	n := &b.nodes[node]
	return !n.ghost && slices.ContainsFunc(n.left, func(left float64) bool { return left < -slack })
}

// makeRoom places j, evicting topologies from the end of others if it must. Those that were evicted in vain come back.
func (b *Board) makeRoom(j *Job, strategy Strategy, others []*Job) {
	var evicted []eviction
	attempts := cmp.Or(b.policy.Attempts, 5)
	rest := slices.Clone(others)
	var err error
	for try := 0; try < attempts; {
		if b.plausible(j) {
			var states int
			if states, err = strategy(b, j); err == nil {
				j.status = b.placedBy(j, states)
				for _, v := range evicted {
					b.evicted = append(b.evicted, v.job.ID)
				}
				return
			}
			try++
		}
		victim := lastEvictable(rest)
		if victim < 0 || b.policy.Settling {
			break
		}
		evicted = append(evicted, b.evict(rest[victim]))
		rest = rest[:victim]
	}
	for _, v := range slices.Backward(evicted) {
		v.undo(b)
	}
	j.status = b.refusal(j, err)
}

// lastEvictable returns the last of a list that holds slots and may lose them, or -1.
func lastEvictable(list []*Job) int {
	for i, j := range slices.Backward(list) {
		if j.placed > 0 && !j.Fixed {
			return i
		}
	}
	return -1
}

// eviction remembers where a topology was.
type eviction struct {
	job *Job
	at  []int
}

func (b *Board) evict(j *Job) eviction {
	e := eviction{j, slices.Clone(j.at)}
	for x, at := range j.at {
		if at >= 0 {
			b.take(j, x)
		}
	}
	return e
}

func (v eviction) undo(b *Board) {
	for x, at := range v.at {
		if at >= 0 {
			b.place(v.job, x, at)
		}
	}
}

// missing is what the executors of j without a place ask for.
func (b *Board) missing(j *Job) []float64 {
	out := make([]float64, generics+len(b.resources))
	for e, at := range j.at {
		if at < 0 {
			for r, need := range j.needs[j.Of[e]] {
				out[r] += need
			}
		}
	}
	return out
}

// available is what nodes have left.
func (b *Board) available() []float64 {
	return b.sum(func(n *boardNode) []float64 { return n.left })
}

// plausible tells whether all nodes together have what j lacks.
func (b *Board) plausible(j *Job) bool {
	left := b.available()
	for r, need := range b.missing(j) {
		if need > left[r]+slack {
			return false
		}
	}
	return true
}

func (b *Board) placedBy(j *Job, states int) string {
	nodes := make(map[int]bool)
	for _, s := range j.used {
		nodes[b.slots[s].node] = true
	}
	return fmt.Sprintf("Running - Fully Scheduled by %s (%d states traversed, %d workers on %d nodes)", strategyName(j.Strategy), states, len(j.used), len(nodes))
}

// refusal says what j lacks, in Storm's words.
func (b *Board) refusal(j *Job, err error) string {
	need, left := b.missing(j), b.available()
	text := fmt.Sprintf("Not enough resources to schedule after evicting lower priority topologies. Additional Memory Required: %.1f MB (Available: %.1f MB). "+
		"Additional CPU Required: %.1f%% CPU (Available: %.1f%% CPU). Cannot schedule by %s", need[memory], left[memory], need[cpu], left[cpu], strategyName(j.Strategy))
	for i, name := range b.resources {
		if need[generics+i] > left[generics+i]+slack {
			text += fmt.Sprintf("; additional %s required: %g (available: %g)", name, need[generics+i], left[generics+i])
		}
	}
	if err != nil {
		text += ": " + err.Error()
	}
	return text
}

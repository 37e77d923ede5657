package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Fault is one harm done to one target, as a value.
type Fault struct {
	Kind   Kind
	Node   string        // the daemon that it hits, or whose worker
	Port   int           // the worker's slot, 0 if it hits the daemon
	Toward string        // the other end of a one-way partition
	Count  int           // of workers after a rebalance
	Hold   time.Duration // how long it lasts before it is healed; 0 for a kill whose victim starts again at once
}

func (f Fault) String() string {
	s := f.Node
	if f.Port != 0 {
		s = fmt.Sprintf("%s:%d", f.Node, f.Port)
	}
	if f.Toward != "" {
		s += "->" + f.Toward
	}
	if f.Count > 0 {
		s += fmt.Sprintf(" on %d workers", f.Count)
	}
	if f.Hold > 0 {
		s += fmt.Sprintf(" for %.0fs", f.Hold.Seconds())
	}
	return s
}

// Kind is what a fault does.
type Kind string

// The kinds of faults.
const (
	KillWorker     Kind = "worker"
	KillSupervisor Kind = "supervisor"
	KillNode       Kind = "node"
	KillNimbus     Kind = "nimbus"
	Pause          Kind = "pause"
	Partition      Kind = "partition"
	OneWay         Kind = "oneway"
	Rebalance      Kind = "rebalance"
)

// kinds says of each kind what it does and what it needs.
var kinds = []struct {
	Kind
	does    string
	cluster bool // needs daemons that this process started, to start them again
	cut     bool // needs links that can be cut
}{
	{KillWorker, "kill -9 of a worker", false, false},
	{KillSupervisor, "kill -9 of a supervisor, whose workers go on; it starts again 2 s later", true, false},
	{KillNode, "kill -9 of a supervisor and all its workers; it starts again 8 s later", true, false},
	{KillNimbus, "kill -9 of the leading Nimbus, which starts again 2 s later", true, false},
	{Pause, "SIGSTOP of a worker, a supervisor or Nimbus for 1 to 8 s", false, false},
	{Partition, "a supervisor and its workers cut off from everything for 4 to 12 s", true, true},
	{OneWay, "what one supervisor's node sends to another vanishes for 4 to 12 s", true, true},
	{Rebalance, "the topology gets another number of workers", true, false},
}

// Kinds lists all kinds in their order.
func Kinds() (all []Kind) {
	for _, k := range kinds {
		all = append(all, k.Kind)
	}
	return all
}

// Does says what a kind of fault does.
func (k Kind) Does() string {
	for _, known := range kinds {
		if known.Kind == k {
			return known.does
		}
	}
	return ""
}

// ParseKinds reads a list of kinds with commas between them.
func ParseKinds(list string) ([]Kind, error) {
	var out []Kind
	for name := range strings.SplitSeq(list, ",") {
		k := Kind(strings.TrimSpace(name))
		if !slices.Contains(Kinds(), k) {
			return nil, fmt.Errorf("no fault %q; there are %v", k, Kinds())
		}
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out, nil
}

// Able drops the kinds that cannot be done and says why: ours is whether the daemons are this process's own, cut whether
// their links can be cut.
func Able(all []Kind, ours, cut bool) (able []Kind, skipped map[Kind]string) {
	skipped = map[Kind]string{}
	for _, k := range kinds {
		switch {
		case !slices.Contains(all, k.Kind):
		case k.cluster && !ours:
			skipped[k.Kind] = "only daemons that verify started itself can be started again"
		case k.cut && !cut:
			skipped[k.Kind] = "cutting links needs root and Linux"
		default:
			able = append(able, k.Kind)
		}
	}
	return able, skipped
}

// View is what faults are chosen from. The same view, kinds and random source give the same fault.
type View struct {
	Supervisors []string // names of those that run
	Leader      string   // the Nimbus that leads
	Topology    string   // the name of the one that may be rebalanced
	Workers     []Worker
}

// Choose picks the next fault. False if there is nothing to hit.
func Choose(r *rand.Rand, from []Kind, v View) (Fault, bool) {
	var possible []Kind
	for _, k := range from {
		if len(v.targets(k)) > 0 {
			possible = append(possible, k)
		}
	}
	if len(possible) == 0 {
		return Fault{}, false
	}
	k := possible[r.IntN(len(possible))]
	targets := v.targets(k)
	f := targets[r.IntN(len(targets))]
	switch k {
	case KillSupervisor, KillNimbus:
		f.Hold = 2 * time.Second
	case KillNode:
		f.Hold = 8 * time.Second
	case Pause:
		f.Hold = time.Duration(1+r.IntN(8)) * time.Second
	case Partition, OneWay:
		f.Hold = time.Duration(4+r.IntN(9)) * time.Second
	}
	return f, true
}

// targets are all that a kind of fault could hit.
func (v View) targets(k Kind) (all []Fault) {
	supervisors := func() {
		for _, s := range v.Supervisors {
			all = append(all, Fault{Kind: k, Node: s})
		}
	}
	workers := func() {
		for _, w := range v.Workers {
			all = append(all, Fault{Kind: k, Node: w.Node, Port: w.Port})
		}
	}
	leader := func() {
		if v.Leader != "" {
			all = append(all, Fault{Kind: k, Node: v.Leader})
		}
	}
	switch k {
	case KillWorker:
		workers()
	case KillSupervisor, KillNode, Partition:
		supervisors()
	case KillNimbus:
		leader()
	case Pause:
		workers()
		supervisors()
		leader()
	case Rebalance:
		for n := 1; v.Topology != "" && n <= len(v.Supervisors); n++ {
			if n != len(v.Workers) {
				all = append(all, Fault{Kind: k, Node: v.Topology, Count: n})
			}
		}
	case OneWay:
		for _, a := range v.Supervisors {
			for _, b := range v.Supervisors {
				if a != b {
					all = append(all, Fault{Kind: k, Node: a, Toward: b})
				}
			}
		}
	}
	return all
}

package dag

import (
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Around is what two graphs do not say of their versions.
type Around struct {
	// Program says that Go components come from another program, Classes that Java components come from other jars.
	Program, Classes bool
	// Checkpoints says that both versions have them.
	Checkpoints bool
	// JVM says that workers may have a Java process though no component of the version that runs needs one.
	JVM bool
	// Idle says of a key of the topology's configuration that no worker reads it; nil: of none.
	Idle func(key string) bool
}

// Restarts says for which parts of a change workers have to start again; all others are made while they run.
type Restarts struct {
	// Graph is why no change of tasks and streams can be made in place, Files why other files cannot, Ackers why
	// another number of ackers cannot; "" if it can, or there is none.
	Graph, Files, Ackers string
	// Components are those whose change cannot be made in place, with the reason.
	Components map[string]string
	// Conf are keys of the topology's configuration that workers read when they start, with the reason.
	Conf map[string]string
}

// Any says that workers start again.
func (r *Restarts) Any() bool {
	return r.Graph != "" || r.Files != "" || r.Ackers != "" || len(r.Components)+len(r.Conf) > 0
}

// Restarts says how a change of a running topology from old to next is made. d is their Diff.
func (d *Diff) Restarts(old, next *Graph, a Around) (r Restarts) {
	if (old.Timed || next.Timed) && !a.Checkpoints && !d.still() {
		r.Graph = "a topology with event time and without checkpoints has no point at which all tasks could switch"
	}
	switch {
	case a.Program && (old.uses(ImplGo) || next.uses(ImplGo)):
		r.Files = "workers are the Go program, and that is another one"
	case a.Classes && (a.JVM || old.uses(ImplJava)) && next.uses(ImplJava):
		r.Files = "the JVM of a worker has the classes of the jar before"
	}
	if was, will := old.ackers(), next.ackers(); was != will {
		r.Ackers = fmt.Sprintf("what is under way is followed by %d ackers, not %d", was, will)
	}
	if a.JVM || old.uses(ImplJava) {
		r.Components = d.toldToJava(old, next)
	}
	for _, c := range d.Conf {
		if a.Idle == nil || !a.Idle(c.Key) {
			if r.Conf == nil {
				r.Conf = map[string]string{}
			}
			r.Conf[c.Key] = "workers read the configuration of the topology when they start"
		}
	}
	return r
}

// toldToJava returns the components whose change concerns Java components of next: a Java process is told at its start which tasks it
// has and what they send to and hear from.
func (d *Diff) toldToJava(old, next *Graph) map[string]string {
	var changed []string
	changed = append(append(changed, d.Added...), d.Removed...)
	for _, r := range d.Replaced {
		changed = append(changed, r.Component)
	}
	for _, r := range d.Rescaled {
		if r.Tasks != r.NewTasks {
			changed = append(changed, r.Component)
		}
	}
	out := map[string]string{}
	for _, name := range changed {
		if nearJava(old, next, name) {
			out[name] = "a Java process that runs knows its tasks, and whom they send to and hear from, as they were at its start"
		}
	}
	for _, e := range d.Edges {
		if inJava(next, e.Source) || inJava(next, e.Target) {
			out[e.Target] = "a Java process that runs knows streams and groupings of its tasks as they were at its start"
		}
	}
	return out
}

// nearJava says whether a component, or one that it shares a stream with, is in Java and in next.
func nearJava(old, next *Graph, name string) bool {
	if inJava(next, name) {
		return true
	}
	for _, g := range []*Graph{old, next} {
		for _, p := range g.Processors {
			for _, in := range p.Inputs {
				if in.Source == name && inJava(next, p.Name) || p.Name == name && inJava(next, in.Source) {
					return true
				}
			}
		}
	}
	return false
}

func inJava(g *Graph, name string) bool {
	p := g.Processor(name)
	return p != nil && p.Impl.Kind == ImplJava
}

// still says that tasks and streams stay as they are.
func (d *Diff) still() bool {
	return len(d.Added)+len(d.Removed)+len(d.Replaced)+len(d.Rescaled)+len(d.Edges) == 0
}

func (g *Graph) uses(kind ImplKind) bool {
	return slices.ContainsFunc(g.Processors, func(p *Processor) bool { return p.Impl.Kind == kind })
}

func (g *Graph) ackers() int {
	if p := g.Processor(gearcore.AckerComponent); p != nil {
		return p.Tasks
	}
	return 0
}

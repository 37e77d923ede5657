package dag

import (
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Around is what two graphs do not say of their versions.
type Around struct {
	// Program says that Go components come from another program.
	Program bool
	// Files says that files that go along are others, for which no component is replaced.
	Files bool
	// Checkpoints says that both versions have them.
	Checkpoints bool
	// Idle says of a key of the topology's configuration that no worker reads it; nil: of none.
	Idle func(key string) bool
}

// Restarts says for which parts of a change workers have to start again; all others are made while they run.
type Restarts struct {
	// Graph is why no change at all can be made in place, Files why other files cannot, Ackers why
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
	if (old.Timed || next.Timed) && !a.Checkpoints && (a.Files || !d.Empty()) {
		r.Graph = "a topology with event time and without checkpoints has no point at which all tasks could switch"
	}
	if a.Program && (old.uses(ImplGo) || next.uses(ImplGo)) {
		r.Files = "workers are the Go program, and that is another one"
	}
	if was, will := old.ackers(), next.ackers(); was != will {
		r.Ackers = fmt.Sprintf("what is under way is followed by %d ackers, not %d", was, will)
	}
	r.Components = d.knownToJava(old, next)
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

// knownToJava returns the components whose change concerns a Java component that goes on and shares a direct stream with them. Its code
// asks for the numbers of tasks when it begins, to send to each of them or to hear from each of them, and keeps them, as that of
// Trident and of DRPC does.
func (d *Diff) knownToJava(old, next *Graph) map[string]string {
	const why = "%s shares a direct stream with it: code in Java knows tasks by the numbers that they had when it began"
	changed := d.changed()
	goesOn := func(name string) bool { return !changed[name] && inJava(old, name) && inJava(next, name) }
	out := map[string]string{}
	note := func(a, b string) {
		if goesOn(a) && changed[b] {
			out[b] = fmt.Sprintf(why, a)
		}
	}
	for _, g := range []*Graph{old, next} {
		for _, p := range g.Processors {
			for _, in := range p.Inputs {
				if in.Grouping.Kind == Direct {
					note(in.Source, p.Name)
					note(p.Name, in.Source)
				}
			}
		}
	}
	for _, e := range d.Edges {
		if (direct(e.Old) || direct(e.New)) && (goesOn(e.Source) || goesOn(e.Target)) {
			out[e.Target] = fmt.Sprintf(why, e.Source)
		}
	}
	return out
}

func direct(g *Grouping) bool { return g != nil && g.Kind == Direct }

// changed are the components that come or go, or whose tasks are new ones.
func (d *Diff) changed() map[string]bool {
	out := map[string]bool{}
	for _, name := range slices.Concat(d.Added, d.Removed) {
		out[name] = true
	}
	for _, r := range d.Replaced {
		out[r.Component] = true
	}
	for _, r := range d.Rescaled {
		if r.Tasks != r.NewTasks {
			out[r.Component] = true
		}
	}
	return out
}

func inJava(g *Graph, name string) bool {
	p := g.Processor(name)
	return p != nil && p.Impl.Kind == ImplJava
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

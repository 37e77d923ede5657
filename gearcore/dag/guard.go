package dag

import (
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Guards say what a change has to keep.
type Guards struct {
	// State says that a component keeps state or a position in checkpoints; nil: none does.
	State func(component string) bool
	// Undivided says that a component keeps state that belongs to its tasks, so that their number cannot change; nil: none does.
	Undivided func(component string) bool
	// Checkpoints says that the topology has them, so that cycles are out.
	Checkpoints bool
	// DropState allows the removal of components with state.
	DropState bool
}

// Refuse returns why the graph may not become next by a change of a running topology, one sentence for each reason; none: it may.
// d is their Diff.
func (d *Diff) Refuse(old, next *Graph, g Guards) (why []string) {
	if g.State == nil {
		g.State = func(string) bool { return false }
	}
	if old.Hash != next.Hash {
		why = append(why, "the hash of fields groupings (gearstorm.hash.mode) cannot change while the topology runs: every key would move")
	}
	for _, name := range d.Removed {
		if g.State(name) && !g.DropState {
			why = append(why, fmt.Sprintf("component %s has state, which would be lost with it; say so with --drop-state", name))
		}
	}
	for _, r := range d.Replaced {
		if p, q := old.Processor(r.Component), next.Processor(r.Component); p.Kind != q.Kind {
			why = append(why, fmt.Sprintf("component %s is a %v and cannot become a %v: give it another id", r.Component, p.Kind, q.Kind))
		}
	}
	for _, r := range d.Rescaled {
		why = append(why, refuseRescale(next, r)...)
		if r.Tasks != r.NewTasks && g.Undivided != nil && g.Undivided(r.Component) {
			why = append(why, fmt.Sprintf("component %s has state that belongs to each of its %d tasks and cannot be divided among %d: give it another id, or keep state by key",
				r.Component, r.Tasks, r.NewTasks))
		}
	}
	for _, e := range d.Edges {
		if e.Old != nil && e.New != nil && g.State(e.Target) && !keepsKeys(*e.Old, *e.New) {
			why = append(why, fmt.Sprintf("component %s has state by what stream %s of %s is grouped by, %v; with %v its keys would be at other tasks: give it another id",
				e.Target, e.Stream, e.Source, *e.Old, *e.New))
		}
	}
	if g.Checkpoints {
		if c := Cycle(next); c != nil {
			why = append(why, fmt.Sprintf("components %v form a cycle, and the topology has checkpoints", c))
		}
	}
	return why
}

func refuseRescale(next *Graph, r Rescale) (why []string) {
	p := next.Processor(r.Component)
	if r.NewTasks > gearcore.KeyGroups && slices.ContainsFunc(p.Inputs, func(in Input) bool { return in.Grouping.Kind == KeyGroups }) {
		why = append(why, fmt.Sprintf("component %s cannot have %d tasks: its keys are in %d groups", r.Component, r.NewTasks, gearcore.KeyGroups))
	}
	if r.NewTasks == 0 {
		why = append(why, fmt.Sprintf("component %s cannot have no task: remove it instead", r.Component))
	}
	return why
}

// keepsKeys says whether state that was kept under one rule is where the other looks for it.
func keepsKeys(a, b Grouping) bool {
	keyed := func(g Grouping) bool { return g.Kind == Fields || g.Kind == KeyGroups || g.Kind == PartialKey }
	if !keyed(a) && !keyed(b) {
		return true // it is not by key
	}
	return same(a, b)
}

// String returns the grouping as users write it: its kind, and the fields in brackets.
func (g Grouping) String() string {
	switch {
	case len(g.Fields) > 0:
		return fmt.Sprintf("%v%v", g.Kind, g.Fields)
	case g.Name != "":
		return fmt.Sprintf("%v[%s]", g.Kind, g.Name)
	}
	return g.Kind.String()
}

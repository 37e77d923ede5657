package dag

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Next is the plan of the version of p's topology that comes after p. The tasks of a component that is replaced (DiffOf says
// so, or also names it) or whose number of tasks changes are new ones, with ids above highest, the highest that the topology ever
// had; all other tasks keep their ids. So no id means two things, and new tasks can be made while the old ones still run. Streams
// keep their ids too. It returns the new highest id. What p lacks to become g is not judged (Diff.Refuse).
func (p *Plan) Next(g *Graph, highest gearcore.TaskID, executors map[string]int, also ...string) (*Plan, gearcore.TaskID, error) {
	for _, ids := range []map[gearcore.TaskID]string{p.Numbering, p.Layout.Gone} {
		for id := range ids {
			if id > highest {
				return nil, 0, fmt.Errorf("plan version %d of topology %s: task %d is above the highest, %d", g.Version, g.Name, id, highest)
			}
		}
	}
	anew := map[string]bool{}
	for _, name := range also {
		anew[name] = true
	}
	d := DiffOf(p.Graph, g, nil)
	for _, r := range d.Replaced {
		anew[r.Component] = true
	}
	n := Numbering{}
	for _, proc := range g.Processors {
		if ids := p.TasksOf(proc.Name); len(ids) == proc.Tasks && !anew[proc.Name] {
			for _, id := range ids {
				n[id] = proc.Name
			}
			continue
		}
		for range proc.Tasks {
			highest++
			n[highest] = proc.Name
		}
	}
	before := Former{Streams: p.Layout.Streams, Gone: maps.Clone(p.Layout.Gone)}
	for id, name := range p.Numbering {
		if _, stays := n[id]; !stays {
			if before.Gone == nil {
				before.Gone = map[gearcore.TaskID]string{}
			}
			before.Gone[id] = name
		}
	}
	next, err := ExpandAfter(g, n, before, executors)
	return next, highest, err
}

// Moves are the tasks that differ between two plans of a topology, each list ascending.
type Moves struct {
	Come, Go []gearcore.TaskID
	// Rewired tasks are in both, and send to or hear from other tasks, or by another rule. All others never notice the change.
	Rewired []gearcore.TaskID
}

// MovesOf returns which tasks a change from p to next touches.
func MovesOf(p, next *Plan) Moves {
	var m Moves
	for id := range next.Numbering {
		if _, ok := p.Numbering[id]; !ok {
			m.Come = append(m.Come, id)
		}
	}
	for id := range p.Numbering {
		if _, ok := next.Numbering[id]; !ok {
			m.Go = append(m.Go, id)
		}
	}
	for _, q := range next.Graph.Processors {
		if rewired(p, next, q) {
			for _, id := range next.TasksOf(q.Name) {
				if _, stays := p.Numbering[id]; stays {
					m.Rewired = append(m.Rewired, id)
				}
			}
		}
	}
	slices.Sort(m.Come)
	slices.Sort(m.Go)
	slices.Sort(m.Rewired)
	return m
}

// rewired says whether a component that is in both plans sends to or hears from others.
func rewired(p, next *Plan, q *Processor) bool {
	was := p.Graph.Processor(q.Name)
	if was == nil {
		return false
	}
	for _, o := range q.Outputs {
		a, _ := p.Stream(q.Name, o.Stream)
		b, _ := next.Stream(q.Name, o.Stream)
		if !slices.EqualFunc(p.Routes[a], next.Routes[b], sameRoute) {
			return true
		}
	}
	if len(was.Inputs) != len(q.Inputs) {
		return true
	}
	for _, in := range q.Inputs {
		if !slices.Equal(p.TasksOf(in.Source), next.TasksOf(in.Source)) ||
			!slices.ContainsFunc(was.Inputs, func(w Input) bool {
				return w.Source == in.Source && w.Stream == in.Stream && same(w.Grouping, in.Grouping)
			}) {
			return true
		}
	}
	return false
}

func sameRoute(a, b Route) bool {
	return a.Stream == b.Stream && a.Target.Name == b.Target.Name && slices.Equal(a.Tasks, b.Tasks) && same(a.Grouping, b.Grouping) && a.Back == b.Back
}

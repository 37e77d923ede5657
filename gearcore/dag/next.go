package dag

import (
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Next is the plan of the version of p's topology that comes after p. Tasks that stay keep their ids, also where their code is
// replaced; a component that shrinks loses its highest ones; tasks that come get ids above highest, the highest that the
// topology ever had, so that no id means two things. Streams keep their ids too. It returns the new highest id. What p lacks to
// become g is not judged (Diff.Refuse).
func (p *Plan) Next(g *Graph, highest gearcore.TaskID, executors map[string]int) (*Plan, gearcore.TaskID, error) {
	for id := range p.Numbering {
		if id > highest {
			return nil, 0, fmt.Errorf("plan version %d of topology %s: task %d is above the highest, %d", g.Version, g.Name, id, highest)
		}
	}
	n := Numbering{}
	for _, proc := range g.Processors {
		ids := p.TasksOf(proc.Name)
		for _, id := range ids[:min(len(ids), proc.Tasks)] {
			n[id] = proc.Name
		}
		for range proc.Tasks - len(ids) {
			highest++
			n[highest] = proc.Name
		}
	}
	next, err := expand(g, n, p.Layout.Streams, executors)
	return next, highest, err
}

// Moves are the tasks that differ between two plans of a topology.
type Moves struct {
	Come, Go []gearcore.TaskID
	// Renewed tasks are in both, with other code, configuration, inputs or number of siblings.
	Renewed []gearcore.TaskID
}

// MovesOf returns which tasks a change from p to next touches, ascending. All others never notice it but for where they
// send to.
func MovesOf(p, next *Plan, d *Diff) Moves {
	touched := map[string]bool{}
	for _, r := range d.Replaced {
		touched[r.Component] = true
	}
	for _, r := range d.Rescaled {
		if r.Tasks != r.NewTasks {
			touched[r.Component] = true // their keys move
		}
	}
	for _, e := range d.Edges {
		touched[e.Target] = true
	}
	var m Moves
	for id, name := range next.Numbering {
		switch was, ok := p.Numbering[id]; {
		case !ok || was != name:
			m.Come = append(m.Come, id)
		case touched[name]:
			m.Renewed = append(m.Renewed, id)
		}
	}
	for id := range p.Numbering {
		if _, ok := next.Numbering[id]; !ok {
			m.Go = append(m.Go, id)
		}
	}
	slices.Sort(m.Come)
	slices.Sort(m.Go)
	slices.Sort(m.Renewed)
	return m
}

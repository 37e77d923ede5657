package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Versions of the graph without checkpoints: what was emitted and not acked comes again, and what is acked was seen by all leaves,
// whatever became of the bolts between.

// evolve gives the topology another graph, of which the same leaves get the same tuples.
func (m *model) evolve(t *testing.T, seed uint64, w *World) {
	t.Helper()
	g := cloneGraph(w.plan.dag.Graph)
	var renew []string
	times := 1 + m.rnd.IntN(2)
	if m.calm { // two may leave a component that has new tasks and does not hear any more of what is on its way to the old ones
		times = 1
	}
	for range times {
		renew = append(renew, m.mutate(g)...)
	}
	drain := time.Duration(m.rnd.IntN(60))*time.Millisecond + 1
	if m.calm {
		drain = time.Hour
	}
	next := successor(t, seed, w.plan.dag, g, renew)
	w.Become(next, place(m.rnd, next, w.plan.workers), drain)
}

// mutate changes g in one way, and returns what is replaced though its description is the same.
func (m *model) mutate(g *dag.Graph) (renew []string) {
	var bolts, passes []*dag.Processor
	for _, p := range g.Processors {
		if p.Kind == dag.Bolt {
			bolts = append(bolts, p)
			if strings.HasPrefix(p.Name, "pass") && len(p.Inputs) == 1 {
				passes = append(passes, p)
			}
		}
	}
	p := bolts[m.rnd.IntN(len(bolts))]
	switch pick := m.rnd.IntN(7); {
	case pick < 2:
		p.Tasks = 1 + m.rnd.IntN(8)
		if strings.HasPrefix(p.Name, "ring") || slices.ContainsFunc(p.Inputs, toEach) { // tuples may multiply by them, again and again
			p.Tasks = 1 + m.rnd.IntN(2)
		}
		p.Executors = 1 + m.rnd.IntN(p.Tasks)
	case pick == 2:
		return []string{p.Name}
	case pick == 3:
		return []string{"src"}
	case pick == 4: // a bolt between two
		m.added++
		in := &p.Inputs[m.rnd.IntN(len(p.Inputs))]
		if strings.HasPrefix(in.Source, "ring") && strings.HasPrefix(p.Name, "ring") {
			return nil // they know each other
		}
		q := &dag.Processor{Name: fmt.Sprintf("passnew%d", m.added), Kind: dag.Bolt, Tasks: 1 + m.rnd.IntN(3), Executors: 1, Inputs: []dag.Input{m.fromOnce(in.Source)}, Outputs: p.Outputs}
		in.Source = q.Name
		g.Processors = append(g.Processors, q)
	case pick == 5 && len(passes) > 0 && !m.calm: // one less: what is on its way to it fails
		p = passes[m.rnd.IntN(len(passes))]
		for _, q := range g.Processors {
			if slices.ContainsFunc(q.Inputs, func(in dag.Input) bool { return in.Source == p.Inputs[0].Source }) &&
				slices.ContainsFunc(q.Inputs, func(in dag.Input) bool { return in.Source == p.Name }) {
				return nil // it would hear of it twice
			}
		}
		g.Processors = slices.DeleteFunc(g.Processors, func(q *dag.Processor) bool { return q == p })
		for _, q := range g.Processors {
			for i := range q.Inputs {
				if q.Inputs[i].Source == p.Name {
					q.Inputs[i].Source = p.Inputs[0].Source
				}
			}
		}
	case pick == 6 && !strings.HasPrefix(p.Name, "ring"): // another grouping
		p.Inputs[0] = m.fromOnce(p.Inputs[0].Source)
	}
	slices.SortFunc(g.Processors, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	return nil
}

func toEach(in dag.Input) bool { return in.Grouping.Kind == dag.All }

// fromOnce is from without the grouping that multiplies tuples.
func (m *model) fromOnce(source string) dag.Input {
	in := m.from(source)
	if toEach(in) {
		in.Grouping.Kind = dag.Shuffle
	}
	return in
}

// TestAtLeastOnceThroughVersions has the graph change while executors move and workers die.
func TestAtLeastOnceThroughVersions(t *testing.T) {
	for seed := range seeds(t, 300) {
		newModel(seed+1).play(t, seed+1, int(seed%3), int(seed%2), 5)
	}
}

// TestNothingFailsThroughVersions gives what leaves all the time it wants: nothing fails then.
func TestNothingFailsThroughVersions(t *testing.T) {
	for seed := range seeds(t, 300) {
		m := newModel(seed + 1)
		m.calm, m.flaky, m.timeout = true, 0, time.Hour
		m.play(t, seed+1, 0, 0, 5)
	}
}

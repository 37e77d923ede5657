package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Versions of the graph that come while it runs. They leave the number of ways from sources to counts as it is, so that the model
// stays the same: each record is counted once a way, by whatever tasks.

// evolve gives the topology another graph. What stays stays where it is, what comes gets a place.
func (m *exact) evolve(t *testing.T, seed uint64, w *World) {
	t.Helper()
	old := w.plan.dag
	g := cloneGraph(old.Graph)
	var renew []string
	for range 1 + m.rnd.IntN(2) {
		renew = append(renew, m.mutate(g)...)
	}
	next := successor(t, seed, old, g, renew)
	m.versions++
	w.Become(next, place(m.rnd, next, w.plan.workers), time.Duration(m.rnd.IntN(20))*time.Millisecond+1)
}

// successor is the plan after old, of graph g.
func successor(t *testing.T, seed uint64, old *dag.Plan, g *dag.Graph, renew []string) *dag.Plan {
	t.Helper()
	slices.SortFunc(g.Processors, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	highest := gearcore.TaskID(0)
	for _, ids := range []map[gearcore.TaskID]string{old.Layout.Components, old.Layout.Gone} {
		for id := range ids {
			highest = max(highest, id)
		}
	}
	next, _, err := old.Next(g, highest, nil, renew...)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return next
}

// begun says whether sources emit.
func (w *World) begun() bool {
	return w.keeper.coordinator != nil && w.keeper.coordinator.Order().Go
}

// place gives the executors of a plan to workers: those that are there already stay.
func place(rnd *rand.Rand, next *dag.Plan, before [][]dag.Executor) [][]dag.Executor {
	out := make([][]dag.Executor, len(before))
	for _, x := range next.Executors {
		at := slices.IndexFunc(before, func(ex []dag.Executor) bool {
			return slices.ContainsFunc(ex, func(y dag.Executor) bool { return x.First == y.First && x.Last == y.Last })
		})
		if at < 0 {
			at = rnd.IntN(len(out))
		}
		out[at] = append(out[at], x)
	}
	return out
}

func cloneGraph(g *dag.Graph) *dag.Graph {
	c := *g
	c.Version++
	c.Processors = nil
	for _, p := range g.Processors {
		q := *p
		q.Inputs = slices.Clone(p.Inputs)
		c.Processors = append(c.Processors, &q)
	}
	return &c
}

// mutate changes g in one way, and returns what is replaced though its description is the same.
func (m *exact) mutate(g *dag.Graph) (renew []string) {
	bolts := func(ok func(*dag.Processor) bool) *dag.Processor {
		var of []*dag.Processor
		for _, p := range g.Processors {
			if p.Kind == dag.Bolt && ok(p) {
				of = append(of, p)
			}
		}
		if len(of) == 0 {
			return nil
		}
		return of[m.rnd.IntN(len(of))]
	}
	anyBolt := func(*dag.Processor) bool { return true }
	pass := func(p *dag.Processor) bool { return p.Name != "count" && p.Name != "sink" && p.Name != "tap" }
	switch m.rnd.IntN(8) {
	case 0, 1:
		p := bolts(anyBolt)
		p.Tasks = 1 + m.rnd.IntN(8)
		p.Executors = p.Tasks
	case 2:
		return []string{bolts(anyBolt).Name}
	case 3:
		return []string{"src"}
	case 4: // a bolt between two
		to := bolts(func(p *dag.Processor) bool { return p.Name != "sink" && p.Name != "tap" })
		m.added++
		name := fmt.Sprintf("new%d", m.added)
		in := &to.Inputs[m.rnd.IntN(len(to.Inputs))]
		n := 1 + m.rnd.IntN(3)
		g.Processors = append(g.Processors, &dag.Processor{Name: name, Kind: dag.Bolt, Tasks: n, Executors: n,
			Inputs: []dag.Input{{Source: in.Source, Stream: "default", Grouping: dag.Grouping{Kind: dag.Shuffle}}}, Outputs: to.Outputs})
		in.Source = name
	case 5: // one less
		p := bolts(pass)
		if p == nil {
			return nil
		}
		source := p.Inputs[0].Source
		for _, q := range g.Processors {
			for _, in := range q.Inputs {
				if in.Source == source { // it would hear of it twice
					for _, other := range q.Inputs {
						if other.Source == p.Name {
							return nil
						}
					}
				}
			}
		}
		g.Processors = slices.DeleteFunc(g.Processors, func(q *dag.Processor) bool { return q == p })
		for _, q := range g.Processors {
			for i := range q.Inputs {
				if q.Inputs[i].Source == p.Name {
					q.Inputs[i].Source = source
				}
			}
		}
	case 6: // another grouping
		if p := bolts(pass); p != nil {
			p.Inputs[0].Grouping = dag.Grouping{Kind: []dag.GroupingKind{dag.Shuffle, dag.Global, dag.LocalOrShuffle, dag.None}[m.rnd.IntN(4)]}
		}
	case 7: // a bolt that hears what others emit, and says nothing; it may be there already
		from := bolts(func(p *dag.Processor) bool { return p.Name != "sink" && p.Name != "tap" }).Name
		if m.rnd.IntN(2) == 0 {
			from = "src"
		}
		kind := []dag.GroupingKind{dag.Shuffle, dag.Global, dag.All}[m.rnd.IntN(3)]
		in := []dag.Input{{Source: from, Stream: "default", Grouping: dag.Grouping{Kind: kind}}}
		if p := g.Processor("tap"); p != nil {
			p.Inputs = in
			break
		}
		g.Processors = append(g.Processors, &dag.Processor{Name: "tap", Kind: dag.Bolt, Tasks: 2, Executors: 2, Inputs: in, Outputs: g.Processor("count").Outputs})
	}
	slices.SortFunc(g.Processors, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	return nil
}

// TestBirths has the graph change a few times while nothing else happens: no tuple is lost or counted twice, and nothing goes back.
func TestBirths(t *testing.T) {
	for seed := range seeds(t, 300) {
		playExact(t, seed+1, exactOptions{births: 5})
	}
}

// TestBirthsThroughCrashes has workers die meanwhile.
func TestBirthsThroughCrashes(t *testing.T) {
	for seed := range seeds(t, 300) {
		playExact(t, seed+1, exactOptions{births: 4, crashes: 3, slow: 20 * time.Millisecond})
	}
}

// TestBirthsThatFollowEachOther has versions come before the one before is in force: they take its place, unless it is too late for that.
func TestBirthsThatFollowEachOther(t *testing.T) {
	for seed := range seeds(t, 300) {
		playExact(t, seed+1, exactOptions{births: 8, hasty: true, crashes: int(seed % 3), keeperCrashes: int(seed % 2), slow: []time.Duration{0, 50 * time.Millisecond}[seed/2%2],
			lossy: []int{0, 5}[seed/4%2]})
	}
}

// TestBirthsThroughEverything has all else go wrong as well.
func TestBirthsThroughEverything(t *testing.T) {
	for seed := range seeds(t, 300) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		playExact(t, seed+1, exactOptions{
			births: 1 + rnd.IntN(5), crashes: rnd.IntN(4), keeperCrashes: rnd.IntN(3), changes: rnd.IntN(3), faulty: []float64{0, 0.0005}[rnd.IntN(2)],
			files: []float64{0, 0.05}[rnd.IntN(2)], slow: []time.Duration{0, 30 * time.Millisecond, 400 * time.Millisecond}[rnd.IntN(3)],
			losses: []int{0, 300}[rnd.IntN(2)], lossy: []int{0, 5}[rnd.IntN(2)],
		})
	}
}

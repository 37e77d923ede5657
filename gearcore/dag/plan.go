package dag

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Task is one numbered task of a Plan.
type Task struct {
	ID        gearcore.TaskID
	Processor *Processor
	Index     int // place among the processor's tasks
}

// Executor is a run of tasks First..Last of one processor that are driven together.
type Executor struct {
	Processor   *Processor
	First, Last gearcore.TaskID
}

// Route is one subscription of a stream, resolved: who gets its tuples, by which rule.
type Route struct {
	Stream   gearcore.StreamID
	Target   *Processor
	Tasks    []gearcore.TaskID // of Target, ascending
	Grouping Grouping
	Fields   []int // positions of Grouping.Fields in the stream
	// Back marks an edge inside a cycle. It takes no credit: a bounded queue there could wait for itself.
	Back bool
}

// Numbering is the stored task numbering of a topology: which component each id belongs to. Ids are never reused.
type Numbering map[gearcore.TaskID]string

// Plan is a Graph expanded.
type Plan struct {
	Graph     *Graph
	Layout    *gearcore.Layout
	Numbering Numbering
	byName    map[string]component
	Executors []Executor // ordered by First
	streams   map[streamKey]gearcore.StreamID
	Routes    map[gearcore.StreamID][]Route // in the order of target names
}

// component is a processor with its task ids, ascending. What a Task says is found by them: a record of each would cost
// more than the numbering itself.
type component struct {
	proc *Processor
	ids  []gearcore.TaskID
}

type streamKey struct{ component, stream string }

// maxTasks bounds a topology, far above what runs.
const maxTasks = 1 << 24

// Number hands out task ids as Storm does: component names in order, ids from 1.
func Number(g *Graph) Numbering {
	n := Numbering{}
	next := gearcore.TaskID(1)
	for _, p := range g.Processors {
		for range p.Tasks {
			n[next] = p.Name
			next++
		}
	}
	return n
}

// SplitTasks cuts ids, ascending, into n executors, larger chunks first (10 in 3 is 4, 3, 3), as Nimbus does. More executors
// than tasks give one each. An executor is named by its first and last task, so where ids are missing between two (a later
// version of the graph has more tasks of the component) a cut is made as well, and there may be more than n.
func SplitTasks(ids []gearcore.TaskID, n int) [][]gearcore.TaskID {
	n = min(n, len(ids))
	var out [][]gearcore.TaskID
	for n > 0 && len(ids) > 0 {
		size, most := 1, (len(ids)+n-1)/n
		for size < most && ids[size] == ids[size-1]+1 {
			size++
		}
		out = append(out, ids[:size])
		ids = ids[size:]
		n = max(n-1, 1)
	}
	return out
}

// Expand makes the Plan of g. numbering is the stored one, nil for a topology that has none yet (Number). Every
// processor's count in the numbering must be its Tasks. executors gives executor counts by component where they differ
// from Processor.Executors (Storm's rebalance); a timed graph has one for each task.
func Expand(g *Graph, numbering Numbering, executors map[string]int) (*Plan, error) {
	return ExpandAfter(g, numbering, Former{}, executors)
}

// Former is what a plan keeps of the versions of its topology before it. Who has it and the numbering makes the same plan as who
// went from version to version (Plan.Next).
type Former struct {
	// Streams are those of the version before, or of this very one, in the order of their ids: they keep these.
	Streams []gearcore.Stream
	// Gone are tasks that were in earlier versions, with their components. It is kept.
	Gone map[gearcore.TaskID]string
}

// Former returns what the versions after p have to know of it.
func (p *Plan) Former() Former { return Former{p.Layout.Streams, p.Layout.Gone} }

// ExpandAfter is Expand for a version of a graph that is not the first.
func ExpandAfter(g *Graph, numbering Numbering, before Former, executors map[string]int) (*Plan, error) {
	if numbering == nil {
		numbering = Number(g)
	}
	if n := max(len(numbering), len(before.Gone), len(before.Streams)); n > maxTasks {
		return nil, fmt.Errorf("expand topology %s: %d tasks or streams, more than %d", g.Name, n, maxTasks)
	}
	for id := range before.Gone {
		if _, ok := numbering[id]; ok || id < 1 {
			return nil, fmt.Errorf("expand topology %s: task %d is gone, but the numbering has it", g.Name, id)
		}
	}
	p := &Plan{
		Graph: g, Numbering: numbering,
		byName:  map[string]component{},
		streams: map[streamKey]gearcore.StreamID{},
		Routes:  map[gearcore.StreamID][]Route{},
		Layout:  &gearcore.Layout{Hash: g.Hash, Components: make(map[gearcore.TaskID]string, len(numbering)+1), Gone: before.Gone},
	}
	if err := p.placeTasks(executors); err != nil {
		return nil, err
	}
	p.numberStreams(before.Streams)
	return p, p.connect()
}

// numberStreams gives every stream an id: those that are among kept, fields and all, their place there, all others the next
// ones. A stream of kept that the graph has no more keeps its place, for batches that are still under way, but nobody finds it.
func (p *Plan) numberStreams(kept []gearcore.Stream) {
	at := make(map[streamKey][]int, len(kept))
	for i, s := range kept {
		k := streamKey{s.Component, s.Name}
		at[k] = append(at[k], i)
	}
	p.Layout.Streams = slices.Clone(kept)
	for _, proc := range p.Graph.Processors {
		for _, o := range proc.Outputs {
			k := streamKey{proc.Name, o.Stream}
			s := gearcore.Stream{Component: proc.Name, Name: o.Stream, Fields: o.Fields, Direct: o.Direct}
			same := func(i int) bool { return kept[i].Direct == s.Direct && slices.Equal(kept[i].Fields, s.Fields) }
			if i := slices.IndexFunc(at[k], same); i >= 0 {
				p.streams[k] = gearcore.StreamID(at[k][i])
				continue
			}
			p.streams[k] = gearcore.StreamID(len(p.Layout.Streams))
			p.Layout.Streams = append(p.Layout.Streams, s)
		}
	}
}

func (p *Plan) placeTasks(executors map[string]int) error {
	byName := map[string][]gearcore.TaskID{}
	for id, name := range p.Numbering {
		byName[name] = append(byName[name], id)
	}
	placed := 0
	p.Layout.Components[gearcore.SystemTask] = gearcore.SystemComponent
	for _, proc := range p.Graph.Processors {
		ids := byName[proc.Name]
		slices.Sort(ids)
		if len(ids) != proc.Tasks {
			return fmt.Errorf("expand topology %s: component %s has %d tasks, the numbering %d", p.Graph.Name, proc.Name, proc.Tasks, len(ids))
		}
		p.byName[proc.Name] = component{proc, ids}
		for _, id := range ids {
			p.Layout.Components[id] = proc.Name
		}
		n := proc.Executors
		if e, ok := executors[proc.Name]; ok {
			n = e
		}
		if p.Graph.Timed {
			n = len(ids)
		}
		chunks := SplitTasks(ids, max(n, 1))
		p.Executors = slices.Grow(p.Executors, len(chunks))
		for _, c := range chunks {
			p.Executors = append(p.Executors, Executor{proc, c[0], c[len(c)-1]})
		}
		placed += len(ids)
	}
	if placed != len(p.Numbering) {
		return fmt.Errorf("expand topology %s: the numbering names a component that does not exist", p.Graph.Name)
	}
	slices.SortFunc(p.Executors, func(a, b Executor) int { return cmp.Compare(a.First, b.First) })
	return nil
}

func (p *Plan) connect() error {
	back := cycleEdges(p.Graph)
	for _, proc := range p.Graph.Processors {
		for _, in := range proc.Inputs {
			sid, ok := p.streams[streamKey{in.Source, in.Stream}]
			if !ok {
				return fmt.Errorf("expand topology %s: %s subscribes to stream %s of %s, which does not exist", p.Graph.Name, proc.Name, in.Stream, in.Source)
			}
			r := Route{Stream: sid, Target: proc, Tasks: p.byName[proc.Name].ids, Grouping: in.Grouping, Back: back[edgeKey{in.Source, proc.Name}]}
			for _, f := range in.Grouping.Fields {
				i := slices.Index(p.Layout.Streams[sid].Fields, f)
				if i < 0 {
					return fmt.Errorf("expand topology %s: %s groups stream %s of %s by field %s, which it does not have", p.Graph.Name, proc.Name, in.Stream, in.Source, f)
				}
				r.Fields = append(r.Fields, i)
			}
			p.Routes[sid] = append(p.Routes[sid], r)
		}
	}
	return nil
}

// Task returns the task with that id.
func (p *Plan) Task(id gearcore.TaskID) (Task, bool) {
	c, ok := p.byName[p.Numbering[id]]
	if !ok {
		return Task{}, false
	}
	i, ok := slices.BinarySearch(c.ids, id)
	return Task{id, c.proc, i}, ok
}

// TasksOf returns the ids of a component's tasks, ascending; not to be changed.
func (p *Plan) TasksOf(component string) []gearcore.TaskID { return p.byName[component].ids }

// Stream returns the id of a component's stream.
func (p *Plan) Stream(component, stream string) (gearcore.StreamID, bool) {
	id, ok := p.streams[streamKey{component, stream}]
	return id, ok
}

// Tracked reports whether tuples of this topology can be tracked: it has acker tasks.
func (p *Plan) Tracked() bool { return len(p.byName[gearcore.AckerComponent].ids) > 0 }

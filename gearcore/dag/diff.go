package dag

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Diff is what turns one version of a graph into the next. Its lists are in the order of component names; a component that was
// replaced may be rescaled as well. The zero Diff changes nothing.
type Diff struct {
	Added, Removed []string
	Replaced       []Replacement
	Rescaled       []Rescale
	Edges          []EdgeChange
	Conf           []KeyChange // of the topology
}

// Replacement says that the tasks of a component get other code or another configuration. What they know stays theirs.
type Replacement struct {
	Component string
	Reasons   []string // what is new, for people
}

// Rescale changes how many tasks a component has, or into how many executors they are cut.
type Rescale struct {
	Component          string
	Tasks, NewTasks    int
	Executors, NewExec int
}

// EdgeChange is a subscription that comes (Old is nil), goes (New is nil) or gets another rule.
type EdgeChange struct {
	Source, Stream, Target string
	Old, New               *Grouping
}

// KeyChange is a key of the topology's configuration with another value; nil: it is not set.
type KeyChange struct {
	Key      string
	Old, New any
}

// Empty says that nothing changes.
func (d *Diff) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Replaced)+len(d.Rescaled)+len(d.Edges)+len(d.Conf) == 0
}

// DiffOf compares two versions of a graph. replace names components that are replaced though nothing here tells, with
// the reason (their program is a new one). Components of the engine are left out: they follow from the others.
func DiffOf(old, next *Graph, replace map[string]string) Diff {
	var d Diff
	for _, p := range old.Processors {
		if q := next.Processor(p.Name); q == nil && !builtIn(p) {
			d.Removed = append(d.Removed, p.Name)
		}
	}
	for _, q := range next.Processors {
		p := old.Processor(q.Name)
		switch {
		case builtIn(q):
		case p == nil:
			d.Added = append(d.Added, q.Name)
		default:
			why := replace[q.Name]
			if why == "" && p.Impl.Kind == ImplShell && q.Impl.Kind == ImplShell && !knows(old, next, p, q) {
				why = "other inputs, which its program is told when it starts"
			}
			d.compare(p, q, why)
		}
	}
	d.edges(old, next)
	d.Conf = confChanges(old.Conf, next.Conf)
	return d
}

// knows says whether tasks that were told the inputs of p have heard of all those of q: sources, streams, their fields, which of them are the key.
func knows(old, next *Graph, p, q *Processor) bool {
	return !slices.ContainsFunc(q.Inputs, func(in Input) bool {
		return !slices.ContainsFunc(p.Inputs, func(was Input) bool {
			return was.Source == in.Source && was.Stream == in.Stream && same(was.Grouping, in.Grouping) && slices.Equal(old.fieldsOf(was), next.fieldsOf(in))
		})
	})
}

// fieldsOf returns the fields of a stream that is heard of, nil if there is no such stream.
func (g *Graph) fieldsOf(in Input) []string {
	p := g.Processor(in.Source)
	if p == nil {
		return nil
	}
	i := slices.IndexFunc(p.Outputs, func(o Output) bool { return o.Stream == in.Stream })
	if i < 0 {
		return nil
	}
	return p.Outputs[i].Fields
}

func builtIn(p *Processor) bool { return p.Kind == Acker || p.Kind == System || p.Kind == Clock }

func (d *Diff) compare(p, q *Processor, asked string) {
	var why []string
	if asked != "" {
		why = append(why, asked)
	}
	if p.Kind != q.Kind {
		why = append(why, "a "+p.Kind.String()+" becomes a "+q.Kind.String())
	}
	if !reflect.DeepEqual(p.Impl, q.Impl) {
		why = append(why, fmt.Sprintf("%v instead of %v", q.Impl, p.Impl))
	}
	if !sameOutputs(p.Outputs, q.Outputs) {
		why = append(why, "other output streams")
	}
	for _, c := range confChanges(p.Conf, q.Conf) {
		why = append(why, c.String())
	}
	if len(why) > 0 {
		d.Replaced = append(d.Replaced, Replacement{q.Name, why})
	}
	if p.Tasks != q.Tasks || p.Executors != q.Executors {
		d.Rescaled = append(d.Rescaled, Rescale{q.Name, p.Tasks, q.Tasks, p.Executors, q.Executors})
	}
}

// String returns how the code of a component is found, for people.
func (i Impl) String() string {
	switch i.Kind {
	case ImplGo:
		return "Go " + i.Name
	case ImplShell:
		return strings.Join(i.Command, " ")
	case ImplNative:
		return strings.Join(append([]string{i.Name}, i.Args...), " ")
	case ImplJava:
		return "Java " + i.Name
	}
	return "the engine"
}

// String returns the kind in Storm's words.
func (k Kind) String() string {
	switch k {
	case Spout:
		return "spout"
	case Bolt:
		return "bolt"
	case Acker:
		return "acker"
	case System:
		return "system component"
	case Clock:
		return "clock"
	}
	return fmt.Sprintf("kind %d", k)
}

func sameOutputs(a, b []Output) bool {
	return slices.EqualFunc(a, b, func(x, y Output) bool {
		return x.Stream == y.Stream && x.Direct == y.Direct && slices.Equal(x.Fields, y.Fields)
	})
}

// edgeOf names a subscription.
type edgeOf struct{ source, stream, target string }

func (d *Diff) edges(old, next *Graph) {
	before, after := subscriptions(old), subscriptions(next)
	for _, p := range next.Processors {
		for _, in := range p.Inputs {
			e := edgeOf{in.Source, in.Stream, p.Name}
			was, ok := before[e]
			if builtIn(p) || ok && same(was, in.Grouping) {
				continue
			}
			c := EdgeChange{Source: in.Source, Stream: in.Stream, Target: p.Name, New: &in.Grouping}
			if ok {
				c.Old = &was
			}
			d.Edges = append(d.Edges, c)
		}
	}
	for _, p := range old.Processors {
		for _, in := range p.Inputs {
			if _, ok := after[edgeOf{in.Source, in.Stream, p.Name}]; !ok && !builtIn(p) {
				d.Edges = append(d.Edges, EdgeChange{Source: in.Source, Stream: in.Stream, Target: p.Name, Old: &in.Grouping})
			}
		}
	}
}

func subscriptions(g *Graph) map[edgeOf]Grouping {
	out := map[edgeOf]Grouping{}
	for _, p := range g.Processors {
		for _, in := range p.Inputs {
			out[edgeOf{in.Source, in.Stream, p.Name}] = in.Grouping
		}
	}
	return out
}

func same(a, b Grouping) bool {
	return a.Kind == b.Kind && a.Name == b.Name && slices.Equal(a.Fields, b.Fields)
}

func confChanges(old, next map[string]any) []KeyChange {
	keys := maps.Clone(old)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, next)
	var out []KeyChange
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if !reflect.DeepEqual(old[k], next[k]) {
			out = append(out, KeyChange{k, old[k], next[k]})
		}
	}
	return out
}

// String returns the change as "key: old -> new".
func (c KeyChange) String() string {
	switch {
	case c.Old == nil:
		return fmt.Sprintf("%s: %v, was not set", c.Key, c.New)
	case c.New == nil:
		return fmt.Sprintf("%s: %v is not set any more", c.Key, c.Old)
	}
	return fmt.Sprintf("%s: %v -> %v", c.Key, c.Old, c.New)
}

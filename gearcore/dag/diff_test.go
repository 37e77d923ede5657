package dag

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

func wordCount() *Graph {
	return &Graph{Name: "wc", Version: 1, Conf: map[string]any{"topology.debug": false}, Processors: []*Processor{
		proc("__acker", Acker, 1),
		proc("count", Bolt, 4, from("split", KeyGroups, "a")),
		proc("lines", Spout, 2),
		proc("split", Bolt, 2, from("lines", Shuffle)),
	}}
}

// edited is wordCount after do.
func edited(do func(*Graph)) *Graph {
	g := wordCount()
	g.Version = 2
	do(g)
	slices.SortFunc(g.Processors, func(a, b *Processor) int { return Compare(a.Name, b.Name) })
	return g
}

func (d *Diff) text() string {
	var b strings.Builder
	for _, n := range d.Added {
		fmt.Fprintf(&b, "+%s ", n)
	}
	for _, n := range d.Removed {
		fmt.Fprintf(&b, "-%s ", n)
	}
	for _, r := range d.Replaced {
		fmt.Fprintf(&b, "%s(%s) ", r.Component, strings.Join(r.Reasons, ", "))
	}
	for _, r := range d.Rescaled {
		fmt.Fprintf(&b, "%s*%d>%d ", r.Component, r.Tasks, r.NewTasks)
	}
	for _, e := range d.Edges {
		fmt.Fprintf(&b, "%s.%s>%s:", e.Source, e.Stream, e.Target)
		if e.Old != nil {
			fmt.Fprintf(&b, "-%v", *e.Old)
		}
		if e.New != nil {
			fmt.Fprintf(&b, "+%v", *e.New)
		}
		b.WriteByte(' ')
	}
	for _, c := range d.Conf {
		fmt.Fprintf(&b, "{%v} ", c)
	}
	return strings.TrimSpace(b.String())
}

func TestDiff(t *testing.T) {
	stateful := Guards{State: func(c string) bool { return c == "count" || c == "lines" }, Undivided: func(c string) bool { return c == "split" }, Checkpoints: true}
	for _, tt := range []struct {
		name, want, refused string
		do                  func(*Graph)
		replace             map[string]string
	}{
		{name: "nothing", do: func(*Graph) {}},
		{name: "acker", do: func(g *Graph) { g.Processor("__acker").Tasks = 3 }},
		{name: "add", want: "+sink count.default>sink:+ALL", do: func(g *Graph) {
			g.Processors = append(g.Processors, proc("sink", Bolt, 1, from("count", All)))
		}},
		{name: "remove with state", want: "-count split.default>count:-KEY_GROUPS[a]", refused: "component count has state", do: func(g *Graph) {
			g.Processors = slices.Delete(g.Processors, 1, 2)
		}},
		{name: "rescale", want: "count*4>8", do: func(g *Graph) { g.Processor("count").Tasks = 8 }},
		{name: "rescale too far", want: "count*4>5000", refused: "4096 groups", do: func(g *Graph) { g.Processor("count").Tasks = 5000 }},
		{name: "rescale what cannot be divided", want: "split*2>3", refused: "each of its 2 tasks and cannot be divided among 3", do: func(g *Graph) { g.Processor("split").Tasks = 3 }},
		{name: "no task", want: "split*2>0", refused: "remove it instead", do: func(g *Graph) { g.Processor("split").Tasks = 0 }},
		{name: "replace", want: "split(python split.py instead of the engine)", do: func(g *Graph) {
			g.Processor("split").Impl = Impl{Kind: ImplShell, Command: []string{"python", "split.py"}}
		}},
		{name: "replace when asked", want: "split(the program is new)", do: func(*Graph) {}, replace: map[string]string{"split": "the program is new"}},
		{name: "configure one", want: "split(x: 1, was not set)", do: func(g *Graph) { g.Processor("split").Conf = map[string]any{"x": 1} }},
		{name: "configure all", want: "{topology.debug: false -> true}", do: func(g *Graph) { g.Conf = map[string]any{"topology.debug": true} }},
		{name: "repartition state", want: "split.default>count:-KEY_GROUPS[a]+KEY_GROUPS[b]", refused: "give it another id", do: func(g *Graph) {
			g.Processor("count").Inputs[0].Grouping.Fields = []string{"b"}
		}},
		{name: "repartition", want: "lines.default>split:-SHUFFLE+FIELDS[a]", do: func(g *Graph) {
			g.Processor("split").Inputs[0].Grouping = Grouping{Kind: Fields, Fields: []string{"a"}}
		}},
		{name: "cycle", want: "count.default>split:+SHUFFLE", refused: "[count split] form a cycle", do: func(g *Graph) {
			g.Processor("split").Inputs = append(g.Processor("split").Inputs, from("count", Shuffle))
		}},
		{name: "kind", want: "split(a bolt becomes a spout) lines.default>split:-SHUFFLE", refused: "cannot become a spout", do: func(g *Graph) {
			g.Processor("split").Kind, g.Processor("split").Inputs = Spout, nil
		}},
		{name: "hash", refused: "gearstorm.hash.mode", do: func(g *Graph) { g.Hash = gearcore.HashJava }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old, next := wordCount(), edited(tt.do)
			d := DiffOf(old, next, tt.replace)
			if d.text() != tt.want || d.Empty() != (tt.want == "") {
				t.Errorf("got %q, want %q", d.text(), tt.want)
			}
			why := strings.Join(d.Refuse(old, next, stateful), "; ")
			if (why == "") != (tt.refused == "") || !strings.Contains(why, tt.refused) {
				t.Errorf("refused because of %q, want %q", why, tt.refused)
			}
		})
	}
}

// TestProgramsHearOfTheirInputs replaces a component in another language, whose program is told at its start what it hears.
func TestProgramsHearOfTheirInputs(t *testing.T) {
	shell := func(do func(g *Graph, split *Processor)) *Graph {
		return edited(func(g *Graph) {
			split := g.Processor("split")
			split.Impl = Impl{Kind: ImplShell, Command: []string{"python", "split.py"}}
			do(g, split)
			g.Processors = append(g.Processors, proc("more", Spout, 1))
		})
	}
	const why = "split(other inputs, which its program is told when it starts)"
	for name, c := range map[string]struct {
		want string
		do   func(g *Graph, split *Processor)
	}{
		"another source":   {why + " more.default>split:+SHUFFLE", func(_ *Graph, split *Processor) { split.Inputs = append(split.Inputs, from("more", Shuffle)) }},
		"another key":      {why + " lines.default>split:-SHUFFLE+FIELDS[a]", func(_ *Graph, split *Processor) { split.Inputs = []Input{from("lines", Fields, "a")} }},
		"other fields":     {"lines(other output streams) " + why, func(g *Graph, _ *Processor) { g.Processor("lines").Outputs[0].Fields = []string{"a", "c"} }},
		"none":             {"lines.default>split:-SHUFFLE", func(_ *Graph, split *Processor) { split.Inputs = nil }},
		"what others hear": {"split.default>count:-KEY_GROUPS[a]+SHUFFLE", func(g *Graph, _ *Processor) { g.Processor("count").Inputs = []Input{from("split", Shuffle)} }},
	} {
		d := DiffOf(shell(func(*Graph, *Processor) {}), shell(c.do), nil)
		if d.text() != c.want {
			t.Errorf("%s: got %q, want %q", name, d.text(), c.want)
		}
	}
}

func TestStateIsDroppedWhenAsked(t *testing.T) {
	old, next := wordCount(), edited(func(g *Graph) { g.Processors = slices.Delete(g.Processors, 1, 2) })
	d := DiffOf(old, next, nil)
	if why := d.Refuse(old, next, Guards{State: func(string) bool { return true }, DropState: true}); why != nil {
		t.Errorf("refused: %v", why)
	}
}

// Over random versions an id and a stream id never mean two things, and tasks that stay keep theirs.
func TestNextNumbersForGood(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		p, err := Expand(wordCount(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		highest := gearcore.TaskID(len(p.Numbering))
		ever := Numbering{}
		for range 10 {
			for id, name := range p.Numbering {
				if was, ok := ever[id]; ok && was != name {
					t.Fatalf("task %d was of %s and is of %s", id, was, name)
				}
				ever[id] = name
			}
			g := edited(func(g *Graph) {
				for _, q := range g.Processors {
					q.Tasks = 1 + rng.IntN(6)
				}
				g.Processor("split").Outputs[0].Fields = []string{"a", "b", "c"}[:2+rng.IntN(2)]
				if rng.IntN(2) == 0 {
					g.Processors = append(g.Processors, proc("extra", Bolt, 2, from("split", All)))
				}
			})
			next, top, err := p.Next(g, highest, nil)
			if err != nil {
				t.Fatal(err)
			}
			checkNext(t, p, next)
			p, highest = next, top
		}
	}
}

func checkNext(t *testing.T, p, next *Plan) {
	t.Helper()
	for i, s := range p.Layout.Streams {
		if got := next.Layout.Streams[i]; got.Component != s.Component || got.Name != s.Name || !slices.Equal(got.Fields, s.Fields) {
			t.Fatalf("stream %d was %v and is %v", i, s, got)
		}
	}
	again, err := ExpandAfter(next.Graph, next.Numbering, next.Former(), nil)
	if err != nil || !slices.EqualFunc(again.Layout.Streams, next.Layout.Streams, sameStream) || fmt.Sprint(again.streams) != fmt.Sprint(next.streams) {
		t.Fatalf("who knows what was before alone numbers streams %v, want %v (%v)", again.Layout.Streams, next.Layout.Streams, err)
	}
	d := DiffOf(p.Graph, next.Graph, nil)
	m := MovesOf(p, next)
	for _, q := range next.Graph.Processors {
		ids, was := next.TasksOf(q.Name), p.TasksOf(q.Name)
		if len(ids) != q.Tasks {
			t.Fatalf("%s has tasks %v, want %d", q.Name, ids, q.Tasks)
		}
		replaced := slices.ContainsFunc(d.Replaced, func(r Replacement) bool { return r.Component == q.Name })
		if stays := was != nil && len(was) == len(ids) && !replaced; stays != slices.Equal(ids, was) {
			t.Fatalf("%s had tasks %v and has %v, replaced: %v", q.Name, was, ids, replaced)
		} else if stays {
			continue
		}
		for _, id := range ids {
			if !slices.Contains(m.Come, id) || slices.Contains(was, id) {
				t.Fatalf("task %d of %s came unseen: %+v", id, q.Name, m)
			}
		}
		for _, id := range was {
			if !slices.Contains(m.Go, id) || next.Layout.Gone[id] != q.Name || next.Layout.ComponentOf(id) != q.Name {
				t.Fatalf("task %d of %s went unseen: %+v", id, q.Name, m)
			}
		}
		for _, o := range q.Outputs {
			id, ok := next.Stream(q.Name, o.Stream)
			if s := next.Layout.Streams[id]; !ok || !slices.Equal(s.Fields, o.Fields) {
				t.Fatalf("stream %s of %s is %v", o.Stream, q.Name, s)
			}
		}
	}
}

func sameStream(a, b gearcore.Stream) bool {
	return a.Component == b.Component && a.Name == b.Name && slices.Equal(a.Fields, b.Fields) && a.Direct == b.Direct
}

func TestMoves(t *testing.T) {
	p, err := Expand(wordCount(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, want string
		do         func(*Graph)
		also       []string
	}{
		{name: "nothing", want: "{[] [] []} 9", do: func(*Graph) {}},
		{name: "replaced when asked", want: "{[10 11] [8 9] [2 3 4 5 6 7]} 11", do: func(*Graph) {}, also: []string{"split"}},
		{name: "replaced", want: "{[10 11] [8 9] [2 3 4 5 6 7]} 11", do: func(g *Graph) {
			g.Processor("split").Impl = Impl{Kind: ImplGo, Name: "split"}
		}},
		{name: "fewer", want: "{[10] [6 7] [8 9]} 10", do: func(g *Graph) { g.Processor("lines").Tasks = 1 }},
		{name: "more at the end", want: "{[10 11 12 13 14] [2 3 4 5] [8 9]} 14", do: func(g *Graph) { g.Processor("count").Tasks = 5 }},
		{name: "other grouping", want: "{[] [] [6 7 8 9]} 9", do: func(g *Graph) {
			g.Processor("split").Inputs[0].Grouping = Grouping{Kind: Fields, Fields: []string{"a"}}
		}},
		{name: "another subscriber", want: "{[10] [] [8 9]} 10", do: func(g *Graph) {
			g.Processors = append(g.Processors, proc("extra", Bolt, 1, from("split", All)))
		}},
		{name: "more ackers", want: "{[10 11] [1] []} 11", do: func(g *Graph) { g.Processor("__acker").Tasks = 2 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			next, highest, err := p.Next(edited(tt.do), 9, nil, tt.also...)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(MovesOf(p, next), " ", highest); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	if _, _, err := p.Next(wordCount(), 3, nil); err == nil {
		t.Error("a highest id below those in use was taken")
	}
	if _, err := ExpandAfter(wordCount(), p.Numbering, Former{Gone: map[gearcore.TaskID]string{2: "lines"}}, nil); err == nil {
		t.Error("a task that is gone was given to another component")
	}
}

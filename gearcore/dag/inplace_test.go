package dag

import (
	"strings"
	"testing"
)

func TestRestarts(t *testing.T) {
	kinds := func(k ...ImplKind) func(*Graph) {
		return func(g *Graph) {
			for i, name := range []string{"count", "split"}[:len(k)] {
				g.Processor(name).Impl.Kind = k[i]
			}
		}
	}
	regroup := func(g *Graph, k GroupingKind) { g.Processor("count").Inputs[0].Grouping = Grouping{Kind: k} }
	numbered := func(k ...ImplKind) func(*Graph) { return func(g *Graph) { kinds(k...)(g); regroup(g, Direct) } }
	timed := func(g *Graph) { g.Timed = true; g.Processor("count").Tasks = 8 }
	for _, tt := range []struct {
		name, want string
		was, will  func(*Graph)
		around     Around
	}{
		{name: "rescale", will: func(g *Graph) { g.Processor("count").Tasks = 8 }},
		{name: "another script", will: kinds(ImplShell), around: Around{Program: true}},
		{name: "another program", was: kinds(ImplGo), will: kinds(ImplGo), around: Around{Program: true}, want: "files: workers are the Go program, and that is another one"},
		{name: "the same program", was: kinds(ImplGo), will: kinds(ImplShell)},
		{name: "scripts instead of a program", was: kinds(ImplGo), will: kinds(ImplShell), around: Around{Program: true}, want: "files: workers are the Go program"},
		{name: "another Java component", was: kinds(ImplJava), will: func(g *Graph) { kinds(ImplJava)(g); g.Processor("count").Tasks = 8 }},
		{name: "one that Java hears", was: kinds(ImplJava), will: func(g *Graph) { kinds(ImplJava)(g); g.Processor("split").Tasks = 8 }},
		{name: "one that Java sends to", was: kinds(ImplGo, ImplJava), will: func(g *Graph) { kinds(ImplGo, ImplJava)(g); g.Processor("count").Tasks = 8 }},
		{name: "another grouping in Java", was: kinds(ImplJava), will: func(g *Graph) { kinds(ImplJava)(g); regroup(g, Shuffle) }},
		{name: "one that Java sends to by number", was: numbered(ImplGo, ImplJava), will: func(g *Graph) { numbered(ImplGo, ImplJava)(g); g.Processor("count").Tasks = 8 },
			want: "count: split shares a direct stream with it"},
		{name: "one that Java hears by number", was: numbered(ImplJava, ImplGo), will: func(g *Graph) { numbered(ImplJava, ImplGo)(g); g.Processor("split").Tasks = 8 },
			want: "split: count shares a direct stream with it"},
		{name: "both ends in Java, and both new", was: numbered(ImplJava, ImplJava), will: func(g *Graph) {
			numbered(ImplJava, ImplJava)(g)
			g.Processor("count").Tasks, g.Processor("split").Tasks = 8, 8
		}},
		{name: "a direct grouping in Java", was: kinds(ImplJava), will: numbered(ImplJava), want: "count: split shares a direct stream with it"},
		{name: "Java sends by number elsewhere", was: numbered(ImplGo, ImplJava), will: func(g *Graph) { numbered(ImplGo, ImplJava)(g); g.Processor("lines").Tasks = 8 }},
		{name: "sent to by number, not in Java", was: numbered(ImplGo, ImplGo), will: func(g *Graph) { numbered(ImplGo, ImplGo)(g); g.Processor("count").Tasks = 8 }},
		{name: "the first Java component", will: kinds(ImplJava)},
		{name: "the last Java component", was: kinds(ImplJava), will: kinds(ImplShell)},
		{name: "another key", will: func(g *Graph) { g.Conf = map[string]any{"topology.debug": true, "topology.workers": 3} },
			around: Around{Idle: func(key string) bool { return key == "topology.workers" }}, want: "conf: topology.debug workers read"},
		{name: "ackers", will: func(g *Graph) { g.Processor("__acker").Tasks = 2 }, want: "ackers: what is under way is followed by 1 ackers, not 2"},
		{name: "timed", was: timed, will: func(g *Graph) { g.Timed = true }, want: "graph: a topology with event time and without checkpoints"},
		{name: "timed, nothing changes", was: timed, will: timed},
		{name: "timed, a key that workers do not read", was: timed, will: func(g *Graph) { timed(g); g.Conf = map[string]any{"topology.workers": 3} },
			around: Around{Idle: func(string) bool { return true }}, want: "graph: a topology with event time and without checkpoints"},
		{name: "timed, other files", was: timed, will: timed, around: Around{Files: true}, want: "graph: a topology with event time and without checkpoints"},
		{name: "checkpoints", was: timed, will: func(g *Graph) { g.Timed = true }, around: Around{Checkpoints: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old, next := wordCount(), wordCount()
			if tt.was != nil {
				tt.was(old)
			}
			if tt.will != nil {
				tt.will(next)
			}
			d := DiffOf(old, next, nil)
			r := d.Restarts(old, next, tt.around)
			var got []string
			for _, part := range []struct{ name, why string }{{"graph", r.Graph}, {"files", r.Files}, {"ackers", r.Ackers}} {
				if part.why != "" {
					got = append(got, part.name+": "+part.why)
				}
			}
			for name, why := range r.Components {
				got = append(got, name+": "+why)
			}
			for key, why := range r.Conf {
				got = append(got, "conf: "+key+" "+why)
			}
			text := strings.Join(got, "; ")
			if (tt.want == "") != (text == "") || !strings.HasPrefix(text, tt.want) || r.Any() != (text != "") {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
}

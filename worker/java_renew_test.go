package worker

import (
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// javaPlans are two versions of: in (Java) -> work (Java) -> out (Go), and other (Go) by itself.
func javaPlans(t *testing.T, change func(map[string]*dag.Processor), replaced ...string) (was, next *dag.Plan) {
	t.Helper()
	graph := func() (*dag.Graph, map[string]*dag.Processor) {
		g, by := &dag.Graph{Name: "t", Conf: conf.Conf{}}, map[string]*dag.Processor{}
		for _, p := range []*dag.Processor{
			{Name: "in", Kind: dag.Spout, Impl: dag.Impl{Kind: dag.ImplJava}},
			{Name: "other", Kind: dag.Spout, Impl: dag.Impl{Kind: dag.ImplGo}},
			{Name: "out", Kind: dag.Bolt, Impl: dag.Impl{Kind: dag.ImplGo}, Inputs: []dag.Input{{Source: "work", Stream: "default", Grouping: dag.Grouping{Kind: dag.Shuffle}}}},
			{Name: "work", Kind: dag.Bolt, Impl: dag.Impl{Kind: dag.ImplJava}, Inputs: []dag.Input{{Source: "in", Stream: "default", Grouping: dag.Grouping{Kind: dag.Shuffle}}}},
		} {
			p.Tasks, p.Executors = 1, 1
			p.Outputs = []dag.Output{{Stream: "default", Fields: []string{"a"}}}
			g.Processors, by[p.Name] = append(g.Processors, p), p
		}
		return g, by
	}
	g, _ := graph()
	was, err := dag.Expand(g, nil, nil)
	must(t, err)
	g, by := graph()
	g.Version = 2
	change(by)
	next, _, err = was.Next(g, 4, nil, replaced...)
	must(t, err)
	return was, next
}

// TestJavaProcessGoesOn where a version is none of its tasks' business; else the worker has to start again. Before it was started it takes any.
func TestJavaProcessGoesOn(t *testing.T) {
	none := func(map[string]*dag.Processor) {}
	for _, c := range []struct {
		name     string
		change   func(map[string]*dag.Processor)
		replaced []string
		local    []string // components with tasks in this worker
		goesOn   bool
	}{
		{"another component", none, []string{"other"}, []string{"in", "work", "other"}, true},
		{"more tasks of another component", func(by map[string]*dag.Processor) { by["other"].Tasks = 3 }, nil, []string{"in", "work", "other"}, true},
		{"one of its tasks", none, []string{"work"}, []string{"work"}, false},
		{"one that it sends to", none, []string{"out"}, []string{"work"}, false},
		{"one that it hears", none, []string{"in"}, []string{"work"}, false},
		{"one that others send to", none, []string{"out"}, []string{"in", "other"}, true},
		{"Java in other workers", none, []string{"work"}, []string{"other"}, true},
	} {
		for _, started := range []bool{true, false} {
			was, next := javaPlans(t, c.change, c.replaced...)
			j, err := newJavaSide(&javaCode{javaTopology(), was, "/was"}, javaNode{topologyID: "t-1", workerID: "w"})
			must(t, err)
			if started {
				j.need()
			}
			var local []dag.Executor
			for _, x := range next.Executors {
				for _, name := range c.local {
					if x.Processor.Name == name {
						local = append(local, x)
					}
				}
			}
			err = j.renew(&javaCode{javaTopology(), next, "/next"}, local)
			if want := c.goesOn || !started; (err == nil) != want {
				t.Errorf("%s, started %v: %v", c.name, started, err)
			}
			if err != nil && !strings.Contains(err.Error(), "Java process") {
				t.Errorf("%s: %v", c.name, err)
			}
			if dir := j.code.Load().dir; (dir == "/next") != (err == nil) {
				t.Errorf("%s: the code is of %s after %v", c.name, dir, err)
			}
		}
	}
}

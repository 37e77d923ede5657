package worker

import (
	"archive/zip"
	"os"
	"path/filepath"
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

// TestJavaProcessGoesOn with any version of the topology that has the same classes; others take a process of their own, for which no task
// in Java may stay.
func TestJavaProcessGoesOn(t *testing.T) {
	none := func(map[string]*dag.Processor) {}
	noJava := func(by map[string]*dag.Processor) { by["in"].Impl.Kind, by["work"].Impl.Kind = dag.ImplGo, dag.ImplGo }
	for _, c := range []struct {
		name     string
		change   func(map[string]*dag.Processor)
		replaced []string
		classes  string
		fits     bool
		stays    bool
	}{
		{"another component", none, []string{"other"}, "1", true, true},
		{"one of its tasks", none, []string{"work"}, "1", true, true},
		{"more tasks", func(by map[string]*dag.Processor) { by["work"].Tasks = 3 }, nil, "1", true, true},
		{"all of its tasks", none, []string{"in", "work"}, "1", true, false},
		{"other classes", none, []string{"in", "work"}, "2", false, false},
		{"other classes, and a task stays", none, []string{"in"}, "2", false, true},
		{"other classes, and nothing in Java", noJava, nil, "2", true, false},
	} {
		was, next := javaPlans(t, c.change, c.replaced...)
		code := func(plan *dag.Plan, class string) *javaCode {
			dir := t.TempDir()
			writeJar(t, filepath.Join(dir, "stormjar.jar"), class)
			return &javaCode{topo: javaTopology(), plan: plan, dir: dir}
		}
		j, err := newJavaSide(code(was, "1"), javaNode{topologyID: "t-1", workerID: "w"})
		must(t, err)
		to := code(next, c.classes)
		fits, err := j.fits(to)
		must(t, err)
		if fits != c.fits {
			t.Errorf("%s: the process fits: %v", c.name, fits)
		}
		if now := j.code.Load() == to; now != (fits && to.usesJava()) {
			t.Errorf("%s: the code is the next one: %v", c.name, now)
		}
		j.code.Store(&javaCode{plan: was})
		if _, stays := j.staying(next); stays != c.stays {
			t.Errorf("%s: a task stays: %v", c.name, stays)
		}
	}
}

// writeJar writes a jar with one class, and a script that differs.
func writeJar(t *testing.T, file, class string) {
	t.Helper()
	f, err := os.Create(file)
	must(t, err)
	z := zip.NewWriter(f)
	for name, text := range map[string]string{"A.class": class, "resources/a.py": t.Name() + file} {
		w, err := z.Create(name)
		must(t, err)
		_, err = w.Write([]byte(text))
		must(t, err)
	}
	must(t, z.Close())
	must(t, f.Close())
}

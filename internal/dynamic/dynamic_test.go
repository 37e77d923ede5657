package dynamic

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/flux"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/exact"
)

// history makes n edits, all versions being kept.
func history(seed uint64, n int) (edits []Edit, versions []Version) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	versions = []Version{{1, first()}}
	for i := 1; i <= n; i++ {
		now := versions[len(versions)-1].Spec
		e := Choose(rnd, now, versions[max(0, len(versions)-5):len(versions)-1], i)
		edits = append(edits, e)
		versions = append(versions, Version{int64(i + 1), e.Next})
	}
	return edits, versions
}

// Every version that edits can make is a topology that Nimbus takes; each differs from the one before; all kinds come.
func TestEveryVersionIsATopology(t *testing.T) {
	dir := t.TempDir()
	topo := Topology{Exact: exact.Topology{Dir: dir, Records: 10, Sources: sources, Sinks: sinks, Stamp: true}}
	config, err := topo.config(map[string]any{"gearstorm.checkpoint.interval.ms": 200})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Kind]int{}
	edits, versions := history(11, 300)
	for i, v := range versions {
		if i > 0 {
			e := edits[i-1]
			seen[e.Kind]++
			if maps.Equal(versions[i-1].Spec, v.Spec) || len(versions[i-1].Spec.Touched(v.Spec)) == 0 {
				t.Errorf("edit %d changes nothing: %+v", i, e)
			}
			if e.Changed != "" && !versions[i-1].Spec.Touched(v.Spec)[e.Changed] {
				t.Errorf("edit %d is not about %s", i, e.Changed)
			}
		}
		text, err := v.Spec.YAML("dynamic", config)
		if err != nil {
			t.Fatal(err)
		}
		compiles(t, text)
	}
	for _, k := range Kinds() {
		if seen[k] < 20 {
			t.Errorf("%d edits of kind %s among 300", seen[k], k)
		}
	}
	again, _ := history(11, 300)
	if diff := cmp.Diff(edits, again); diff != "" {
		t.Errorf("the same seed chooses otherwise: %s", diff)
	}
}

// compiles checks a definition as submit does.
func compiles(t *testing.T, text []byte) {
	t.Helper()
	topo, err := flux.Load("topology.yaml", flux.Options{Read: func(string, bool) ([]byte, error) { return text, nil }})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	normal, cf, err := compat.Normalize(conf.Defaults(), topo.Conf, topo.Topology, compat.Submission{ID: "dynamic-1-1", Name: "dynamic"})
	if err == nil {
		_, err = compat.Compile(normal, cf)
	}
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if r, err := RegistryOf(cf); r == nil || err != nil {
		t.Fatalf("the workers find no components: %v", err)
	}
}

func TestAttribute(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	periods := []Period{
		{From: at(0), Tasks: map[string]int{"key": 2, "count": 2}},
		{From: at(100), Tasks: map[string]int{"key": 2}, Touched: map[string]bool{"count": true}},
		{From: at(200), Tasks: map[string]int{"key": 2, "count": 1}},
	}
	gaps := []Gap{
		{"key", 0, at(-5), ms(500), true},   // before
		{"key", 0, at(10), ms(7), false},    // without edits
		{"count", 0, at(95), ms(50), true},  // the edit begins after 5 ms
		{"count", 0, at(150), ms(49), true}, // the edit is about it
		{"key", 1, at(100), ms(20), false},
		{"key", 5, at(110), ms(300), false}, // no such task
		{"count", 1, at(210), ms(300), false},
		{"count", 0, at(210), ms(30), true},
	}
	want := []Stillness{
		{Longest: gaps[1]}, {Longest: gaps[4]}, {Longest: gaps[7], Anew: 1},
	}
	if diff := cmp.Diff(want, Attribute(gaps, periods)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The probe counts what was waiting, and all of the time until a task that began anew.
func TestProbe(t *testing.T) {
	dir := t.TempDir()
	open := func() *probe {
		p := &probe{dir: dir}
		if err := p.open(contextOf("key", 1)); err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open()
	first := p.run(0)
	time.Sleep(5 * time.Millisecond)
	p.run(time.Now().UnixNano()) // nothing was waiting until now
	time.Sleep(5 * time.Millisecond)
	waited := p.run(first)
	p.close()
	p = open()
	time.Sleep(5 * time.Millisecond)
	p.run(time.Now().UnixNano())
	p.close()
	gaps, err := readGaps(dir)
	if err != nil {
		t.Fatal(err)
	}
	gaps = slices.DeleteFunc(gaps, func(g Gap) bool { return g.For < 5*time.Millisecond })
	if len(gaps) != 2 || gaps[0].Anew || !gaps[1].Anew || gaps[1].Since.UnixNano() < waited-int64(lastEvery) || gaps[1].Component != "key" || gaps[1].Index != 1 {
		t.Errorf("gaps %v", gaps)
	}
	last, err := starts(dir)
	want := Start{Component: "key", Language: Go, Config: 3, Index: 1, Tasks: 2}
	if err != nil || len(last) != 1 || last[want] <= waited {
		t.Errorf("starts %v (%v)", last, err)
	}
}

// A task that came with an edit has not begun anew, though its component has had one at its place; the same task in another process has.
func TestProbeOfATaskThatCame(t *testing.T) {
	dir := t.TempDir()
	began := func(task gearcore.TaskID) (anew bool) {
		t.Helper()
		ctx := contextOf(workName, 0)
		ctx.Task = task
		p := &probe{dir: dir}
		if err := p.open(ctx); err != nil {
			t.Fatal(err)
		}
		defer p.close()
		anew = p.fresh
		p.run(time.Now().UnixNano())
		return anew
	}
	if began(4) || !began(4) || began(6) {
		t.Error("a task is taken for another one")
	}
}

func contextOf(component string, index int) *gearcore.Context {
	return &gearcore.Context{Component: component, Index: index, Tasks: []gearcore.TaskID{4, 5}, Conf: map[string]any{configKey: int64(3)}}
}

func TestLines(t *testing.T) {
	outcome := func(k Kind, took, still time.Duration, anew int) Outcome {
		return Outcome{Edit: Edit{Kind: k}, Took: took, Command: took / 2, Stillness: Stillness{Longest: Gap{For: still}, Anew: anew}}
	}
	r := Result{Seed: 4, Base: Stillness{Longest: Gap{For: 8 * time.Millisecond}}, Records: exact.Result{Visible: 500},
		Outcomes: []Outcome{outcome(Rescale, time.Second, 20*time.Millisecond, 0), outcome(Rollback, 3*time.Second, 100*time.Millisecond, 2)}}
	want := `dynamic edits=2 seed=4 lost=0 duplicated=0 gap=92ms base=8ms restarts=2 records=500 slowest=3.00s goal missed: gap over 50ms, slowest over 2s
dynamic rescale edits=1 median=1.00s max=1.00s command=0.50s still median=20ms max=20ms restarts=0
dynamic rollback edits=1 median=3.00s max=3.00s command=1.50s still median=100ms max=100ms restarts=2`
	if diff := cmp.Diff(want, strings.Join(r.Lines(), "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	r.Outcomes = r.Outcomes[:1]
	if line := r.Lines()[0]; !strings.HasSuffix(line, "slowest=1.00s ok") {
		t.Errorf("line %s", line)
	}
}

// The scripts are Python, and say who they are.
func TestScripts(t *testing.T) {
	s := first().With("tap1", Component{Language: Python, Tasks: 1, Config: 3, Code: 2, From: keyName})
	files := s.Scripts("/run")
	if len(files) != 2 || !strings.Contains(files["tap1.py"], "CONFIG, CODE = 3, 2\n") || !strings.Contains(files["work.py"], `DIR = "/run"`) {
		t.Errorf("scripts %v", files)
	}
	def := struct{ Bolts []struct{ ID string } }{}
	text, err := s.YAML("x", nil)
	if err == nil {
		err = json.Unmarshal(text, &def)
	}
	if err != nil || len(def.Bolts) != len(s)-1 {
		t.Errorf("%d bolts in %s (%v)", len(def.Bolts), text, err)
	}
}

// An edit is in force when all that it renews has begun after it, and what it removes is over.
func TestInForce(t *testing.T) {
	dir, began := t.TempDir(), time.Unix(0, 1000)
	start := func(name string, config, index, tasks int, at int64) {
		t.Helper()
		s := Start{Component: name, Language: Go, Config: config, Index: index, Tasks: tasks, At: at}
		if err := appendLine(filepath.Join(dir, startsFile), s.String()); err != nil {
			t.Fatal(err)
		}
	}
	was := first().With(tapPrefix+"1", Component{Language: Go, Tasks: 1, From: keyName})
	next := first().With(countName, Component{Language: Go, Tasks: 2, Config: 5, From: keyName})
	start(countName, 5, 0, 2, 900) // of an earlier time
	start(countName, 5, 1, 2, 1200)
	if _, err := inForce(dir, was, next, began); err == nil || !strings.Contains(err.Error(), "task 1 of 2 of count has not begun with configuration 5") {
		t.Errorf("one task has not begun: %v", err)
	}
	start(countName, 5, 0, 2, 1100)
	for last, want := range map[int64]int64{0: 1200, 1300: 1300} {
		p := probe{last: last}
		var err error
		if p.memo, err = os.Create(lastFile(dir, tapPrefix+"1", 0)); err != nil {
			t.Fatal(err)
		}
		p.keep()
		p.close()
		if at, err := inForce(dir, was, next, began); err != nil || at.UnixNano() != want {
			t.Errorf("in force at %d (%v), want %d", at.UnixNano(), err, want)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// TestMain lets the tests run topologies in children, as the command does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "alone" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := runAlone(ctx, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.in, got, c.want)
		}
	}
}

func TestReadings(t *testing.T) {
	from := []reading{{PID: 1, At: 1e9, Emitted: 100}, {PID: 2, At: 1e9, Tuples: 90, First: 4}}
	to := []reading{
		{PID: 1, At: 3e9, Emitted: 500, Components: map[string]int{"b": 1, "a": 1}, Latency: histogram{3: 1}},
		{PID: 2, At: 5e9, Tuples: 490, First: 4, Components: map[string]int{"c": 2}, Latency: histogram{3: 2}},
	}
	if got := perSecond(from, to, func(r *reading) int64 { return r.Tuples }); got != 100 {
		t.Errorf("%v tuples a second, want 100: each process by its own clock", got)
	}
	sum := total(to)
	if sum.Emitted != 500 || sum.Tuples != 490 || sum.First != 4 || sum.Latency[3] != 3 || tasks(to) != 4 {
		t.Errorf("in total %+v and %d tasks", sum, tasks(to))
	}
	if d := cmp.Diff([]string{"a b", "c"}, places(to)); d != "" {
		t.Error(d)
	}
}

func TestStormOptions(t *testing.T) {
	got, err := stormOptions(conf.Conf{"b": "-Xmx1g, x", "a": 2, "c": map[string]any{"k": true}})
	if want := "a=2,b=%22-Xmx1g%2C+x%22,c=%7B%22k%22%3Atrue%7D"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// Every kind of topology that needs no more than Go gets tuples through in a process of its own.
func TestShapes(t *testing.T) {
	for _, s := range []shape{
		{Kind: kindLine, Bytes: 100}, {Kind: kindLine, Bytes: 100, Acked: true, Fresh: true, Read: true, Kept: true},
		{Kind: kindPairs, Bytes: 100, Tasks: 3}, {Kind: kindFields, Bytes: 100, Tasks: 4}, {Kind: kindRing, Tasks: 200}, {Kind: kindIdle, Tasks: 5},
	} {
		t.Run(s.Kind, func(t *testing.T) {
			r, sc := testRunner(t), scenario{name: s.Kind, shape: s, conf: acked(1, 100)}
			got, err := r.run(t.Context(), &alone{dir: t.TempDir()}, sideOurs, &sc, variant{})
			if err != nil || got.Wrong != "" {
				t.Fatal(err, got.Wrong)
			}
			if got.Tuples == 0 || got.First <= 0 || got.Rate <= 0 != (s.Kind == kindIdle) || got.RSS < 1 {
				t.Errorf("got %+v", got)
			}
			if s.Kind == kindIdle && got.Memory <= 0 {
				t.Errorf("it holds %v bytes", got.Memory)
			}
		})
	}
	for _, args := range [][]string{{}, {"{}"}, {"x"}, {`{"kind":"line"}`, "x"}} {
		if err := define(nil, args); err == nil {
			t.Errorf("arguments %q define a topology", args)
		}
	}
}

// A profile of a run can be had.
func TestProfile(t *testing.T) {
	r, sc := testRunner(t), scenario{name: "line", shape: shape{Kind: kindLine, Bytes: 100}, conf: unacked(1)}
	r.profile = t.TempDir()
	if _, err := r.run(t.Context(), &alone{dir: t.TempDir()}, sideOurs, &sc, variant{suffix: "-x"}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(r.profile, "line-x.*.pprof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the profiles are %q, %v", files, err)
	}
	if st, err := os.Stat(files[0]); err != nil || st.Size() == 0 {
		t.Errorf("the profile is empty: %v", err)
	}
}

// The scripts are there, and what runs them gets its arguments.
func TestScripts(t *testing.T) {
	for _, sc := range append(extra(), scenarios("x")...) {
		if sc.shape.Kind != kindScript {
			continue
		}
		if _, err := resources.ReadFile("resources/" + sc.shape.Script); err != nil {
			t.Errorf("%s: %v", sc.name, err)
		}
	}
}

func testRunner(t *testing.T) runner {
	t.Helper()
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return runner{probes: l, pace: pace{window: time.Second, windows: 1}}
}

// A comparison of gearstorm with itself: the line, the file of raw results and the table of it.
func TestComparison(t *testing.T) {
	sc := scenario{name: "line", shape: shape{Kind: kindLine, Bytes: 100, Acked: true}, conf: acked(1, 100), storm: conf.Conf{"x": 1},
		variants: []variant{{}, {suffix: "-b"}}, figures: []figure{rate, core}}
	g, err := parseGoals("line 1/s 0.001x\nline-b 0.001*line\nline-b-core <0%")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	raw, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var out bytes.Buffer
	c := &comparison{runner: testRunner(t), goals: g, rounds: 2, out: &out, raw: json.NewEncoder(raw), rows: map[string]result{},
		sides: map[string]system{sideOurs: &alone{dir: dir}, sideStorm: &alone{dir: dir}}}
	if err := c.all(t.Context(), []scenario{sc}, regexp.MustCompile("line-b")); err != nil {
		t.Fatal(err, out.String())
	}
	number := `[0-9.e+]+`
	want := regexp.MustCompile(strings.NewReplacer("#", number, "\n", `\n`).Replace(
		"^bench line gearstorm=#/s storm=#/s ratio=# cpu_ns=#/# goal=1/s,0.001x ok\n" +
			"bench line-b gearstorm=#/s storm=#/s ratio=# cpu_ns=#/# goal=0.001[*]line ok\n" +
			"bench line-b-core gearstorm=#% storm=#% ratio=# cpu_ns=#/# goal=<0% miss\n$"))
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%s, want\n%s", out.String(), want)
	}
	out.Reset()
	if err := printTables(raw.Name(), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[2], "| line | storm | ") || !strings.HasPrefix(lines[4], "| line-b | gearstorm | ") {
		t.Errorf("the table is\n%s", out.String())
	}
	if err := c.all(t.Context(), []scenario{sc}, regexp.MustCompile("none")); err == nil {
		t.Error("a comparison of nothing is fine")
	}
}

func TestPace(t *testing.T) {
	for _, c := range []struct {
		args []string
		want pace
	}{
		{[]string{"-rounds", "5"}, pace{time.Second, 20 * time.Second, 1500 * time.Millisecond, 5}},
		{[]string{"-storm", "x"}, pace{3 * time.Second, 20 * time.Second, 7 * time.Second, 1}},
		{[]string{"-storm", "x", "-round", "20s"}, pace{3 * time.Second, 20 * time.Second, 20 * time.Second, 1}},
		{[]string{"-storm", "x", "-quick"}, pace{time.Second, 5 * time.Second, 3 * time.Second, 1}},
	} {
		if o, err := parseOptions(c.args); err != nil || o.pace() != c.want {
			t.Errorf("%q: %+v, %v", c.args, o.pace(), err)
		}
	}
	for _, args := range [][]string{{"-rounds", "0"}, {"-round", "1ms"}, {"-only", "("}} {
		if _, err := parseOptions(args); err == nil {
			t.Errorf("%q is fine", args)
		}
	}
}

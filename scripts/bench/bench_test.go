package main

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{[]float64{7}, 7}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.in, got, c.want)
		}
	}
}

// The clock and the first tuple of a topology are those of the process with the sink.
func TestTotal(t *testing.T) {
	got := total([]reading{
		{PID: 1, Components: []string{"identity"}, At: 5, Mallocs: 10, CPU: 100, Children: 1},
		{PID: 2, Components: []string{"sink"}, Tuples: 7, First: 3, At: 6, Mallocs: 20, CPU: 200},
		{PID: 3, Components: []string{"sink"}, First: 4, At: 9},
	})
	want := reading{Tuples: 7, First: 3, At: 6, Mallocs: 30, CPU: 300, Children: 1,
		Components: []string{"1:[identity]", "2:[sink]", "3:[sink]"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestResident(t *testing.T) {
	if mib, err := residentMiB(os.Getpid()); err != nil || mib < 1 || mib > 4096 {
		t.Errorf("this test has %v MiB resident, %v", mib, err)
	}
	if _, err := residentMiB(1 << 30); err == nil {
		t.Error("a process that does not exist has memory")
	}
}

// A topology of every shape that needs no more than Go gets tuples through, and its probe says so.
func TestShapesRun(t *testing.T) {
	for _, shape := range []string{shapeLine, shapeAcked, shapeFields} {
		t.Run(shape, func(t *testing.T) {
			l, err := listen()
			if err != nil {
				t.Fatal(err)
			}
			defer l.close()
			b := bench{rounds: 1, round: 10 * time.Millisecond, probes: l}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			done := make(chan error, 1)
			topology, stop := context.WithCancel(ctx)
			go func() { done <- gearstorm.RunLocal(topology, program, gearstorm.Options{Args: b.args(shape)}) }()
			if err := b.running(ctx, 1); err != nil {
				t.Error(err)
			}
			all, err := l.read()
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if r := total(all); err != nil || r.Tuples == 0 || r.First == 0 || r.CPU == 0 {
				t.Errorf("the probe says %+v, %v", r, err)
			}
			probe.mu.Lock() // the next topology of this process gets a probe of its own
			probe.conn, probe.components, probe.tallies = nil, nil, nil
			probe.mu.Unlock()
			probe.first.Store(0)
		})
	}
}

// The shapes with a script declare it; what runs it is not tested here.
func TestShapesOfScripts(t *testing.T) {
	for shape, script := range map[string]string{shapePython: "identity.py", shapeStorm: "storm_identity.py"} {
		if _, err := resources.ReadFile("resources/" + script); err != nil {
			t.Errorf("%s: %v", shape, err)
		}
		if _, err := identityOf(shape, "", "x/storm.py"); err != nil {
			t.Errorf("%s: %v", shape, err)
		}
	}
	if _, err := identityOf("none", "", ""); err == nil {
		t.Error("an unknown shape has an identity")
	}
}

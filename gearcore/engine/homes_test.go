package engine

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// TestDivide divides source -> identity -> sink by what each takes.
func TestDivide(t *testing.T) {
	var total atomic.Int64
	e, err := New(lineTopology(0, &total).config(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name                   string
		source, identity, sink float64
		together               []string // on a loop without the others
	}{
		{"a source that takes most is alone", 0.5, 0.3, 0.2, []string{"src"}},
		{"and so is a sink", 0.2, 0.3, 0.5, []string{"sink"}},
		{"neighbours stay together where it matters little", 0.4, 0.35, 0.3, []string{"src"}},
		{"a middle that takes most is alone all the same", 0.2, 0.6, 0.2, []string{"identity"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			share := map[string]float64{"src": c.source, "identity": c.identity, "sink": c.sink}
			var stages []stage
			for _, x := range e.executors() {
				stages = append(stages, stage{x: x, share: share[x.component]})
			}
			divide(stages, 2)
			at := [2][]string{}
			for _, s := range stages {
				at[s.loop] = append(at[s.loop], s.x.component)
			}
			if !slices.Equal(at[0], c.together) && !slices.Equal(at[1], c.together) {
				t.Errorf("%v, want %v alone", at, c.together)
			}
		})
	}
}

// TestTrialOfHomes tells a trial what surveys found.
func TestTrialOfHomes(t *testing.T) {
	full := census{rate: 100, most: 1, free: 1, work: 1, stages: 3}
	with := func(change func(*census)) census { c := full; change(&c); return c }
	faster := with(func(c *census) { c.rate, c.free, c.work = 150, 0.2, 1.8 })
	same := with(func(c *census) { c.rate, c.free, c.work = 110, 0.2, 1.8 })
	calm := with(func(c *census) { c.rate, c.most, c.free, c.work = 50, 0.5, 1.5, 0.5 })
	var tr trial
	now := time.Duration(0)
	// run steps n times with c and returns what was decided other than to let be.
	run := func(n int, c census) (out []decision) {
		for range n {
			now += surveyEvery
			c.now = now
			if d := tr.step(c); d != letBe {
				out = append(out, d)
			}
		}
		return out
	}
	for _, s := range []struct {
		what  string
		n     int
		c     census
		want  []decision
		state trialState
	}{
		{"one executor cannot be divided", 10, with(func(c *census) { c.stages = 1 }), nil, none},
		{"nothing is gained where all loops are busy", 10, with(func(c *census) { c.free = 0.1 }), nil, none},
		{"nor where none is full", 10, calm, nil, none},
		{"a full loop beside a free one", tryFrom, full, []decision{giveHomes}, tried},
		{"no gain", tryFor, same, []decision{takeHomes}, none},
		{"not again so soon", 10, full, nil, none},
		{"but later", int(tryAgain/surveyEvery) - 10 + tryFrom - 1, full, []decision{giveHomes}, tried},
		{"gain", tryFor, faster, nil, kept},
		{"it stays", keepFor - 1, faster, nil, kept},
		{"until the test", 1, faster, []decision{takeHomes}, none},
		{"which is made at once", tryFrom, full, []decision{giveHomes}, tried},
		{"and passed", tryFor, faster, nil, kept},
		{"with little to do one loop is enough", 1, calm, []decision{takeHomes}, none},
	} {
		if got := run(s.n, s.c); !slices.Equal(got, s.want) || tr.state != s.state {
			t.Fatalf("%s: decided %v in state %d, want %v in %d", s.what, got, tr.state, s.want, s.state)
		}
	}
	run(tryFrom, full)
	run(tryFor, same)
	first := tr.wait
	run(int(first/surveyEvery)+tryFrom-1, full)
	run(tryFor, same)
	if tr.wait != 2*first {
		t.Errorf("after a second trial in vain the next comes after %v, want twice %v", tr.wait, first)
	}
}

// TestHomesAreTakenWhenNothingRuns surveys an engine with homes after a time in which nobody looked.
func TestHomesAreTakenWhenNothingRuns(t *testing.T) {
	var total atomic.Int64
	cfg := lineTopology(0, &total).config(t)
	cfg.Loops = 2
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := &e.shell.homes
	h.plan.enter(kept)
	for _, x := range e.executors() {
		x.lives.Store(e.shell.loops[1])
	}
	h.survey(time.Second)
	for _, x := range e.executors() {
		if x.lives.Load() != nil {
			t.Errorf("%s still has a home", x.component)
		}
	}
}

// TestStagesGetHomes runs a line at full speed, which one loop cannot do, until its executors are divided.
func TestStagesGetHomes(t *testing.T) {
	var total atomic.Int64
	cfg := lineTopology(0, &total).config(t)
	cfg.Loops = 2
	e := start(t, cfg)
	eventually(t, "both loops are homes", func() bool {
		at := map[*loop]bool{}
		for _, x := range e.executors() {
			if l := x.lives.Load(); l != nil {
				at[l] = true
			}
		}
		return len(at) == 2
	})
	is := total.Load()
	eventually(t, "tuples arrive", func() bool { return total.Load() > is+100_000 })
}

// TestEngineWithHomesEnds ends an engine while its executors wake each other over loops.
func TestEngineWithHomesEnds(t *testing.T) {
	var total atomic.Int64
	cfg := lineTopology(1, &total).config(t)
	cfg.Loops = 2
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range e.executors() {
		x.lives.Store(e.shell.loops[i%2])
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	e.Activate()
	eventually(t, "tuples arrive", func() bool { return total.Load() > 10_000 })
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

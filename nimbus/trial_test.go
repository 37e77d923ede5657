package nimbus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// TestTrialTranscripts runs testdata/trial.txt: a line "# name" with components begins a trial with a patience of 30 s, each further
// line is a look at the workers, followed by " -> " and what comes of it.
func TestTrialTranscripts(t *testing.T) {
	const path = "testdata/trial.txt"
	raw, err := os.ReadFile(path)
	must(t, err)
	var out strings.Builder
	began := time.Unix(1_800_000_000, 0)
	var tr trial
	name := ""
	for lines := bufio.NewScanner(strings.NewReader(string(raw))); lines.Scan(); {
		line := lines.Text()
		text, _, _ := strings.Cut(line, " -> ")
		switch {
		case strings.HasPrefix(line, "# "):
			_, components, _ := strings.Cut(line, ": ")
			name, tr = line, trial{Begun: began, Waiting: strings.Split(components, " ")}
			text = line
		case text != "":
			var got string
			tr, got = look(t, tr, text, began)
			text += " -> " + got
		}
		fmt.Fprintln(&out, text)
		if text != line && !*rewrite {
			t.Errorf("%s\n got %s\nwant %s", name, text, line)
		}
	}
	if *rewrite {
		must(t, os.WriteFile(path, []byte(out.String()), 0o644))
	}
}

// look steps a trial by a line such as "5s placed=a,b started=a all deaths=2 exit=killed".
func look(t *testing.T, tr trial, text string, began time.Time) (trial, string) {
	t.Helper()
	f := strings.Fields(text)
	after, err := time.ParseDuration(f[0])
	must(t, err)
	s := sight{Of: "a worker"}
	for _, word := range f[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "placed":
			s.Placed = strings.Split(value, ",")
		case "started":
			s.Started = strings.Split(value, ",")
		case "behind":
			s.Behind = []string{value}
		case "stuck":
			s.Stuck = value
		case "all":
			s.AtWork = true
		case "idle":
			s.Idle = true
		case "unborn":
			s.Unborn = true
		case "deaths":
			s.Deaths, err = strconv.Atoi(value)
			must(t, err)
		case "exit":
			s.LastExit = value
		case "unopened":
			s.Unopened = strings.ReplaceAll(value, "_", " ")
		default:
			t.Fatalf("unknown word %s", word)
		}
	}
	next, v := tr.step(s, began.Add(after), 30*time.Second)
	switch {
	case v.Stands:
		return next, "stands"
	case v.Back != "":
		return next, "goes back: " + v.Back
	}
	got := "waits for " + strings.Join(next.Waiting, " ")
	if len(next.Waiting) == 0 {
		got = "watches"
	}
	if next.Settled {
		got += ", settled"
	}
	return next, got
}

// Why a version goes back is told with its end, where the cause stands.
func TestReasonIsWhole(t *testing.T) {
	const cause = `it has the handle "bell", which this program does not register (to drop what it keeps, name it in gearstorm.state.forget)`
	why := "waits 10s before it goes back, as 9 generations in a row have broken, the last because: " + strings.Repeat("restore checkpoint 30: ", 40) + cause
	now := time.Unix(1_800_000_000, 0)
	tr := trial{Begun: now.Add(-time.Minute), Stuck: now.Add(-time.Minute)}
	for _, why := range []string{why, why[:300] + strings.Repeat("\n  at line 7", 1000) + cause} {
		_, v := tr.step(sight{Placed: []string{"a"}, Stuck: why}, now, time.Minute)
		if !strings.HasSuffix(v.Back, cause) || !strings.Contains(v.Back, "waits 10s") || len(v.Back) > maxReasonBytes+100 || strings.Contains(v.Back, "\n") {
			t.Errorf("it goes back: %q", v.Back)
		}
	}
}

// dies has the worker of a node's only slot end n times before it can report.
func (f *fakeNode) dies(restarts int32, how string) {
	topology := f.plan.Topologies[0].TopologyID
	f.report.Workers = []*stormrpc.WorkerReport{{TopologyID: topology, Port: f.report.Ports[0], Restarts: &restarts, LastExit: &how}}
	f.sync(0)
}

// becomes waits for a version of the node's only topology. What its workers report of errors meanwhile are other ones each time.
func (f *fakeNode) becomes(v int64) {
	f.c.t.Helper()
	f.until(fmt.Sprint("version ", v), func(p *stormrpc.NodePlan) bool {
		for _, w := range f.report.Workers {
			for _, e := range w.Errors {
				e.TimeMs++
			}
		}
		return len(p.Topologies) == 1 && p.Topologies[0].DagVersion == v
	})
}

func TestNewVersionGoesBack(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.withWords()

	// Nothing starts within the time.
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(2)
	eventually(t, "the trial begins", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.trials) == 1 })
	pass(clk, 31*time.Second, a)
	a.becomes(3)
	if got, want := c.versionsText(), "1 from 0, 2 from 1, 3 from 1 starting (version 2 went back by itself: within 30s nothing of sink started)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	a.works()
	if got := c.versionsText(); strings.Contains(got, "starting") {
		t.Error(got)
	}

	// Its worker dies again and again.
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(4)
	for i := range int32(mostDeaths + 1) {
		a.dies(i, "exited with 3")
	}
	a.becomes(5)
	if got := c.versionsText(); !strings.Contains(got, "5 from 3 starting (version 4 went back by itself: a worker died 3 times within 1s: exited with 3)") {
		t.Error(got)
	}
	a.works()

	// The children of its worker do, of a component that it changes.
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(6)
	a.works()
	lost := &stormrpc.WorkerError{Component: "sink", Message: "child was lost: exit status 1", Lost: ref(true)}
	a.report.Workers[0].Errors = []*stormrpc.WorkerError{lost, {Component: "count", Message: "x", Lost: ref(true)}, {Component: "sink", Message: "not lost"}}
	a.sync(0)
	a.becomes(7) // its errors go up each time
	if got := c.versionsText(); !strings.Contains(got, "7 from 5 starting (version 6 went back by itself: component sink died ") || !strings.HasSuffix(got, ": child was lost: exit status 1)") {
		t.Error(got)
	}
	a.works()

	// What its worker makes of it before it takes it over dies; what dies of the version before does not count.
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(8)
	lost = &stormrpc.WorkerError{Component: "sink", Message: "no such file", Lost: ref(true), Task: ref(int32(11))}
	a.report.Workers[0].Errors = []*stormrpc.WorkerError{{Component: "sink", Message: "of another task", Lost: ref(true), Task: ref(int32(10))}, lost}
	a.sync(0)
	a.becomes(9)
	if got := c.versionsText(); !strings.HasSuffix(got, ": no such file)") {
		t.Error(got)
	}
	a.works()

	// A task of it cannot be opened, once: that is enough. One of a component that it does not touch is no matter of it.
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(10)
	a.works()
	unopened := &stormrpc.WorkerError{Component: "sink", Message: "open component sink, task 12: panic: no database\ngoroutine 7", TimeMs: 60_000, Unopened: ref(true)}
	a.report.Workers[0].Errors = []*stormrpc.WorkerError{{Component: "count", Message: "x", Unopened: ref(true)}}
	a.sync(0)
	if got := c.versionsText(); strings.Contains(got, "starting") {
		t.Error(got)
	}
	a.report.Workers[0].Errors = append(a.report.Workers[0].Errors, unopened)
	a.sync(0)
	if got := c.versionsText(); !strings.HasSuffix(got, "10 from 9 starting") {
		t.Error(got)
	}
	id := mustNamed(t, c, "words").ID
	infos, err := c.client.GetTopologyInfo(t.Context(), id)
	must(t, err)
	if errs := infos.Errors["sink"]; len(errs) == 0 || errs[0].Error != unopened.Message {
		t.Errorf("errors of the sink: %v", errs)
	}
	a.becomes(11)
	if got := c.versionsText(); !strings.Contains(got, "(version 10 went back by itself: open component sink, task 12: panic: no database goroutine 7)") {
		t.Error(got)
	}
	a.works()

	// It is not taken over by a worker that runs the one before.
	c.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) { delete(t.Bolts, "count") }), nil)
	a.becomes(12)
	a.works()
	a.report.Workers[0].DagVersion = ref(int64(11))
	a.sync(0)
	eventually(t, "the trial begins", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.trials[id] != nil && c.trials[id].Version == 12
	})
	pass(clk, 31*time.Second, a)
	a.becomes(13)
	if got := c.versionsText(); !strings.HasSuffix(got, "(version 12 went back by itself: within 30s the worker at a.example:6700 did not take it over)") {
		t.Error(got)
	}
	a.works()

	// One that runs stands.
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(14)
	a.works()
	eventually(t, "it stands", func() bool { clk.advance(time.Second); a.sync(0); return mustNamed(t, c, "words").Trial == nil })
	if c.mu.Lock(); len(c.trials)+len(c.deaths) != 0 {
		t.Error("a trial that is over is kept")
	}
	c.mu.Unlock()
}

// A new leader goes on with a trial, from its beginning.
func TestTrialOutlivesItsLeader(t *testing.T) {
	m := startMasters(t, 2, nil)
	a := m.all[0].node("a", 6700)
	m.all[0].submitWords("words", oneWorker)
	a.until("the topology", hasTopologies(1))
	m.all[0].applyWords(`{"topology.workers": 1, "topology.acker.executors": 1, "gearstorm.change.patience.secs": 2}`, wordsWith(withSink), nil)
	next := m.fail(m.all[0])
	b := next.node("a", 6700)
	b.until("version 3", func(p *stormrpc.NodePlan) bool { return len(p.Topologies) == 1 && p.Topologies[0].DagVersion == 3 })
	if got := next.versionsText(); !strings.Contains(got, "3 from 1 starting (version 2 went back by itself: within 2s nothing of count, sink, words started)") {
		t.Error(got)
	}
}

// A change waits until the workers have the version before: one that left it out would wait for tasks that the others do not make yet.
func TestChangeWaitsForTheOneBefore(t *testing.T) {
	c := start(t, nil)
	a := c.withWords()
	runs := func(version int64) {
		t.Helper()
		a.report.Workers[0].DagVersion = &version
		a.sync(0)
	}
	runs(1)
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.until("version 2", func(p *stormrpc.NodePlan) bool { return p.Topologies[0].DagVersion == 2 })
	a.works()
	runs(1)
	location, changed := c.upload(jar(t, "resources/script.py")), make(chan error, 1)
	go func() {
		_, err := c.changes().ApplyChange(t.Context(), "words", location, oneWorker, words(), nil)
		changed <- err
	}()
	eventually(t, "the change is under way", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.changing) == 1 })
	for range 5 {
		if a.sync(20 * time.Millisecond); a.plan.Topologies[0].DagVersion != 2 {
			t.Fatal("another version is to run before all workers have version 2")
		}
	}
	runs(2)
	must(t, <-changed)
	a.until("version 3", func(p *stormrpc.NodePlan) bool { return p.Topologies[0].DagVersion == 3 })
}

// A worker that does not take a version over holds the next change up for a while, and no longer. One whose caller leaves is not made.
func TestChangeWaitsNoLongerForTheOneBefore(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.withWords()
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.until("version 2", func(p *stormrpc.NodePlan) bool { return p.Topologies[0].DagVersion == 2 })
	a.works()
	a.report.Workers[0].DagVersion = ref(int64(1))
	a.sync(0)
	change := func(ctx context.Context) <-chan error {
		location, changed := c.upload(jar(t, "resources/script.py")), make(chan error, 1)
		go func() {
			_, err := c.Nimbus.ApplyChange(ctx, "words", location, oneWorker, words(), nil)
			changed <- err
		}()
		eventually(t, "the change is under way", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.changing) == 1 })
		return changed
	}
	ctx, leave := context.WithCancel(t.Context())
	changed := change(ctx)
	leave()
	if err := <-changed; !errors.Is(err, context.Canceled) || mustNamed(t, c, "words").GraphVersion != 2 {
		t.Errorf("its caller has left: %v, version %d", err, mustNamed(t, c, "words").GraphVersion)
	}
	changed = change(t.Context())
	clk.advance(takenWithin)
	must(t, <-changed)
	if got := c.versionsText(); !strings.HasSuffix(got, "3 from 2 starting") {
		t.Error(got)
	}
}

// The command that waits for a version ends when all tasks are at work by it; when something has died, once that has stopped.
func TestVersionIsAtWork(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.node("a", 6700)
	const timed = `{"topology.workers": 1, "topology.acker.executors": 1, "gearstorm.event.time": true}`
	c.submitWords("words", timed)
	a.until("the topology", hasTopologies(1))
	next := 0
	change := func() {
		t.Helper()
		next++
		c.applyWords(timed, wordsWith(func(t *stormrpc.StormTopology) { t.Bolts[fmt.Sprint("sink", next)] = sink("python3") }), nil)
		a.until("it", func(p *stormrpc.NodePlan) bool { return p.Topologies[0].DagVersion == int64(next+1) })
		a.works()
	}
	says := func(what string, starting bool) {
		t.Helper()
		a.sync(0)
		if got := c.versionsText(); strings.HasSuffix(got, "starting") != starting {
			t.Errorf("%s: %s", what, got)
		}
	}
	change()
	w := a.report.Workers[0]
	says("nothing is known of the clock", true)
	w.Timing = &stormrpc.TopologyTiming{State: "running", Clocks: []*stormrpc.ComponentClock{}}
	says("not all tasks are at work", true)
	w.Timing.DagVersion = ref(int64(1))
	says("they are by the version before", true)
	w.Timing.DagVersion = ref(int64(2))
	says("they are", false)
	w.AtWork = nil
	says("those of this worker are not", true)

	change()
	w = a.report.Workers[0]
	w.Timing = &stormrpc.TopologyTiming{State: "running", Clocks: []*stormrpc.ComponentClock{}, DagVersion: ref(int64(3))}
	says("the next version is at work", false)
	w.Restarts = ref(int32(1))
	says("a worker died", true)
	eventually(t, "that was all", func() bool {
		clk.advance(time.Second)
		a.sync(0)
		return !strings.Contains(c.versionsText(), "starting")
	})
}

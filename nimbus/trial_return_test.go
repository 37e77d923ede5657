package nimbus

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// What a version goes back to may be one whose own trial was not over: it is on trial once more, and goes back too.
func TestTwoVersionsGoBack(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.withWords()
	c.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) { t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 2}`) }), nil)
	a.becomes(2)
	a.works()
	eventually(t, "version 2 is at work", func() bool { a.sync(0); return !strings.Contains(c.versionsText(), "starting") })
	c.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) {
		withSink(t)
		t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 2}`)
	}), nil)
	a.becomes(3)
	if got := mustNamed(t, c, "words").Trial; got == nil || got.Back != 2 || got.Before == nil || got.Before.Back != 1 || got.Before.Before != nil {
		t.Fatalf("version 3 is on trial as %+v", got)
	}
	for i := range int32(mostDeaths + 1) {
		a.dies(i, "exited with 3")
	}
	a.becomes(4)
	if got := mustNamed(t, c, "words").Trial; got == nil || got.Back != 1 || strings.Join(got.Components, " ") != "count" {
		t.Fatalf("version 4, which is as 2, is on trial as %+v", got)
	}
	a.works()
	a.report.Workers[0].Errors = []*stormrpc.WorkerError{{Component: "count", Message: "no such file", Lost: ref(true)}}
	a.sync(0)
	a.becomes(5)
	if got := c.versionsText(); !strings.Contains(got, "4 from 2 (version 3 went back by itself: a worker died ") ||
		!strings.Contains(got, ", 5 from 1 starting (version 4 went back by itself: component count died ") {
		t.Error(got)
	}
	if got := mustNamed(t, c, "words").Trial; got != nil {
		t.Errorf("version 1 has shown that it runs, and is on trial as %+v", got)
	}
}

// A version that ran once has run, also where it was gone back to a moment ago: one that fails while it starts again does not go past it.
func TestGoneBackToHasRun(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.withWords()
	two := func(t *stormrpc.StormTopology) { t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 2}`) }
	bad := func(t *stormrpc.StormTopology) { two(t); withSink(t) }
	c.applyWords(oneWorker, wordsWith(two), nil)
	a.becomes(2)
	a.works()
	eventually(t, "version 2 is at work", func() bool { a.sync(0); return !strings.Contains(c.versionsText(), "starting") })
	c.applyWords(oneWorker, wordsWith(bad), nil)
	a.becomes(3)
	for i := range int32(mostDeaths + 1) {
		a.dies(i, "exited with 3")
	}
	a.becomes(4)
	c.applyWords(oneWorker, wordsWith(bad), nil)
	a.becomes(5)
	if got := mustNamed(t, c, "words").Trial; got == nil || got.Back != 4 || got.Before == nil || got.Before.Back != 1 {
		t.Fatalf("version 5 is on trial as %+v", got)
	}
	for i := range int32(mostDeaths + 1) {
		a.dies(mostDeaths+i, "exited with 3")
	}
	a.becomes(6)
	if got := c.versionsText(); !strings.Contains(got, "6 from 4 starting (version 5 went back by itself") || strings.Contains(got, "never ran") {
		t.Error(got)
	}
}

// A version that was changed again before it was at work is known not to have run.
func TestNeverRan(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.withWords()
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(2)
	c.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) { t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 2}`) }), nil)
	a.becomes(3)
	a.works()
	eventually(t, "version 3 is at work", func() bool { a.sync(0); return !strings.Contains(c.versionsText(), "starting") })
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	if got, want := c.versionsText(), "1 from 0, 2 from 1 never ran, 3 from 2, 4 from 3 starting"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What a version brought that never ran is on trial with the next one, which would go back to what it would have gone back to.
func TestTrialOfWhatNeverRanGoesOn(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.withWords()
	c.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) { withSink(t); t.Bolts["other"] = sink("python3") }), nil)
	a.becomes(2)
	c.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) {
		withSink(t)
		t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 2}`)
	}), nil)
	if got := mustNamed(t, c, "words").Trial; got == nil || got.Back != 1 || strings.Join(got.Components, " ") != "count sink" {
		t.Fatalf("version 3 is on trial as %+v", got)
	}
	a.becomes(3)
	a.works()
	a.report.Workers[0].Errors = []*stormrpc.WorkerError{{Component: "sink", Message: "no such file", Lost: ref(true)}}
	a.sync(0)
	a.becomes(4) // its errors go up each time
	if got := c.versionsText(); !strings.Contains(got, "2 from 1 never ran, 3 from 2, 4 from 1 starting (version 3 went back by itself: component sink died ") {
		t.Error(got)
	}
}

// A version that somebody goes back to is on trial like any other, unless what it would go back to is just that.
func TestRollbackGoesBack(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.withWords()
	back := func(to int64) {
		t.Helper()
		got, err := c.changes().RollbackTopology(t.Context(), "words", to, nil)
		if err != nil || len(got.Refused) > 0 {
			t.Fatalf("back to version %d: %v, %v", to, got, err)
		}
	}
	c.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) { t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 2}`) }), nil)
	a.becomes(2)
	a.works()
	eventually(t, "version 2 stands", func() bool { clk.advance(time.Second); a.sync(0); return mustNamed(t, c, "words").Trial == nil })

	// The script of a component that comes back is not there: its child ends again and again.
	back(1)
	if got := mustNamed(t, c, "words").Trial; got == nil || got.Back != 2 || strings.Join(got.Components, " ") != "count" {
		t.Fatalf("it is on trial as %+v", got)
	}
	a.becomes(3)
	a.works()
	a.report.Workers[0].Errors = []*stormrpc.WorkerError{{Component: "count", Message: "no such file", Lost: ref(true)}}
	a.sync(0)
	a.becomes(4) // its errors go up each time
	if got := c.versionsText(); !strings.Contains(got, "3 from 1, 4 from 2 starting (version 3 went back by itself: component count died ") || !strings.HasSuffix(got, ": no such file)") {
		t.Error(got)
	}
	a.works()

	// Its worker does.
	back(1)
	a.becomes(5)
	for i := range int32(mostDeaths + 1) {
		a.dies(i, "exited with 3")
	}
	a.becomes(6)
	all, err := c.changes().GetTopologyVersions(t.Context(), "words")
	must(t, err)
	if all[4].GetUser() != "tester" || all[5].GetUser() != "" {
		t.Errorf("asked for by %q and %q", all[4].GetUser(), all[5].GetUser())
	}
	if got := c.versionsText(); !strings.HasSuffix(got, "5 from 1, 6 from 4 starting (version 5 went back by itself: a worker died 3 times within 1s: exited with 3)") {
		t.Error(got)
	}
	a.works()

	// Somebody goes back from a version that has not shown that it runs, to what it would have gone back to by itself.
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(7)
	back(2)
	a.becomes(8)
	if got := mustNamed(t, c, "words").Trial; got != nil {
		t.Errorf("it could go back to %+v, which is the same", got)
	}
}

// A version that was changed while others were looked at is not taken for the one that has failed, and can be changed again.
func TestGoesBackFromWhatFailedAlone(t *testing.T) {
	c := start(t, nil)
	c.node("a", 6700)
	c.submitWords("words", oneWorker)
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	two := mustNamed(t, c, "words")
	_, err := c.changes().RollbackTopology(t.Context(), "words", 1, nil)
	must(t, err)
	must(t, c.giveUp(t.Context(), two, "a worker died"))
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	must(t, c.giveUp(t.Context(), two, "a worker died"))
	if got, want := c.versionsText(), "1 from 0, 2 from 1 never ran, 3 from 1, 4 from 3 starting"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A new leader that has not heard of the nodes does not take a version that runs for one that never did.
func TestNextLeaderKnowsWhatRan(t *testing.T) {
	m := startMasters(t, 2, nil)
	a := m.all[0].node("a", 6700)
	m.all[0].submitWords("words", oneWorker)
	a.until("the topology", hasTopologies(1))
	m.all[0].applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(2)
	a.works()
	if got := m.all[0].versionsText(); strings.Contains(got, "starting") {
		t.Fatal(got)
	}
	m.copied()
	next := m.fail(m.all[0])
	next.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) {
		withSink(t)
		t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 2}`)
	}), nil)
	if got, want := next.versionsText(), "1 from 0, 2 from 1, 3 from 2 starting"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := mustNamed(t, next, "words").Trial; got == nil || got.Back != 2 || got.Before == nil || got.Before.Back != 1 {
		t.Errorf("version 3 is on trial as %+v", got)
	}
}

// A new leader that has heard of no node leaves everything where it is when it makes a change.
func TestChangeWhileNobodyIsHeard(t *testing.T) {
	m := startMasters(t, 2, nil)
	first := m.all[0]
	a := first.node("a", 6700, 6701)
	first.submitWords("words", oneWorker)
	first.submitWords("other", oneWorker)
	a.until("both topologies", hasTopologies(2))
	a.works()
	before, other := mustNamed(t, first, "words").slots(), mustNamed(t, first, "other").assignment.ID
	m.copied()
	next := m.fail(first)
	next.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) {
		withSink(t)
		t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 2}`)
	}), nil)
	top := mustNamed(t, next, "words")
	if got := slices.Collect(maps.Keys(top.slots())); len(top.assignment.Executors) != len(top.executors) || !slices.Equal(got, slices.Collect(maps.Keys(before))) {
		t.Errorf("%d executors of %d are placed, in %v, before in %v", len(top.assignment.Executors), len(top.executors), got, before)
	}
	if got := mustNamed(t, next, "other").assignment.ID; got != other {
		t.Errorf("the other topology was placed anew by %s, before by %s", got, other)
	}
}

// A version is not given up while nobody says how it does.
func TestTrialRestsWhileNobodyIsHeard(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.withWords()
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(2)
	top := mustNamed(t, c, "words")
	c.tryOn(top)
	clk.advance(usualPatience + time.Second)
	if v := c.tryOn(top); v != (verdict{}) {
		t.Errorf("nobody is heard: %+v", v)
	}
	a.sync(0)
	if v := c.tryOn(top); v != (verdict{}) {
		t.Errorf("a node is heard again: %+v", v)
	}
	pass(clk, usualPatience+time.Second, a)
	a.becomes(3)
}

// A new leader gives the nodes their time to report before it looks how a version does.
func TestTrialRestsUntilNodesAreHeard(t *testing.T) {
	const two = `{"topology.workers": 2, "topology.acker.executors": 1}`
	clk := newClock()
	m := startMasters(t, 2, func(cfg *Config) { cfg.Now = clk.Now })
	a, b := m.all[0].node("a", 6700), m.all[0].node("b", 6700)
	m.all[0].submitWords("words", two)
	a.until("the topology", hasTopologies(1))
	b.until("the topology", hasTopologies(1))
	m.all[0].applyWords(two, wordsWith(withSink), nil)
	m.copied()
	next := m.fail(m.all[0])
	again := next.node("a", 6700)
	top := mustNamed(t, next, "words")
	next.tryOn(top)
	pass(clk, usualPatience+time.Second, again)
	if v := next.tryOn(top); v != (verdict{}) {
		t.Errorf("node b has not reported yet: %+v", v)
	}
}

// That a node dies while a version is on trial is no fault of the version.
func TestTrialRestsWhileANodeIsSilent(t *testing.T) {
	const two = `{"topology.workers": 2, "topology.acker.executors": 1, "gearstorm.change.patience.secs": 16}`
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a, b := c.node("a", 6700), c.node("b", 6700)
	c.submitWords("words", two)
	a.until("the topology", hasTopologies(1))
	b.until("the topology", hasTopologies(1))
	c.applyWords(two, wordsWith(withSink), nil)
	a.becomes(2)
	b.becomes(2)
	a.works()
	b.works()
	b.report.Workers[0].DagVersion = ref(int64(1))
	b.sync(0)
	top := mustNamed(t, c, "words")
	if v := c.tryOn(top); v != (verdict{}) {
		t.Errorf("the trial begins: %+v", v)
	}
	pass(clk, 17*time.Second, a)
	if v := c.tryOn(top); v != (verdict{}) || mustNamed(t, c, "words").GraphVersion != 2 {
		t.Errorf("node b has not reported for 17 s: %+v", v)
	}
}

// A version that waits for a slow checkpoint, or for the store, before it comes into force is on trial for as long: what its tasks do with their
// state nobody has seen.
func TestTrialOfWhatIsNotInForceGoesOn(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.node("a", 6700)
	const timed = `{"topology.workers": 1, "topology.acker.executors": 1, "gearstorm.event.time": true}`
	c.submitWords("words", timed)
	a.until("the topology", hasTopologies(1))
	c.applyWords(timed, wordsWith(withSink), nil)
	a.becomes(2)
	a.works()
	w := a.report.Workers[0]
	w.Timing = &stormrpc.TopologyTiming{State: "waits for its store", Clocks: []*stormrpc.ComponentClock{}, DagVersion: ref(int64(1))}
	a.sync(0)
	top := mustNamed(t, c, "words")
	c.tryOn(top)
	pass(clk, 10*usualPatience, a)
	if v := c.tryOn(top); v != (verdict{}) {
		t.Errorf("it is not in force: %+v", v)
	}
	w.Errors = []*stormrpc.WorkerError{{Component: "sink", Message: "no such handle", Unopened: ref(true)}}
	a.becomes(3)
}

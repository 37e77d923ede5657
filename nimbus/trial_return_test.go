package nimbus

import (
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// What a version goes back to may be one whose own trial was not over: it is on trial once more, and goes back too.
func TestTwoVersionsGoBack(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.node("a", 6700)
	c.submitWords("words", oneWorker)
	a.until("the topology", hasTopologies(1))
	a.works()
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
	a := c.node("a", 6700)
	c.submitWords("words", oneWorker)
	a.until("the topology", hasTopologies(1))
	a.works()
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
	a := c.node("a", 6700)
	c.submitWords("words", oneWorker)
	a.until("the topology", hasTopologies(1))
	a.works()
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

// A version that somebody goes back to is on trial like any other, unless what it would go back to is just that.
func TestRollbackGoesBack(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.node("a", 6700)
	c.submitWords("words", oneWorker)
	a.until("the topology", hasTopologies(1))
	a.works()
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

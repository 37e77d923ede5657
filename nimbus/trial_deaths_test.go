package nimbus

import (
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A supervisor that starts anew while a worker is dead counts its restarts from 0, and they count for the version on trial.
func TestDeathsUnderAnotherSupervisor(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.Now = newClock().Now }) // which stands, so no patience ends
	a := c.withWords()
	a.report.Workers[0].Restarts = ref(int32(5)) // by the version before
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(2)
	for restarts := range int32(mostDeaths + 1) {
		a.dies(restarts, "exited with 3")
	}
	a.becomes(3)
	if got := c.versionsText(); !strings.Contains(got, "3 from 1 starting (version 2 went back by itself: a worker died 3 times") {
		t.Error(got)
	}
}

// A report that got no answer is sent again: what died by it died once.
func TestDeathIsToldAgain(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.Now = newClock().Now }) // which stands, so no patience ends
	a := c.withWords()
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.becomes(2)
	a.works()
	lost := func(timeMs int64, task int32) *stormrpc.WorkerError {
		return &stormrpc.WorkerError{Component: "sink", Message: "child was lost", TimeMs: timeMs, Task: &task, Lost: ref(true)}
	}
	sink := mustNamed(t, c, "words").highest()
	a.report.Workers[0].Errors = []*stormrpc.WorkerError{lost(1000, int32(sink))}
	for deaths := 1; deaths < mostDeaths; deaths++ {
		for range mostDeaths {
			a.sync(0)
		}
		c.mu.Lock()
		got := c.sightLocked(c.topologies[c.byName["words"]]).Deaths
		c.mu.Unlock()
		if got != deaths {
			t.Fatalf("%d deaths are told again and again, and %d counted", deaths, got)
		}
		a.report.Workers[0].Errors = append(a.report.Workers[0].Errors, lost(int64(1000+deaths), int32(sink)))
	}
}

// A topology may be killed while a change of it waits for the version before: the change is refused, and Nimbus goes on.
func TestKilledWhileAChangeWaits(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.Now = newClock().Now }) // which stands, so no patience ends
	a := c.withWords()
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	a.until("version 2", func(p *stormrpc.NodePlan) bool { return p.Topologies[0].DagVersion == 2 })
	a.works()
	a.report.Workers[0].DagVersion = ref(int64(1))
	a.sync(0)
	location, answered := c.upload(jar(t, "resources/script.py")), make(chan string, 1)
	go func() {
		got, err := c.Nimbus.ApplyChange(t.Context(), "words", location, oneWorker, words(), nil)
		if err != nil {
			answered <- err.Error()
			return
		}
		answered <- strings.Join(got.Refused, "; ")
	}()
	eventually(t, "the change is under way", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.changing) == 1 })
	must(t, c.client.KillTopologyWithOpts(t.Context(), "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	if got := <-answered; !strings.Contains(got, "topology words was killed, rebalanced or changed while this change was prepared") {
		t.Error(got)
	}
	c.submitWords("words", oneWorker)
}

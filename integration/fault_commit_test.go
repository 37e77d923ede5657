package integration

import (
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/exact"
)

// commitStep is a moment of a checkpoint's life at which everything can end.
type commitStep struct {
	what string
	// method and kind are the request to the store that is held, after it was carried out if after is set. Without a method a sink stands
	// still at point.
	method, kind string
	after        bool
	point        string
	// again is that of the generation that goes back from a crash before.
	again bool
}

// commitSteps are in the order in which they come, from the first file of a task to the last that is cleaned up, and then those of
// going back.
var commitSteps = []commitStep{
	{what: "no task has written its part", method: "PUT", kind: "files"},
	{what: "one task has", method: "PUT", kind: "files", after: true},
	{what: "all have, there is no manifest", method: "PUT", kind: "manifests"},
	{what: "there is a manifest", method: "PUT", kind: "manifests", after: true},
	{what: "there is no record", method: "PUT", kind: "log"},
	{what: "there is a record, its writer does not know", method: "PUT", kind: "log", after: true},
	{what: "the record before was not looked at", method: "GET", kind: "log"},
	{what: "it was, nobody was told", method: "GET", kind: "log", after: true},
	{what: "a sink knows that it counts", point: exact.BeforeEffect},
	{what: "one sink has made it visible", point: exact.AfterEffect},
	{what: "nothing is cleaned up", method: "DELETE", kind: "log"},
	{what: "a record is removed", method: "DELETE", kind: "log", after: true},
	{what: "a manifest is removed", method: "DELETE", kind: "manifests", after: true},
	{what: "a file is removed", method: "DELETE", kind: "files", after: true},
	{what: "going back, before the record of the generation", method: "PUT", kind: "log", again: true},
	{what: "going back, there is its record", method: "PUT", kind: "log", after: true, again: true},
}

// 11. Workers are killed with -9 between every two steps of a checkpoint: all of them, and the one alone that is at the step. CI's length
// has a few steps at random, and one of the two. The topology goes back to the newest checkpoint whose record is there, and every record counts once.
func crashedCommit(f *faultRun) {
	g := startGate(f.T, f.c.Outside())
	o := f.once(exact.Topology{Sinks: 2, Keys: 4000}, g.URL, g.Credentials)
	o.advance(onceKept) // so that there is something to clean up
	for _, i := range f.some(len(commitSteps), 5) {
		all := []bool{f.random.IntN(2) == 0}
		if o.long {
			all = []bool{true, false}
		}
		for _, all := range all {
			o.crash(g, commitSteps[i], all)
		}
	}
	o.end()
}

// crash kills all workers, or the one at the step, when the step is reached.
func (o *onceRun) crash(g *gate, s commitStep, all bool) {
	o.Helper()
	o.rested()
	if s.again {
		o.stop(o.clock())
	}
	at := chaos.Worker{}
	if s.method == "" {
		o.must("have a sink stand still", o.topo.Halt(s.point))
		pid := o.halted()
		for _, w := range o.workers() {
			if w.Pid == pid {
				at = w
			}
		}
	} else {
		select {
		case <-g.hold(s.method, s.kind, s.after):
		case <-o.ctx.Done():
			o.must("wait until "+s.what, o.ctx.Err())
		case <-time.After(2 * time.Minute):
			o.Fatalf("waited in vain for the step: %s", s.what)
		}
		if !all {
			at = o.clock()
		}
	}
	began := time.Now()
	if all {
		o.stop(o.workers()...)
	} else {
		o.stop(at)
	}
	g.release()
	if s.method == "" {
		o.must("forget who stood still", o.topo.Release())
	}
	o.recovered(began)
	counted, wrong := counting(o.log())
	for _, w := range wrong {
		o.result.Failf("killed when %s: %s", s.what, w)
	}
	o.Logf("killed (all workers: %v) when %s: records after %.1fs, those that count are %v", all, s.what, time.Since(began).Seconds(), counted)
}

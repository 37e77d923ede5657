package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func TestWatcherTellsWhatChanged(t *testing.T) {
	var got []string
	lack := "Not enough slots: 0 of 4 executors are placed"
	w := &watcher{logs: "logs", began: 90, seen: map[string]*watched{}, out: func(s string) { got = append(got, s[len("15:04:05 "):]) }}
	info := &stormrpc.TopologyInfo{ID: "wc-1-7", Name: "wc", Status: "ACTIVE", Errors: map[string][]*stormrpc.ErrorInfo{}, Executors: []*stormrpc.ExecutorSummary{
		{ComponentID: "a", Host: "h", Port: 6700}, {ComponentID: "b", Host: "h", Port: 6700}, {ComponentID: "c", Host: "h", Port: 6701},
	}}
	uptimes := func(first, second int32) {
		info.Executors[0].UptimeSecs, info.Executors[1].UptimeSecs, info.Executors[2].UptimeSecs = first, first, second
	}
	fail := func(component, text string, at int32) {
		info.Errors[component] = append([]*stormrpc.ErrorInfo{{Error: text, ErrorTimeSecs: at}}, info.Errors[component]...)
	}
	for _, step := range []struct {
		name string
		at   int64
		do   func()
		want []string
	}{
		{"first seen", 100, func() { fail("a", "of an earlier life", 89) }, []string{"wc starts as wc-1-7, active"}},
		{"nothing new", 101, func() {}, nil},
		{"a worker reports", 102, func() { uptimes(1, 0) }, []string{"wc: worker 6700 runs, its log is logs/workers-artifacts/wc-1-7/6700/worker.log"}},
		{"the other one too", 103, func() { uptimes(2, 1) }, []string{"wc: worker 6701 runs, its log is logs/workers-artifacts/wc-1-7/6701/worker.log"}},
		{"clocks differ a little", 105, func() { uptimes(3, 2) }, nil},
		{"errors", 106, func() { uptimes(4, 3); fail("b", "second", 106); fail("a", "first\n", 105); fail("a", "first\n", 106) },
			[]string{"wc: a error: first", "wc: b error: second"}},
		{"the same again", 107, func() { fail("b", "second", 107) }, nil},
		{"the code changed", 107, func() { w.anew.Store(107); w.renew() }, []string{"wc: b error: second"}},
		{"it changes nothing more", 107, func() { w.renew() }, nil},
		{"the same but for a number", 107, func() { fail("b", "child 17 was lost", 107); fail("b", "child 18 was lost", 107) }, []string{"wc: b error: child 18 was lost"}},
		{"a long one", 107, func() { fail("b", "Traceback\n 1\n 2\n 3\nlast\nreason\n", 107) }, []string{"wc: b error: Traceback\n    ...\n     3\n    last\n    reason"}},
		{"no slots for a moment", 107, func() { info.SchedStatus = &lack }, nil},
		{"still none", 107, func() {}, []string{"wc waits: " + lack + "; kill a topology or start dev with more --slots"}},
		{"told once", 107, func() {}, nil},
		{"placed", 107, func() { info.SchedStatus = nil }, nil},
		{"a worker dies", 108, func() { uptimes(6, 5); fail("__system", "worker x ended by signal 9", 108) }, []string{"wc: worker x ended by signal 9"}},
		{"and is back", 110, func() { uptimes(1, 7) }, []string{"wc: worker 6700 runs again"}},
		{"killed", 111, func() { info.Status = "KILLED"; uptimes(2, 8) }, []string{"wc is killed now"}},
	} {
		got = nil
		step.do()
		w.tell(info, time.Unix(step.at, 0))
		if d := cmp.Diff(step.want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", step.name, d)
		}
	}
}

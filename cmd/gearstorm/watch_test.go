package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func TestWatcherTellsWhatChanged(t *testing.T) {
	var got []string
	lack := "Not enough slots: 0 of 4 executors are placed"
	w := &watcher{logs: "logs", began: 90, seen: map[string]*watched{}, out: func(s string) { got = append(got, s[len("15:04:05 "):]) }}
	info := &stormrpc.TopologyInfo{ID: "wc-1-7", Name: "wc", Status: "ACTIVE", Errors: map[string][]*stormrpc.ErrorInfo{},
		Workers: []*stormrpc.WorkerState{{Host: "h", Port: 6700}, {Host: "h", Port: 6701}}}
	worker := func(i int, id string, ready bool, uptime int32) {
		info.Workers[i].WorkerID, info.Workers[i].Ready, info.Workers[i].UptimeSecs = &id, &ready, &uptime
	}
	fail := func(component, text string, at int32) {
		info.Errors[component] = append([]*stormrpc.ErrorInfo{{Error: text, ErrorTimeSecs: at}}, info.Errors[component]...)
	}
	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"first seen", func() { fail("a", "of an earlier life", 89) }, []string{"wc starts as wc-1-7, active"}},
		{"nothing new", func() {}, nil},
		{"a worker reports", func() { worker(0, "a", true, 1); worker(1, "b", false, 0) }, []string{"wc: worker 6700 runs, its log is logs/workers-artifacts/wc-1-7/6700/worker.log"}},
		{"the other one too", func() { worker(1, "b", true, 1) }, []string{"wc: worker 6701 runs, its log is logs/workers-artifacts/wc-1-7/6701/worker.log"}},
		{"a report is late", func() { worker(0, "a", true, 0) }, nil},
		{"errors", func() { fail("b", "second", 106); fail("a", "first\n", 105); fail("a", "first\n", 106) },
			[]string{"wc: a error: first", "wc: b error: second"}},
		{"the same again", func() { fail("b", "second", 107) }, nil},
		{"the code changed", func() { w.anew.Store(107); w.renew() }, []string{"wc: b error: second"}},
		{"it changes nothing more", func() { w.renew() }, nil},
		{"the same but for a number", func() { fail("b", "child 17 was lost", 107); fail("b", "child 18 was lost", 107) }, []string{"wc: b error: child 18 was lost"}},
		{"a long one", func() { fail("b", "Traceback\n 1\n 2\n 3\nlast\nreason\n", 107) }, []string{"wc: b error: Traceback\n    ...\n     3\n    last\n    reason"}},
		{"no slots for a moment", func() { info.SchedStatus = &lack }, nil},
		{"still none", func() {}, []string{"wc waits: " + lack + "; kill a topology or start dev with more --slots"}},
		{"told once", func() {}, nil},
		{"placed", func() { info.SchedStatus = nil }, nil},
		{"a worker dies", func() { worker(0, "c", false, 0); fail("__system", "worker x ended by signal 9", 108) }, []string{"wc: worker x ended by signal 9"}},
		{"and is back", func() { worker(0, "c", true, 1) }, []string{"wc: worker 6700 runs again"}},
		{"killed", func() { info.Status = "KILLED" }, []string{"wc is killed now"}},
	} {
		got = nil
		step.do()
		w.tell(info)
		if d := cmp.Diff(step.want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", step.name, d)
		}
	}
}

package supervisor

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

func testReports() *reports { return newReports(func() time.Time { return time.UnixMilli(1000) }) }

// workerReport is one of about size bytes.
func workerReport(port int32, size int, errs ...string) *stormrpc.WorkerReport {
	r := &stormrpc.WorkerReport{TopologyID: "a-1-1", Port: port, WorkerID: fmt.Sprint("w", port),
		ExecutorStats: []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{{
			Key: &stormrpc.ExecutorInfo{TaskStart: port, TaskEnd: port},
			Value: &stormrpc.ExecutorStats{Emitted: map[string]map[string]int64{strings.Repeat("x", size): {}},
				Transferred: map[string]map[string]int64{}, Specific: &stormrpc.ExecutorSpecificStats{Spout: &stormrpc.SpoutStats{
					Acked: map[string]map[string]int64{}, Failed: map[string]map[string]int64{}, CompleteMsAvg: map[string]map[string]float64{}}}}}}}
	for _, e := range errs {
		r.Errors = append(r.Errors, &stormrpc.WorkerError{Component: "c", Message: e})
	}
	return r
}

// statless is a report without statistics.
func statless(port int32) *stormrpc.WorkerReport {
	r := workerReport(port, 0)
	r.ExecutorStats = r.ExecutorStats[:0]
	return r
}

// summary is what a batch says, one line a worker.
func summary(b batch) []string {
	var out []string
	for _, w := range b.workers {
		line := fmt.Sprintf("%s %s %d stats %d", w.TopologyID, w.WorkerID, w.Port, len(w.ExecutorStats))
		for _, e := range w.Errors {
			line += " " + e.Component + ":" + e.Message
		}
		out = append(out, line)
	}
	return out
}

// TestBriefReport is of a node whose workers do not fit into one report with their statistics.
func TestBriefReport(t *testing.T) {
	r := newReports(time.Now)
	for port := range int32(500) {
		w := &stormrpc.WorkerReport{TopologyID: "a-1-1", Port: port, WorkerID: fmt.Sprint("w", port), Ready: true,
			Links: []*stormrpc.WorkerLink{{Peer: strings.Repeat("p", 10<<10), Over: "tcp"}}}
		if err := r.hear(w); err != nil {
			t.Fatal(err)
		}
		r.mark(int(port), mark{suspicion: "silent", restarts: 2, lastExit: "exit code 7"})
	}
	if b := r.take(1<<20, false); !b.more || len(b.workers) == 500 {
		t.Fatal("all find place")
	}
	b := r.take(1<<20, true)
	if b.more || len(b.workers) != 500 {
		t.Errorf("%d workers, more %v", len(b.workers), b.more)
	}
	if w := b.workers[7]; !w.Ready || w.GetSuspect() != "silent" || w.GetRestarts() != 2 || w.GetLastExit() != "exit code 7" || w.Links != nil {
		t.Errorf("%v", w)
	}
	if b := r.take(1<<20, false); len(b.workers[0].Links) != 1 {
		t.Error("the next one has no links")
	}
}

func TestReportsGoUpOnce(t *testing.T) {
	r := testReports()
	if err := r.hear(workerReport(1, 10, "e1", "e2")); err != nil {
		t.Fatal(err)
	}
	r.complain("a-1-1", 1, "died")
	r.complain("b-2-2", 2, "no blob")
	b := r.take(1<<20, false)
	want := []string{"a-1-1 w1 1 stats 1 c:e1 c:e2 __system:died", "b-2-2  2 stats 0 __system:no blob"}
	if diff := cmp.Diff(want, summary(b)); diff != "" {
		t.Error(diff)
	}
	// The call failed: all of it goes again, with what came meanwhile.
	r.complain("b-2-2", 2, "still no blob")
	again := r.take(1<<20, false)
	want[1] += " __system:still no blob"
	if diff := cmp.Diff(want, summary(again)); diff != "" {
		t.Error(diff)
	}
	// The first batch is settled after all: only what was in it goes.
	r.taken(b)
	if diff := cmp.Diff([]string{"a-1-1 w1 1 stats 1", "b-2-2  2 stats 0 __system:still no blob"}, summary(r.take(1<<20, false))); diff != "" {
		t.Error(diff)
	}
	r.taken(again)
	r.forget(1)
	if b := r.take(1<<20, false); len(b.workers) != 0 || len(r.errors) != 0 {
		t.Errorf("left %v, %v", summary(b), r.errors)
	}
}

func TestErrorsAreBounded(t *testing.T) {
	r := testReports()
	for i := range 250 {
		r.complain("a-1-1", 1, fmt.Sprint(i))
	}
	b := r.take(1<<20, false)
	errs := b.workers[0].Errors
	if len(errs) != maxErrorsPerSlot || errs[0].Message != "150" || errs[99].Message != "249" {
		t.Errorf("%d errors from %v", len(errs), errs[0])
	}
	// One that comes while a full list is on its way is not lost when the list is settled.
	r.complain("a-1-1", 1, "late")
	r.taken(b)
	if diff := cmp.Diff([]string{"a-1-1  1 stats 0 __system:late"}, summary(r.take(1<<20, false))); diff != "" {
		t.Error(diff)
	}

	many := workerReport(2, 10)
	for range 300 {
		many.Errors = append(many.Errors, &stormrpc.WorkerError{Component: strings.Repeat("é", 1000), Message: strings.Repeat("é\xff", 9000)}, nil)
	}
	if err := r.hear(many); err != nil {
		t.Fatal(err)
	}
	kept := r.errors[errorKey{"a-1-1", 2}]
	if len(kept) == 0 || len(kept) > maxErrorsPerReport {
		t.Fatalf("%d errors", len(kept))
	}
	for _, e := range kept {
		if len(e.err.Component) > maxComponentBytes || len(e.err.Message) > maxErrorBytes || !utf8.ValidString(e.err.Message) || !utf8.ValidString(e.err.Component) {
			t.Fatalf("component of %d bytes, message of %d", len(e.err.Component), len(e.err.Message))
		}
	}
	for i := range 2000 {
		r.complain(fmt.Sprint("t", i), 1, "x")
	}
	if len(r.errors) > maxSlotsWithErrors {
		t.Errorf("%d slots with errors", len(r.errors))
	}
}

func TestLargeReportsTakeTurns(t *testing.T) {
	r := testReports()
	for port := range int32(5) {
		if err := r.hear(workerReport(port+1, 100<<10)); err != nil {
			t.Fatal(err)
		}
	}
	budget := 310 << 10 // for two
	seen := map[int32]int{}
	for range 5 {
		b := r.take(budget, false)
		if !b.more || len(b.workers) != 2 {
			t.Fatalf("more %v: %d workers", b.more, len(b.workers))
		}
		data, err := wire.Marshal(&stormrpc.NodeReport{Ports: []int32{}, Resources: map[string]float64{}, Workers: b.workers})
		if err != nil || len(data) > budget {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		for _, w := range b.workers {
			seen[w.Port]++
		}
		r.taken(b)
	}
	if diff := cmp.Diff(map[int32]int{1: 2, 2: 2, 3: 2, 4: 2, 5: 2}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestAReportThatNeverFitsGoesWithoutStatistics(t *testing.T) {
	r := testReports()
	if err := r.hear(workerReport(1, 1<<20)); err != nil {
		t.Fatal(err)
	}
	b := r.take(256<<10, false)
	if diff := cmp.Diff([]string{"a-1-1 w1 1 stats 0"}, summary(b)); diff != "" || b.more {
		t.Error(b.more, diff)
	}
}

func TestAReportWithoutStatisticsLeavesTheLast(t *testing.T) {
	r := testReports()
	for _, report := range []*stormrpc.WorkerReport{workerReport(1, 1000), statless(1)} {
		if err := r.hear(report); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.take(1<<20, false).workers[0].ExecutorStats); n != 1 {
		t.Errorf("%d executors have statistics after a report without any", n)
	}
	if size := r.live[1].size; size < 1000 {
		t.Errorf("a report with them counts as %d bytes", size)
	}
	next := statless(1)
	next.WorkerID = "another"
	if err := r.hear(next); err != nil {
		t.Fatal(err)
	}
	if n := len(r.take(1<<20, false).workers[0].ExecutorStats); n != 0 {
		t.Errorf("another worker in the slot has inherited %d", n)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"aéb", 2, "a"}, {"a\xffb", 10, "a\uFFFDb"}, {"", 0, ""}, {"é", 0, ""}} {
		if got := cut(c.in, c.n); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

// What a worker has been seen to use goes up with it, and ends with it.
func TestReportsTellUsage(t *testing.T) {
	r := newReports(time.Now)
	report := func(worker string) *stormrpc.WorkerReport {
		return &stormrpc.WorkerReport{TopologyID: "a-1-1", Port: 6700, WorkerID: worker, Usage: &stormrpc.WorkerUsage{MemoryBytes: 1},
			ExecutorStats: []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}}
	}
	up := func() *stormrpc.WorkerUsage { return r.take(1<<20, false).workers[0].Usage }
	r.use(6700, "w1", isolate.Usage{MemoryBytes: 1}) // nobody has reported
	for range 2 {
		if err := r.hear(report("w1")); err != nil {
			t.Fatal(err)
		}
		if got := up(); got != nil {
			t.Fatalf("usage %v before it was looked at; a worker's own word for it does not count", got)
		}
	}
	r.use(6700, "w2", isolate.Usage{MemoryBytes: 2}) // another one
	r.use(6700, "w1", isolate.Usage{MemoryBytes: 5 << 20, MemoryLimitBytes: 6 << 20, CPUUser: time.Second, CPUSystem: time.Millisecond, Throttled: time.Minute})
	if err := r.hear(report("w1")); err != nil {
		t.Fatal(err)
	}
	want := stormrpc.WorkerUsage{MemoryBytes: 5 << 20, MemoryLimitBytes: 6 << 20, CPUUs: 1_001_000, ThrottledUs: 60_000_000}
	if got := up(); got == nil || *got != want {
		t.Errorf("usage %v, want %v", got, want)
	}
	if err := r.hear(report("w2")); err != nil {
		t.Fatal(err)
	}
	if got := up(); got != nil {
		t.Errorf("the next worker has the usage of the one before: %v", got)
	}
}

// TestWorkersAtWork: a worker has come to a plan when it says so of that plan's graph and assignment, for the topology if it has its clock.
func TestWorkersAtWork(t *testing.T) {
	r, yes, two, three := testReports(), true, int64(2), int64(3)
	plan := &stormrpc.TopologyPlan{TopologyID: "a-1-1", AssignmentID: "1-2", DagVersion: 3}
	if r.atWork(7, plan) {
		t.Error("without a report")
	}
	for _, c := range []struct {
		name   string
		change func(*stormrpc.WorkerReport)
		want   bool
	}{
		{"it is", func(*stormrpc.WorkerReport) {}, true},
		{"of another topology", func(w *stormrpc.WorkerReport) { w.TopologyID = "b-1-1" }, false},
		{"in another place", func(w *stormrpc.WorkerReport) { w.AssignmentID = "1-1" }, false},
		{"by another graph", func(w *stormrpc.WorkerReport) { w.DagVersion = &two }, false},
		{"it does not say", func(w *stormrpc.WorkerReport) { w.AtWork = nil }, false},
		{"others are not", func(w *stormrpc.WorkerReport) { w.Timing = &stormrpc.TopologyTiming{DagVersion: &two} }, false},
		{"all are", func(w *stormrpc.WorkerReport) { w.Timing = &stormrpc.TopologyTiming{DagVersion: &three} }, true},
	} {
		w := statless(7)
		w.AssignmentID, w.DagVersion, w.AtWork = "1-2", &three, &yes
		c.change(w)
		if err := r.hear(w); err != nil {
			t.Fatal(err)
		}
		if got := r.atWork(7, plan); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

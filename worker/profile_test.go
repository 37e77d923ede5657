package worker

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// rig is a profiler that runs.
type rig struct {
	t   *testing.T
	p   profiler
	dir string
	log lines
	end func()
}

var here = slot{"n1", 6700}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	r.p.dir, r.p.log = r.dir, slog.New(slog.NewTextHandler(&r.log, nil))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.p.run(ctx) })
	r.end = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(r.end)
	return r
}

func action(id int64, a stormrpc.ProfileAction, until time.Time) *stormrpc.WorkerAction {
	out := &stormrpc.WorkerAction{ID: id, Node: here.node, Port: int32(here.port), Action: a}
	if !until.IsZero() {
		out.UntilMs = until.UnixMilli()
	}
	return out
}

// do has the actions done, and those before them that are still in the plan.
func (r *rig) do(all ...*stormrpc.WorkerAction) {
	r.t.Helper()
	r.p.follow(here, all)
	await(r.t, "the actions are done", func() bool { return len(r.p.finished()) == len(all) })
}

func (r *rig) files(pattern string) []string {
	r.t.Helper()
	out, err := filepath.Glob(filepath.Join(r.dir, pattern))
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) said(text string) bool {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return bytes.Contains(r.log.b, []byte(text))
}

func TestDumps(t *testing.T) {
	r := newRig(t)
	stack, heap := action(1, stormrpc.ProfileAction_JSTACK_DUMP, time.Time{}), action(2, stormrpc.ProfileAction_JMAP_DUMP, time.Time{})
	elsewhere := action(3, stormrpc.ProfileAction_JSTACK_DUMP, time.Time{})
	elsewhere.Port++
	r.p.follow(here, []*stormrpc.WorkerAction{elsewhere, nil})
	r.do(stack, heap)
	if got := r.p.finished(); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("done are %v", got)
	}
	r.do(stack, heap) // told once more: nothing is done again
	stacks, heaps := r.files("jstack-*.txt"), r.files("heap-*.bin")
	if len(stacks) != 1 || len(heaps) != 1 {
		t.Fatalf("files %v and %v", stacks, heaps)
	}
	if b, err := os.ReadFile(stacks[0]); err != nil || !strings.Contains(string(b), "worker.TestDumps") {
		t.Errorf("the dump of stacks does not have this test: %v\n%.500s", err, b)
	}
	if b, err := os.ReadFile(heaps[0]); err != nil || !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		t.Errorf("the heap profile is not compressed: %v %.10x", err, b)
	}
	if r.p.follow(here, nil) || len(r.p.finished()) != 0 {
		t.Error("what the plan does not name any more is still told")
	}
}

// A recording that has a time ends by itself; its request is done then.
func TestTimedProfile(t *testing.T) {
	r := newRig(t)
	r.do(action(1, stormrpc.ProfileAction_JPROFILE_STOP, time.Now().Add(100*time.Millisecond)))
	if got := r.files("cpu-*.bin"); len(got) != 1 {
		t.Fatalf("profiles %v", got)
	}
}

func TestProfileInSteps(t *testing.T) {
	r := newRig(t)
	start := action(1, stormrpc.ProfileAction_JPROFILE_START, time.Time{})
	r.do(start)
	dump := action(2, stormrpc.ProfileAction_JPROFILE_DUMP, time.Time{})
	r.do(start, dump)
	if got := r.files("cpu-*.bin"); len(got) != 1 {
		t.Fatalf("profiles after a dump: %v", got)
	}
	far := action(3, stormrpc.ProfileAction_JPROFILE_STOP, time.Now().Add(1000*time.Hour))
	r.p.follow(here, []*stormrpc.WorkerAction{far})
	stop := action(4, stormrpc.ProfileAction_JPROFILE_STOP, time.Now().Add(-time.Second)) // takes its place, as at Nimbus
	r.do(stop)
	if got := r.files("cpu-*.bin"); len(got) != 2 {
		t.Fatalf("profiles after the end: %v", got)
	}
	for i, a := range []stormrpc.ProfileAction{stormrpc.ProfileAction_JPROFILE_STOP, stormrpc.ProfileAction_JPROFILE_DUMP} {
		r.do(action(int64(10+i), a, time.Time{}))
		if !r.said("action=" + a.String() + ` err="no profile is being recorded"`) {
			t.Errorf("%v without a recording: the log has\n%s", a, r.log.b)
		}
	}
	// The end of the worker is the end of a recording.
	r.do(action(20, stormrpc.ProfileAction_JPROFILE_START, time.Time{}))
	r.end()
	if got := r.files("cpu-*.bin"); len(got) != 3 {
		t.Errorf("profiles after the worker's end: %v", got)
	}
}

// A restart comes when Nimbus has taken note of it, and not before.
func TestRestartIsAskedForOnce(t *testing.T) {
	r := newRig(t)
	restart := action(1, stormrpc.ProfileAction_JVM_RESTART, time.Time{})
	if r.p.follow(here, []*stormrpc.WorkerAction{restart}) {
		t.Fatal("restarts before it told so")
	}
	await(t, "the restart is told", func() bool { return len(r.p.finished()) == 1 })
	if r.p.follow(here, []*stormrpc.WorkerAction{restart}) {
		t.Error("restarts while the plan names it")
	}
	if !r.p.follow(here, nil) {
		t.Error("does not restart")
	}
	if r.p.follow(here, nil) {
		t.Error("restarts twice")
	}
}

// Old dumps give way, other files do not.
func TestOldDumpsGiveWay(t *testing.T) {
	r := newRig(t)
	for i := range maxDumps + 3 {
		name := filepath.Join(r.dir, fmt.Sprintf("jstack-7-20260101T0000%02d.000000.txt", i))
		must(t, os.WriteFile(name, nil, 0o600))
		when := time.Now().Add(time.Duration(i-1000) * time.Minute)
		must(t, os.Chtimes(name, when, when))
	}
	must(t, os.WriteFile(filepath.Join(r.dir, "worker.log"), nil, 0o600))
	r.do(action(1, stormrpc.ProfileAction_JMAP_DUMP, time.Time{}))
	await(t, "old dumps are gone", func() bool { return len(r.files("*-*")) == maxDumps })
	if len(r.files("heap-*")) != 1 || len(r.files("worker.log")) != 1 || len(r.files("*T000003*")) != 0 || len(r.files("*T000004*")) != 1 {
		t.Errorf("left are %v", r.files("*"))
	}
}

func TestDumpThatCannotBeWritten(t *testing.T) {
	r := newRig(t)
	r.p.dir = filepath.Join(r.dir, "none")
	r.do(action(1, stormrpc.ProfileAction_JSTACK_DUMP, time.Time{}))
	if !r.said("profiling action was not carried out") {
		t.Errorf("the log has\n%s", r.log.b)
	}
}

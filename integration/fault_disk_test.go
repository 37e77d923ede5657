package integration

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/dynamic"
)

// smallDisk is the size of the disk that is filled, stateDir a folder on it. Nothing else of this machine's is filled.
const (
	smallDisk = 64 << 20
	stateDir  = "state"
)

// startOnSmallDisk starts one more supervisor, with its state, its workers' folders and their logs on a disk of its own.
func startOnSmallDisk(t *testing.T, r *faultRig) *chaos.Node {
	t.Helper()
	n, err := r.c.AddSupervisor()
	if err == nil {
		err = r.c.SmallDisk(n, smallDisk)
	}
	if err == nil {
		err = r.c.Start(n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err == nil {
		err = r.c.Registered(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// 13. The disk of a node is full, and workers there are killed, so that the next ones have to be started without room. What
// cannot start there is told, starts elsewhere or once there is room; state written before is whole. Of the topology that counts exactly once,
// counters there have their state on that disk too, and begin anew from a checkpoint when it cannot be written.
func fullDisk(f *faultRun) {
	n := startOnSmallDisk(f.T, f.faultRig)
	f.Cleanup(func() {
		if n.Running() {
			f.harm(chaos.Fault{Kind: chaos.KillNode, Node: n.Name}) // for good: its disk ends with it
		}
	})
	f.moveTo(n)
	nodes := len(f.c.Supervisors()) // a worker and a counter on each
	o, _ := f.beingEdited(dynamic.Submission{PadBytes: 2 << 10, Keys: 4000, Counters: nodes, Conf: map[string]any{
		"topology.workers": nodes, "gearstorm.state.dir": filepath.Join(n.Local, stateDir), "gearstorm.state.memory.mb": 1,
	}})
	waitFor(f.T, time.Minute, "state on the small disk", func() bool {
		files, _ := filepath.Glob(filepath.Join(n.Inside(), stateDir, "*", "db", "*.sst"))
		return len(files) > 0
	})
	f.again()
	free, err := n.Fill()
	f.must("fill the disk", err)
	held, kills, next := 8*time.Second, 0, time.Now()
	if f.long {
		held = time.Minute
	}
	for full := time.Now(); time.Since(full) < held; time.Sleep(10 * time.Millisecond) {
		_, err := n.Fill() // what the end of a worker gave back
		f.must("keep the disk full", err)
		workers, err := n.Workers()
		f.must("list workers", err)
		if len(workers) > 0 && time.Now().After(next) {
			next = time.Now().Add(2 * time.Second)
			f.must("kill a worker", workers[kills%len(workers)].Signal(syscall.SIGKILL))
			kills++
		}
	}
	f.Logf("%d workers killed", kills)
	f.Logf("%.0f a second while the disk was full", f.w.RateBetween(f.m.Began(), time.Now().Add(-200*time.Millisecond)))
	if !n.Running() {
		f.result.Failf("the supervisor ended on a full disk")
	}
	f.must("free the disk", free())
	freed := time.Now()
	f.end(freed, 20*time.Second)
	o.wentOn(freed, 20*time.Second)
	f.wholeState(n)
}

// moveTo kills the supervisor of another node, so that its work moves to the new one, and starts it again.
func (f *faultRun) moveTo(n *chaos.Node) {
	for _, other := range f.c.Supervisors() {
		if other == n {
			continue
		}
		ws, err := other.Workers()
		f.must("list workers", err)
		if len(ws) == 0 {
			continue
		}
		heal := f.harm(chaos.Fault{Kind: chaos.KillNode, Node: other.Name})
		waitFor(f.T, 60*time.Second, "workers elsewhere", func() bool { return len(f.workers()) >= rigSupervisors })
		here, err := n.Workers()
		f.must("list workers", err)
		heal()
		f.must("all supervisors", f.c.Registered(f.ctx))
		if len(here) > 0 {
			return
		}
	}
	f.Fatal("no worker came to the node with the small disk")
}

// wholeState looks for what a write without room leaves: a temporary file, or an empty one in the place of a record.
func (f *faultRun) wholeState(n *chaos.Node) {
	state := filepath.Join(n.Inside(), "supervisor", "supervisor")
	waitFor(f.T, 20*time.Second, "records without rests", func() bool {
		whole := true
		f.must("walk the state", filepath.WalkDir(state, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() == "lock" {
				return nil // gone meanwhile, or no record
			}
			info, err := d.Info()
			if err == nil && (info.Size() == 0 || strings.HasSuffix(path, ".tmp")) {
				whole = false
			}
			return nil
		}))
		return whole
	})
}

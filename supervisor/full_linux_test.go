package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gearstorm/gearstorm/internal/testdisk"
)

// fill takes all that is left of a disk and gives what lets go of it.
func fill(t *testing.T, disk string) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return func() {
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullDisk(t *testing.T) {
	disk := testdisk.Small(t, "8m")
	if disk == "" {
		return
	}
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir, func(c *Config) { c.LocalDir = filepath.Join(disk, "local") })
	one, two := s.Ports()[0], s.Ports()[1]
	n.submit("a-1-1", "good", s.NodeID(), one)
	worker, pid := n.ready("a-1-1", one)
	n.submit("b-2-2", "good", s.NodeID(), two)
	n.ready("b-2-2", two)
	eventually(t, "room is set aside", func() bool {
		st, err := os.Stat(s.disk.path("reserve"))
		return err == nil && st.Size() == reserveBytes
	})

	// A plan finds room on a full disk, so what fills it can be taken away.
	free := fill(t, disk)
	n.remove("b-2-2")
	n.until("it is gone", func() bool { return n.workers[int32(two)] == nil })

	// Once that is gone as well plans wait and what runs goes on.
	free()
	if err := os.Remove(s.disk.path("reserve")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	free = fill(t, disk)
	n.submit("c-3-3", "good", s.NodeID(), two)
	n.hears("a-1-1", "cannot keep plan on disk", "no space left")
	if w := n.worker(one); w == nil || w.WorkerID != worker || !alive(pid) {
		t.Errorf("worker %v", w)
	}
	// The next worker has the room of the last one's record, and its own is complete as soon as there is room.
	sendSignal(t, pid, syscall.SIGKILL)
	n.until("another worker is ready", func() bool { w := n.workers[int32(one)]; return w != nil && w.Ready && w.WorkerID != worker })
	if rec, _ := s.disk.workers(); rec[one].Process != nil {
		t.Errorf("record on a full disk: %v", rec[one])
	}
	free()
	n.ready("c-3-3", two)
	eventually(t, "the record is complete", func() bool { rec, _ := s.disk.workers(); return rec[one].Process != nil })
	if dirs, err := os.ReadDir(filepath.Join(disk, "local", "workers")); err != nil || len(dirs) != 2 {
		t.Errorf("directories of workers: %v, %v", dirs, err)
	}
	if left, err := filepath.Glob(filepath.Join(disk, "local", "supervisor", "*.tmp")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// A worker that was launched without room for its record is taken over by the next supervisor: while the disk is full, and
// once there was room.
func TestRestartAfterFullDisk(t *testing.T) {
	dir := testdisk.Small(t, "8m")
	if dir == "" {
		return
	}
	n := newFakeNimbus(t)
	r := remote{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(t.TempDir(), "logs"), Nimbus: n.addr, Ports: []int{0, 0}}
	p := startProcess(t, r)
	port, records := p.ports[0], disk{dir: filepath.Join(r.LocalDir, "supervisor")}
	complete := func() bool { rec, _ := records.workers(); return rec[port].Process != nil }
	n.submit("a-1-1", "good", p.node, port)
	first, pid := n.ready("a-1-1", port)
	eventually(t, "room is set aside", func() bool {
		st, err := os.Stat(records.path("reserve"))
		return err == nil && st.Size() == reserveBytes
	})
	free := fill(t, dir)
	sendSignal(t, pid, syscall.SIGKILL)
	n.until("another worker is ready", func() bool { w := n.workers[int32(port)]; return w != nil && w.Ready && w.WorkerID != first })
	if complete() {
		t.Error("the record is complete on a full disk")
	}
	worker, pid := n.ready("a-1-1", port)
	restart := func(when string) {
		t.Helper()
		p.kill()
		n.mu.Lock()
		clear(n.workers)
		n.mu.Unlock()
		p = startProcess(t, r)
		if w, now := n.ready("a-1-1", port); w != worker || now != pid || !alive(pid) {
			t.Errorf("%s: worker %s (%d), was %s (%d)", when, w, now, worker, pid)
		}
	}
	restart("while the disk is full")
	free()
	eventually(t, "the record is complete", complete)
	restart("once there was room")
	n.remove("a-1-1")
	eventually(t, "the worker is gone", func() bool { return !alive(pid) })
	p.terminate(t)
}

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/exact"
)

// damages are what can happen to the files of a checkpoint.
var damages = []struct {
	what, kind string
	do         func(f *os.File, size int64, at func(int64) int64) error
}{
	{"a bit of a task's file flipped", "files", flipBit},
	{"a task's file cut", "files", cutFile},
	{"a task's file gone", "files", nil},
	{"a bit of the manifest flipped", "manifests", flipBit},
	{"the manifest cut", "manifests", cutFile},
	{"the manifest gone", "manifests", nil},
	{"a bit of the record flipped", "log", flipBit},
	{"the record cut", "log", cutFile},
}

func flipBit(f *os.File, size int64, at func(int64) int64) error {
	var b [1]byte
	where := at(size)
	if _, err := f.ReadAt(b[:], where); err != nil {
		return err
	}
	b[0] ^= 1 << at(8)
	_, err := f.WriteAt(b[:], where)
	return err
}

func cutFile(f *os.File, size int64, at func(int64) int64) error { return f.Truncate(at(size)) }

// 15. A bit of the newest checkpoint is flipped, or one of its files is cut or gone, when all workers die. The topology goes back to the
// one before, and every record counts once: at odd damages the newest one counts in the log and nothing of it is visible yet; at
// even ones it is visible, and the sink takes it back. CI's length has a few damages at random.
func damagedCheckpoint(f *faultRun) {
	dir := f.TempDir()
	o := f.once(exact.Topology{Sinks: 1, Keys: 4000, Rewind: true}, "file://"+dir, nil)
	for _, i := range f.some(len(damages), 3) {
		d := damages[i]
		o.rested()
		hidden := i%2 == 1
		if hidden {
			o.must("stop before a checkpoint is visible", o.topo.Halt(exact.BeforeEffect))
			o.halted()
		}
		workers := o.workers()
		for _, w := range workers {
			o.must("stop a worker", w.Signal(syscall.SIGSTOP))
		}
		stopped(o.T, workers)
		counted, _ := counting(o.log())
		if len(counted) < 2 {
			o.Fatalf("checkpoints that count: %v", counted)
		}
		newest, before := counted[len(counted)-1], counted[len(counted)-2]
		path := filepath.Join(dir, o.partOf(d.kind, newest))
		o.must("damage "+path, o.damage(path, d.do))
		taken := o.takenBack("records-")
		began := time.Now()
		o.stop(workers...)
		if hidden {
			o.must("forget who stood still", o.topo.Release())
		}
		o.recovered(began)
		base := o.baseAfter(newest)
		o.Logf("%s: checkpoint %d instead of %d, records after %.1fs", d.what, base, newest, time.Since(began).Seconds())
		if base != before {
			o.result.Failf("%s: the topology went back to checkpoint %d, the one before %d is %d", d.what, base, newest, before)
		}
		if now := o.takenBack("records-"); hidden && now != taken {
			o.result.Failf("%s: %d files were taken back, and nothing was visible", d.what, now-taken)
		}
	}
	o.end()
}

// halted waits until a task stands still and returns its process.
func (o *onceRun) halted() (pid int) {
	o.Helper()
	waitFor(o.T, time.Minute, "a task to stand still", func() bool {
		var err error
		pid, err = o.topo.Halted()
		o.must("look who stands still", err)
		return pid != 0
	})
	return pid
}

// stopped waits until no thread of the workers runs.
func stopped(t *testing.T, workers []chaos.Worker) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		running := func(w chaos.Worker) bool {
			threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", w.Pid))
			return slices.ContainsFunc(threads, func(path string) bool {
				b, err := os.ReadFile(path)
				_, state, _ := strings.Cut(string(b), ") ")
				return err == nil && !strings.HasPrefix(state, "T")
			})
		}
		if !slices.ContainsFunc(workers, running) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("workers that were stopped still run")
		}
	}
}

// partOf is the name of something of a checkpoint that belongs to no other one.
func (o *onceRun) partOf(kind string, epoch uint64) string {
	o.Helper()
	number := epoch
	if kind == "log" {
		i := slices.IndexFunc(o.log(), func(r checkpoint.Record) bool { return r.Kind == checkpoint.Commits && r.Epoch == epoch })
		number = o.log()[i].Number
	}
	for _, x := range o.objects(kind) {
		if strings.HasPrefix(filepath.Base(x.Name), fmt.Sprintf("%020d", number)) {
			return x.Name
		}
	}
	o.Fatalf("checkpoint %d has nothing among %s", epoch, kind)
	return ""
}

// damage does it to a file, or removes the file.
func (o *onceRun) damage(path string, do func(*os.File, int64, func(int64) int64) error) error {
	if do == nil {
		return os.Remove(path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return do(f, info.Size(), o.random.Int64N)
}

// baseAfter is the checkpoint with which the last generation began of those before the next checkpoint that counts after epoch.
func (o *onceRun) baseAfter(epoch uint64) (base uint64) {
	o.Helper()
	for _, r := range o.log() {
		if r.Kind == checkpoint.Commits && r.Epoch > epoch {
			break
		}
		if r.Kind == checkpoint.Begins {
			base = r.Epoch
		}
	}
	return base
}

// takenBack counts the files of a kind that were.
func (o *onceRun) takenBack(kind string) (n int) {
	o.Helper()
	names, err := o.topo.Rewound()
	o.must("list what was taken back", err)
	for _, name := range names {
		if strings.HasPrefix(name, kind) {
			n++
		}
	}
	return n
}

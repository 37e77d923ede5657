package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/testdisk"
)

// timed is a Store with entries and with timers, which are in memory always.
type timed struct {
	*Store
	values *Value[string, string]
	timers *Timers[string]
}

func newTimed(t *testing.T, cfg Config) *timed {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	lim := defaultLimits
	lim.segment, lim.tail, lim.inline = 20_000, 1000, 300
	s.lim, s.chain.lim = lim, lim
	k := &timed{s, NewValue(s, "large", Strings[string](), Codec[string](Strings[string]())), NewTimers(s, "timers", Strings[string]())}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

const timedKeys = 2000

// savedTimed is what a Store on disk has written in some checkpoints, with deletions, and what is in it.
func savedTimed(t *testing.T) (part gearcore.Part, vault *memVault, want map[string]string) {
	k := newTimed(t, Config{Name: "before", Dir: t.TempDir(), Memory: 60_000})
	vault, want = newVault(), map[string]string{}
	for epoch := range 4 {
		for i := epoch; i < timedKeys; i += 1 + 2*epoch {
			key := benchKey(i)
			if epoch > 0 && i%5 == 0 {
				k.values.Delete(key)
				k.timers.Delete(key, int64(i))
				delete(want, key)
			} else {
				want[key] = fmt.Sprint(i, " ", epoch)
				k.values.Set(key, want[key])
				k.timers.Set(key, int64(i))
			}
			if err := k.Trim(); err != nil {
				t.Fatal(err)
			}
		}
		part, _, _ = save(t, k.Store, uint64(epoch+1), vault)
		k.Commit(uint64(epoch + 1))
	}
	return part, vault, want
}

// restore restores task i of n.
func (k *timed) restore(t *testing.T, part gearcore.Part, vault gearcore.Vault, i, n int) {
	t.Helper()
	r := recovery(part, vault)
	r.Index, r.Tasks = i, n
	r.First, r.Last = gearcore.KeyGroupRange(i, n)
	if err := k.Restore(r); err != nil {
		t.Fatal(err)
	}
}

// check counts what is there, all of which has to be in want.
func (k *timed) check(t *testing.T, want map[string]string) (found int) {
	t.Helper()
	k.values.Each(func(key, x string) bool {
		if y, ok := k.values.Get(key); !ok || x != y || want[key] != x {
			t.Fatalf("%s is %q, and %q by its key, want %q", key, x, y, want[key])
		}
		found++
		return true
	})
	due := 0
	for key, at, ok := k.timers.Take(timedKeys); ok; key, at, ok = k.timers.Take(timedKeys) {
		if want[key] == "" || benchKey(int(at)) != key {
			t.Fatalf("a timer of %s at %d", key, at)
		}
		due++
	}
	if due != found {
		t.Fatalf("%d timers for %d entries", due, found)
	}
	return found
}

// TestSortedSegments restores what a Store on disk has written, onto disks and into memory, into one task and several, and what that one writes then.
func TestSortedSegments(t *testing.T) {
	part, vault, want := savedTimed(t)
	if len(part.Files) < 8 {
		t.Fatalf("%d files", len(part.Files))
	}
	for _, memory := range []int64{0, 10_000} {
		for _, tasks := range []int{1, 3, 7} {
			found, again := 0, 0
			for i := range tasks {
				cfg := Config{Name: "after", Memory: memory}
				if memory > 0 {
					cfg.Dir = t.TempDir()
				}
				k := newTimed(t, cfg)
				k.restore(t, part, vault, i, tasks)
				if onDisk := k.disk != nil; onDisk != (memory > 0) {
					t.Fatalf("it is on disk: %v", onDisk)
				}
				next, _, _ := save(t, k.Store, 2, vault)
				found += k.check(t, want)
				twice := newTimed(t, cfg)
				twice.restore(t, next, vault, i, tasks)
				again += twice.check(t, want)
			}
			if found != len(want) || again != len(want) {
				t.Fatalf("%d tasks: %d entries, and then %d, want %d", tasks, found, again, len(want))
			}
		}
	}
}

// TestSortedSegmentsAreTakenInAsTheyAre: nothing is written again where a task has all groups of a file, and its tables are what they were.
func TestSortedSegmentsAreTakenInAsTheyAre(t *testing.T) {
	part, vault, _ := savedTimed(t)
	same := func(t *testing.T, s *Store, i, n int) (as, made int) {
		r := recovery(part, vault)
		r.Index, r.Tasks = i, n
		r.First, r.Last = gearcore.KeyGroupRange(i, n)
		if err := s.clear(r); err != nil {
			t.Fatal(err)
		}
		sources, err := s.sources(r)
		if err != nil {
			t.Fatal(err)
		}
		d, err := openDisk(s.cfg.Dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.release()
		for i, src := range sources {
			p, err := s.prepare(context.Background(), d, vault, src, i)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range p.files {
				if _, err := os.Stat(f); err != nil {
					t.Error(err)
				}
				if f == d.restored(i, 0) {
					as++
				} else {
					made++
				}
			}
		}
		return as, made
	}
	cfg := func() Config { return Config{Name: "after", Dir: t.TempDir(), Memory: 10_000} }
	if as, made := same(t, newTimed(t, cfg()).Store, 0, 1); as < 8 || made > 1 {
		t.Errorf("of one task: %d files as they are, %d made", as, made)
	}
	if as, made := same(t, newTimed(t, cfg()).Store, 1, 3); as == 0 || made == 0 {
		t.Errorf("of three: %d files as they are, %d made", as, made)
	}
	other := cfg()
	other.Forget = []string{"timers"}
	s, _ := large(t, other)
	if as, made := same(t, s, 0, 1); as > 0 || made < 8 {
		t.Errorf("with a handle less: %d files as they are, %d made", as, made)
	}
}

// TestDiskFullInRestore: a Restore that fills the disk fails, and the same Store can be restored once there is room.
func TestDiskFullInRestore(t *testing.T) {
	disk := testdisk.Small(t, "8m")
	if disk == "" {
		return
	}
	for _, onDisk := range []bool{false, true} {
		part, vault := savedLarge(t, 20_000, onDisk)
		s, v := large(t, Config{Name: "c[1]", Dir: filepath.Join(disk, "state"), Memory: 300_000})
		filler := filepath.Join(disk, "filler")
		if err := os.WriteFile(filler, make([]byte, 7<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.Restore(recovery(part, vault))
		if err == nil || !strings.Contains(err.Error(), syscall.ENOSPC.Error()) || errors.Is(err, ErrCorrupt) {
			t.Fatalf("restored onto a full disk: %v", err)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		if err := s.Restore(recovery(part, vault)); err != nil || s.Err() != nil || s.disk == nil {
			t.Fatalf("restored once there is room: %v, %v", err, s.Err())
		}
		for _, i := range []int{0, 9, 19_999} {
			if x, ok := v.Get(benchKey(i)); !ok || x != text(i) {
				t.Errorf("entry %d is %q", i, x)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(filepath.Join(disk, "state")); err != nil || len(left) > 0 {
			t.Errorf("%v is left, %v", left, err)
		}
	}
}

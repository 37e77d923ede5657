package worker

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestGCPercentKeepsTheFloor(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		name        string
		live, floor int64
		want        int
	}{
		{"nothing alive", 0, 128 * mb, 3200},
		{"small", 16 * mb, 128 * mb, 800},
		{"as large as the floor", 128 * mb, 128 * mb, 100},
		{"larger", 1 << 30, 128 * mb, 100},
		{"small limit", 0, 16 * mb, 400},
	} {
		if got := gcPercent(c.live, c.floor); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if heapFloor(256*mb) != 64*mb || heapFloor(math.MaxInt64) != 128*mb {
		t.Errorf("floors are %d and %d", heapFloor(256*mb), heapFloor(math.MaxInt64))
	}
}

func TestTuneMemoryFollowsTheLiveHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	limitBefore := debug.SetMemoryLimit(-1)
	restore := tuneMemory(2 << 30)
	defer restore()
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	if p, l := percent(), debug.SetMemoryLimit(-1); p != 3200 || l != (2<<30)/10*9 {
		t.Errorf("at the start GOGC is %d and the limit %d", p, l)
	}
	live := make([]byte, 64<<20)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		if p := percent(); p > 100 && p < 220 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("with 64 MiB alive GOGC stays %d", p)
		}
	}
	runtime.KeepAlive(live)
	restore()
	if p, l := percent(), debug.SetMemoryLimit(-1); p != 100 || l != limitBefore {
		t.Errorf("at the end GOGC is %d and the limit %d", p, l)
	}
}

// A heap that is said to grow is not collected on the way, and is again when it has.
func TestHeapGrows(t *testing.T) {
	const mb = 1 << 20
	if p := growthPercent(100*mb, 250*mb); p != 250 {
		t.Errorf("250 more than 100 are %d percent", p)
	}
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	heapGrows(512 * mb) // nothing is tuned: nothing happens
	restore := tuneMemory(4 << 30)
	defer restore()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	heapGrows(512 * mb)
	var kept [][]byte
	for range 200 {
		kept = append(kept, make([]byte, 2*mb))
	}
	runtime.ReadMemStats(&after)
	// One may have been under way, and floors of 128 MiB would make two and more of 400.
	if n := after.NumGC - before.NumGC; n > 1 {
		t.Errorf("%d collections while it grew", n)
	}
	runtime.KeepAlive(kept)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		tuned.Load().mu.Lock()
		growth := tuned.Load().growth
		tuned.Load().mu.Unlock()
		if growth < mb {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still expected", growth)
		}
	}
}

func TestFreeMemory(t *testing.T) {
	for text, want := range map[string]int64{"MemTotal: 5 kB\nMemAvailable:    7 kB\n": 7 << 10, "MemAvailable: x kB\n": 0, "MemAvailable: -7 kB\n": 0, "": 0} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, "proc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "proc", "meminfo"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := freeMemory(root); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if freeMemory(t.TempDir()) != 0 {
		t.Error("without a file something is free")
	}
}

func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, math.MaxInt64},
		{"v2", map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000\n"}, 1000},
		{"v2 without a limit", map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, math.MaxInt64},
		{"v2, the parent is narrower", map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000", "sys/fs/cgroup/a/memory.max": "500"}, 500},
		{"v2 in a container", map[string]string{"proc/self/cgroup": "0::/../x\n", "sys/fs/cgroup/memory.max": "700"}, 700},
		{"v1", map[string]string{"proc/self/cgroup": "5:cpu:/x\n4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "2000"}, 2000},
		{"v1 without a limit", map[string]string{"proc/self/cgroup": "4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712"}, math.MaxInt64},
		{"nonsense", map[string]string{"proc/self/cgroup": "x\n0::/a\n", "sys/fs/cgroup/a/memory.max": "-3"}, math.MaxInt64},
	} {
		root := t.TempDir()
		for name, text := range c.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := memoryLimit(root); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

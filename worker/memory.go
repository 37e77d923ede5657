package worker

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Memory. A worker makes garbage at the rate of its tuples around a live heap that may be tiny, so Go's rule (collect
// when the heap has doubled) would collect hundreds of times a second. The worker therefore lets the heap grow by at
// least heapFloor before it is collected: the smaller of 128 MiB and a quarter of the memory the worker may use. When
// there is a limit, the collector also works harder near nine tenths of it (Go's memory limit), unless GOMEMLIMIT says
// otherwise; GOGC in the environment switches the floor off. State that is taken up from a checkpoint is as large in the end as it was, so
// nothing is collected while the heap grows towards it (heapGrows).
const (
	maxHeapFloor = 128 << 20
	minGCPercent = 100
	maxGCPercent = 3200 // Go's least heap goal is 4 MiB of GOGC 100: this makes it 128 MiB
)

// heapFloor returns by how much the heap may grow at least before it is collected.
func heapFloor(limit int64) int64 { return min(maxHeapFloor, limit/4) }

// gcPercent returns the GOGC that lets a live heap grow by floor, but never less than Go's default.
func gcPercent(live, floor int64) int {
	live = max(live, minHeap)
	return int(min(max(100*floor/live, minGCPercent), maxGCPercent))
}

// minHeap is what Go takes a live heap to be at least, in bytes, where it applies a percentage.
const minHeap = 4 << 20

// TuneMemory sets the collector of this process up for a worker, within what its control groups allow: what Main does,
// for programs that run a Local. The returned function puts the old settings back.
func TuneMemory() (restore func()) { return tuneMemory(memoryLimit("/")) }

// tuneMemory sets the collector up for limit bytes (math.MaxInt64: none) and follows the live heap from then on: a
// finalizer runs after each collection and sets the percentage for the next. The returned function ends that and puts
// the old settings back.
func tuneMemory(limit int64) (restore func()) {
	floor := heapFloor(limit)
	oldLimit := debug.SetMemoryLimit(-1)
	if limit < math.MaxInt64 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
	if os.Getenv("GOGC") != "" {
		return func() { debug.SetMemoryLimit(oldLimit) }
	}
	t := &tuner{floor: floor, percent: gcPercent(0, floor), limit: limit}
	oldPercent := debug.SetGCPercent(t.percent)
	t.arm()
	tuned.Store(t)
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.stopped.Store(true)
		tuned.CompareAndSwap(t, nil)
		debug.SetGCPercent(oldPercent)
		debug.SetMemoryLimit(oldLimit)
	})
}

type tuner struct {
	floor, limit int64
	stopped      atomic.Bool

	mu      sync.Mutex
	percent int   // guarded by mu: what was set last
	growth  int64 // guarded by mu: by how many bytes the live heap is expected to grow
	live    int64 // guarded by mu: what it was when that was said, or at the last collection since
}

// tuned is the one of this process, nil if there is none.
var tuned atomic.Pointer[tuner]

// heapGrows says that about so many bytes are about to be taken and kept. Until the heap has grown by that, and by what others said, it is not
// collected, as far as half of the memory that there is allows.
func heapGrows(bytes int64) {
	if t := tuned.Load(); t != nil {
		t.grow(bytes)
	}
}

func (t *tuner) grow(bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	live, ok := liveHeap()
	if t.stopped.Load() || !ok {
		return
	}
	room := min(t.limit, freeMemory("/")) / 2
	t.growth, t.live = min(t.growth+min(max(bytes, 0), room), room), live
	if p := growthPercent(live, t.growth); p > t.percent {
		t.percent = p
		debug.SetGCPercent(p)
	}
}

// growthPercent returns the GOGC that lets a live heap grow by bytes.
func growthPercent(live, bytes int64) int {
	return int(min(float64(bytes)/float64(max(live, minHeap))*100, math.MaxInt32))
}

// liveHeap is what was alive at the last collection.
func liveHeap() (bytes int64, ok bool) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0, false
	}
	return int64(sample[0].Value.Uint64()), true
}

// mark is garbage from the moment it is made.
type mark struct{ _ [16]byte }

func (t *tuner) arm() { runtime.SetFinalizer(new(mark), func(*mark) { t.collected() }) }

// collected follows a collection. Setting the percentage stops the world for a moment, so small changes are let be.
func (t *tuner) collected() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped.Load() {
		return
	}
	if live, ok := liveHeap(); ok {
		t.growth = max(t.growth-max(live-t.live, 0), 0) / 2 // what does not come is not waited for
		t.live = live
		p := max(gcPercent(live, t.floor), growthPercent(live, t.growth))
		if d := p - t.percent; d > t.percent/8 || -d > t.percent/8 {
			t.percent = p
			debug.SetGCPercent(p)
		}
	}
	t.arm()
}

// memoryLimit returns what the control groups of this process allow, math.MaxInt64 if nothing limits it. root is
// where the file system is mounted, "/" but in tests.
func memoryLimit(root string) int64 {
	limit := int64(math.MaxInt64)
	data, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return limit
	}
	for line := range strings.Lines(string(data)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		base, file := "", ""
		switch {
		case part[0] == "0" && part[1] == "":
			base, file = "sys/fs/cgroup", "memory.max"
		case strings.Contains(","+part[1]+",", ",memory,"):
			base, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		// A group's parents bind it too; inside a container the path may not exist, the mount's own root then counts.
		for dir := filepath.Clean("/" + part[2]); ; dir = filepath.Dir(dir) {
			limit = min(limit, readLimit(filepath.Join(root, base, dir, file)))
			if dir == "/" {
				break
			}
		}
	}
	return limit
}

// freeMemory is what the machine has left, 0 if nothing says so. root is as for memoryLimit.
func freeMemory(root string) int64 {
	data, err := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemAvailable:" && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil || n < 0 || n > 1<<50 {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// readLimit reads one limit. Control groups v1 say "none" with a number just below the largest.
func readLimit(path string) int64 {
	data, err := os.ReadFile(path)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n <= 0 || n > 1<<60 {
		return math.MaxInt64
	}
	return n
}

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"
)

// publishEvery is how many tuples apart a task publishes its counts: a power of two, the same in Probe.java.
const publishEvery = 64

// What the listener asks.
const (
	askCounts = '?'
	askMemory = 'm' // the same after a collection
	askBegin  = 'b' // the same, and where the processor's time goes from now on, Go only
	askEnd    = 'e' // the same, and write that down
)

// reading is what a process answers when it is asked, here and in Java. Nimbus and supervisor are in none of these figures.
type reading struct {
	PID        int            `json:"pid"`
	Components map[string]int `json:"components"` // the tasks here, by component
	At         int64          `json:"at"`         // when this was read, in ns since 1970
	First      int64          `json:"first"`      // when the first tuple reached a sink here; 0: none yet
	Emitted    int64          `json:"emitted"`    // by sources
	Acked      int64          `json:"acked"`      // at sources
	Failed     int64          `json:"failed"`     // at sources
	Commits    int64          `json:"commits"`    // checkpoints that counted, Go only
	Tuples     int64          `json:"tuples"`     // that reached sinks
	Sum        int64          `json:"sum"`        // of their bytes, where they are read
	Latency    histogram      `json:"latency"`
	Mallocs    int64          `json:"mallocs"` // Go only
	Memory     int64          `json:"memory"`  // bytes of heap and stacks in use since before the topology was made, Go only
}

// tally is what one task counts. The task alone writes.
type tally struct {
	emitted, acked, failed, commits, tuples, sum atomic.Int64
}

// arrived publishes a sink's counts.
func (t *tally) arrived(n, sum int64) {
	t.sum.Store(sum)
	if t.tuples.Swap(n) == 0 {
		probe.first.CompareAndSwap(0, time.Now().UnixNano())
	}
}

// probe is this process's side: one for all tasks, whatever engine they belong to.
var probe struct {
	base    int64  // bytes in use before the topology was made
	profile string // where profiles go
	first   atomic.Int64
	timings timings

	mu         sync.Mutex
	conn       net.Conn // nil before the first task joined
	components map[string]int
	tallies    []*tally
}

// join registers a task with the probe of its process, which the first one connects to the listener.
func (s *shape) join(component string) (*tally, error) {
	probe.mu.Lock()
	defer probe.mu.Unlock()
	if probe.conn == nil {
		c, err := net.Dial("unix", s.Listener)
		if err != nil {
			return nil, fmt.Errorf("connect the probe: %w", err)
		}
		probe.conn, probe.components, probe.profile = c, map[string]int{}, s.Profile
		go answer(c)
	}
	t := &tally{}
	probe.components[component]++
	probe.tallies = append(probe.tallies, t)
	return t, nil
}

// answer sends a reading for every byte that comes in, until the other side closes.
func answer(c net.Conn) {
	defer c.Close()
	out, ask := json.NewEncoder(c), make([]byte, 1)
	for {
		if _, err := c.Read(ask); err != nil {
			return
		}
		switch ask[0] {
		case askMemory:
			runtime.GC()
		case askBegin:
			beginProfile()
		case askEnd:
			pprof.StopCPUProfile()
		}
		if err := out.Encode(read()); err != nil {
			return
		}
	}
}

// beginProfile starts a profile of this process. Without one the figures are as good, so an error only says so.
func beginProfile() {
	f, err := os.Create(fmt.Sprintf("%s.%d.pprof", probe.profile, os.Getpid()))
	if err == nil {
		err = pprof.StartCPUProfile(f) // until the process ends or askEnd comes; the file is then closed with the process
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: profile:", err)
	}
}

func read() reading {
	r := reading{PID: os.Getpid(), First: probe.first.Load(), Components: map[string]int{}, Latency: probe.timings.read()}
	probe.mu.Lock()
	for name, n := range probe.components {
		r.Components[name] = n
	}
	for _, t := range probe.tallies {
		r.Emitted += t.emitted.Load()
		r.Acked += t.acked.Load()
		r.Failed += t.failed.Load()
		r.Commits += t.commits.Load()
		r.Tuples += t.tuples.Load()
		r.Sum += t.sum.Load()
	}
	probe.mu.Unlock()
	r.At = time.Now().UnixNano()
	var used int64
	r.Mallocs, used = memory()
	r.Memory = used - probe.base
	return r
}

// memory returns how many objects the program has allocated, and the bytes it holds: live and not yet collected objects, and
// stacks. It does not stop the program, as runtime.ReadMemStats does.
func memory() (mallocs, used int64) {
	m := []metrics.Sample{
		{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(m)
	for i := range m {
		if n := int64(m[i].Value.Uint64()); i < 2 {
			mallocs += n
		} else {
			used += n
		}
	}
	return mallocs, used
}

// setBase remembers what is in use before anything was made.
func setBase() {
	runtime.GC()
	_, probe.base = memory()
}

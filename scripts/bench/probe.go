package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// publishEvery is how many tuples apart a sink publishes its count: a power of two.
const publishEvery = 64

// reading is what a process answers when it is asked. Nimbus and supervisor are in none of these figures.
type reading struct {
	PID        int
	Components []string // with a task here, one entry a task
	Tuples     int64    // that reached the sinks here
	First      int64    // when the first of them did, in ns since 1970; 0: none yet
	At         int64    // when this was read
	Mallocs    uint64
	CPU        int64 // ns of this process
	Children   int64 // ns of its children, without those of theirs that have ended
}

// tally is the count of one sink's task.
type tally struct{ n atomic.Int64 }

func (t *tally) publish(n int64) {
	if t.n.Swap(n) == 0 {
		probe.first.CompareAndSwap(0, time.Now().UnixNano())
	}
}

// probe is this process's side: one for all tasks, whatever engine they belong to.
var probe struct {
	first atomic.Int64

	mu         sync.Mutex
	conn       net.Conn // nil before the first task joined
	components []string
	tallies    []*tally
}

// join registers a task with the probe of its process, which the first one connects to the listener at address.
func join(address, component string) (*tally, error) {
	probe.mu.Lock()
	defer probe.mu.Unlock()
	if probe.conn == nil {
		c, err := net.Dial("unix", address)
		if err != nil {
			return nil, fmt.Errorf("connect the probe: %w", err)
		}
		probe.conn = c
		go answer(c)
	}
	t := &tally{}
	probe.components = append(probe.components, component)
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
		if err := out.Encode(read()); err != nil {
			return
		}
	}
}

func read() reading {
	r := reading{PID: os.Getpid(), First: probe.first.Load()}
	probe.mu.Lock()
	r.Components = append(r.Components, probe.components...)
	for _, t := range probe.tallies {
		r.Tuples += t.n.Load()
	}
	probe.mu.Unlock()
	r.At = time.Now().UnixNano()
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		r.CPU = usage.Utime.Nano() + usage.Stime.Nano()
	}
	r.Children = childrenCPU(r.PID)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.Mallocs = m.Mallocs
	return r
}

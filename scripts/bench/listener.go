package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// listener is where the probes of all processes report.
type listener struct {
	dir string
	l   net.Listener

	mu    sync.Mutex
	conns []net.Conn
}

// listen opens a listener on a socket in a folder of its own.
func listen() (*listener, error) {
	dir, err := os.MkdirTemp("", "gearstorm-bench-")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", filepath.Join(dir, "probe"))
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	b := &listener{dir: dir, l: l}
	go b.accept() // until close
	return b, nil
}

func (l *listener) address() string { return l.l.Addr().String() }

func (l *listener) close() {
	l.l.Close()
	l.forget()
	os.RemoveAll(l.dir)
}

func (l *listener) accept() {
	for {
		c, err := l.l.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	}
}

// forget closes the connections of all processes so far.
func (l *listener) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// read asks all processes that are connected. What is askCounts or askMemory.
func (l *listener) read(what byte) ([]reading, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []reading
	for _, c := range l.conns {
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write([]byte{what}); err != nil {
			return nil, fmt.Errorf("ask a probe: %w", err)
		}
		line, err := bufio.NewReader(c).ReadBytes('\n')
		if err != nil {
			return nil, fmt.Errorf("read a probe: %w", err)
		}
		var r reading
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("read a probe: %w", err)
		}
		all = append(all, r)
	}
	return all, nil
}

// total adds up what the processes of one topology say. Its clock and names are of no process.
func total(all []reading) reading {
	t := reading{Latency: histogram{}}
	for _, r := range all {
		t.Emitted += r.Emitted
		t.Acked += r.Acked
		t.Failed += r.Failed
		t.Commits += r.Commits
		t.Tuples += r.Tuples
		t.Sum += r.Sum
		t.Mallocs += r.Mallocs
		t.Memory += r.Memory
		if r.First != 0 && (t.First == 0 || r.First < t.First) {
			t.First = r.First
		}
		for b, n := range r.Latency {
			t.Latency[b] += n
		}
	}
	return t
}

// tasks counts the tasks that reported.
func tasks(all []reading) (n int) {
	for _, r := range all {
		for _, k := range r.Components {
			n += k
		}
	}
	return n
}

// places says which components each process has, sorted: "a-source c-sink", "b-middle".
func places(all []reading) (out []string) {
	for _, r := range all {
		out = append(out, strings.Join(slices.Sorted(maps.Keys(r.Components)), " "))
	}
	slices.Sort(out)
	return out
}

// perSecond is how fast a count grew between two readings of the same processes, each by its own clock.
func perSecond(from, to []reading, count func(*reading) int64) (rate float64) {
	for i := range to {
		for j := range from {
			if d := count(&to[i]) - count(&from[j]); from[j].PID == to[i].PID && d > 0 {
				rate += float64(d) / (float64(to[i].At-from[j].At) / 1e9)
			}
		}
	}
	return rate
}

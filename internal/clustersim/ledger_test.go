package clustersim

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// ledger is the world outside of the cluster: where the spouts take their roots from, and what the sinks have seen. It
// outlives all processes, and takes nothing from one that was killed.
type ledger struct {
	w     *world
	paths []string // every way from a spout to a sink, by the names of what lies on it
	began time.Time

	mu       sync.Mutex
	sources  []*source
	attempts []*attempt
	tasks    map[string]int // fields grouping: edge and key -> task
	failed   int
}

const (
	messageTimeout = 12 * time.Second
	// swiftly is what an attempt may take whose worker was killed, several times perhaps.
	swiftly = messageTimeout - 2*time.Second
)

// source is what one task of a spout has to emit, as a queue outside of the cluster: what was taken and not acked is
// given out again when whoever took it is gone, or when somebody opens the queue anew.
type source struct {
	name  string // of the component
	gap   time.Duration
	total int
	next  int              // first root that was never emitted
	open  map[int]*attempt // roots emitted and not acked, with their last attempt; nil: to be emitted again
}

// attempt is one emission of a root.
type attempt struct {
	id      int
	source  *source
	root    int
	by      *simSpout
	at      time.Time
	settled string
	refused bool           // a bolt failed it
	seen    map[string]int // by path
}

func (l *ledger) addSource(name string, total int, gap time.Duration) int {
	l.sources = append(l.sources, &source{name: name, total: total, gap: gap, open: map[int]*attempt{}})
	return len(l.sources) - 1
}

// opened is told by a new incarnation of a source's task.
func (l *ledger) opened(s *source, by *simSpout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !by.p.alive() {
		return
	}
	for root := range s.open {
		s.open[root] = nil
	}
}

// emit gives the next root that is due, as an attempt; nil if none is.
func (l *ledger) emit(s *source, by *simSpout) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !by.p.alive() {
		return nil
	}
	root, again := s.againLocked()
	switch {
	case again:
	case s.next < s.total && time.Since(l.began) >= time.Duration(s.next/4*4)*s.gap:
		root = s.next
		s.next++
	default:
		return nil
	}
	a := &attempt{id: len(l.attempts), source: s, root: root, by: by, at: time.Now(), seen: map[string]int{}}
	s.open[root] = a
	l.attempts = append(l.attempts, a)
	return a
}

// againLocked finds the first root that is to be emitted again.
func (s *source) againLocked() (root int, ok bool) {
	for r, a := range s.open {
		if (a == nil || !a.by.p.alive()) && (!ok || r < root) {
			root, ok = r, true
		}
	}
	return root, ok
}

// acked is told by a spout.
func (l *ledger) acked(id int, by *simSpout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.settleLocked(id, by, "acked")
	if a == nil {
		return
	}
	for _, p := range l.paths {
		if pathSource(p) == a.source.name && a.seen[p] == 0 {
			l.w.journal.wrong("attempt %d (root %d of %s) is acked, but %s has not seen it", id, a.root, a.source.name, p)
		}
	}
	delete(a.source.open, a.root)
}

// failedAt is told by a spout.
func (l *ledger) failedAt(id int, by *simSpout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.settleLocked(id, by, "failed")
	if a == nil {
		return
	}
	l.failed++
	if l.w.bug.loseRoot && l.failed == 2 {
		return
	}
	if a.source.open[a.root] == a {
		a.source.open[a.root] = nil
	}
}

func (l *ledger) settleLocked(id int, by *simSpout, how string) *attempt {
	if !by.p.alive() {
		return nil
	}
	a := l.attempts[id]
	if a.by != by {
		l.w.journal.wrong("attempt %d of worker %.8s is %s at worker %.8s", id, a.by.p.spec.Worker, how, by.p.spec.Worker)
		return nil
	}
	if a.settled != "" {
		l.w.journal.wrong("attempt %d (root %d of %s) is %s after it was %s", id, a.root, a.source.name, how, a.settled)
		return nil
	}
	a.settled = how
	if took := time.Since(a.at); l.w.swift && took > swiftly {
		l.w.journal.wrong("attempt %d (root %d of %s) is %s after %v though nothing was out of reach", id, a.root, a.source.name, how, took)
	}
	return a
}

// delivered is told by a sink.
func (l *ledger) delivered(id int, path string, by *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !by.alive() {
		return
	}
	a := l.attempts[id]
	if a.seen[path]++; a.seen[path] > 1 {
		l.w.journal.wrong("attempt %d (root %d of %s) comes %d times by %s", id, a.root, a.source.name, a.seen[path], path)
	}
	if !slices.Contains(l.paths, path) {
		l.w.journal.wrong("attempt %d comes by %s, which is no way", id, path)
	}
}

// grouped is told by a task with an input that is grouped by key: equal keys go to one task.
func (l *ledger) grouped(edge, key string, task int, by *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !by.alive() {
		return
	}
	if had, ok := l.tasks[edge+" "+key]; ok && had != task {
		l.w.journal.wrong("key %s of %s goes to task %d after task %d", key, edge, task, had)
	}
	l.tasks[edge+" "+key] = task
}

// complete says whether every root was emitted and acked.
func (l *ledger) complete() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sources {
		if s.next < s.total || len(s.open) > 0 {
			return false
		}
	}
	return true
}

// refused is told by a bolt that is about to fail a tuple.
func (l *ledger) refused(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts[id].refused = true
}

// lostOnTheWay is how many attempts failed by themselves.
func (l *ledger) lostOnTheWay() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.attempts {
		if a.settled == "failed" && !a.refused {
			n++
		}
	}
	return n
}

// report adds up what went through.
func (l *ledger) report(t *totals) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Attempts, t.Failed = len(l.attempts), l.failed
}

// String says how far it is.
func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%d attempts, %d failed", len(l.attempts), l.failed)
	for _, s := range l.sources {
		text += fmt.Sprintf("; %s: %d of %d emitted, open %v", s.name, s.next, s.total, keysOf(s.open))
	}
	return text
}

func keysOf[V any](m map[int]V) (out []int) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

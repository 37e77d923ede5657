package supervisor

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

const (
	// systemComponent is whom complaints of the node are filed under: Storm's component for what is no user's.
	systemComponent = "__system"

	maxErrorBytes       = 8 << 10
	maxComponentBytes   = 255
	maxErrorsPerReport  = 100 // taken from one report of a worker
	maxErrorsPerSlot    = 100 // waiting for Nimbus; the oldest give way
	maxSlotsWithErrors  = 1000
	reportOverheadBytes = 64 << 10 // left free in a request for all but the workers
)

// errorKey is a topology in a slot.
type errorKey struct {
	topology string
	port     int
}

// reports is what the workers of this node said last and the errors that Nimbus has not taken yet.
type reports struct {
	now func() time.Time

	mu     sync.Mutex
	live   map[int]heard // by port
	errors map[errorKey][]numbered
	number uint64 // of the newest error
	turn   int    // port from which the next report begins
}

// numbered is an error with a number that grows.
type numbered struct {
	number uint64
	err    *stormrpc.WorkerError
}

// heard is one worker's last report, without its errors.
type heard struct {
	report *stormrpc.WorkerReport
	size   int // encoded, or a little more
	stats  int // of it, at most what its statistics take
}

func newReports(now func() time.Time) *reports {
	return &reports{now: now, live: map[int]heard{}, errors: map[errorKey][]numbered{}}
}

// hear takes a worker's report and keeps it. One without statistics leaves those that the worker told before.
func (r *reports) hear(w *stormrpc.WorkerReport) error {
	errs := w.Errors
	kept := *w
	kept.Errors = nil
	data, err := wire.Marshal(&kept)
	if err != nil {
		return err
	}
	h := heard{report: &kept, size: len(data), stats: len(data)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if was := r.live[int(w.Port)]; len(w.ExecutorStats) == 0 && was.report != nil && was.report.WorkerID == w.WorkerID {
		kept.ExecutorStats = was.report.ExecutorStats // still the last ones
		h.size, h.stats = h.size+was.stats, was.stats
	}
	r.live[int(w.Port)] = h
	for _, e := range errs[:min(len(errs), maxErrorsPerReport)] {
		if e != nil {
			r.addLocked(errorKey{w.TopologyID, int(w.Port)}, e)
		}
	}
	return nil
}

// complain files an error of the node itself.
func (r *reports) complain(topology string, port int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addLocked(errorKey{topology, port}, &stormrpc.WorkerError{Component: systemComponent, Message: text, TimeMs: r.now().UnixMilli()})
}

func (r *reports) addLocked(k errorKey, e *stormrpc.WorkerError) {
	list, known := r.errors[k]
	if !known && len(r.errors) >= maxSlotsWithErrors {
		return
	}
	bounded := *e
	bounded.Component, bounded.Message = cut(e.Component, maxComponentBytes), cut(e.Message, maxErrorBytes)
	if len(list) >= maxErrorsPerSlot {
		list = list[1:]
	}
	r.number++
	r.errors[k] = append(list, numbered{r.number, &bounded})
}

// cut shortens text to at most n bytes of valid UTF-8.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// forget drops what a slot's worker said: it is gone.
func (r *reports) forget(port int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, port)
}

// batch is one report to Nimbus: its workers, and the errors in it to settle when Nimbus has taken it.
type batch struct {
	workers []*stormrpc.WorkerReport
	sent    map[errorKey]uint64 // number of the last one
	// more says that not all workers found place.
	more bool
}

// take makes a batch of at most budget bytes. Workers that find no place come first the next time; one that is too large by
// itself goes without its statistics and links.
func (r *reports) take(budget int) batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := batch{sent: map[errorKey]uint64{}}
	budget = max(budget-reportOverheadBytes, reportOverheadBytes)
	left := budget
	for _, port := range r.portsLocked() {
		h := r.live[port]
		report := *h.report
		if h.size > budget {
			report.Links = nil
			report.ExecutorStats, h.size = []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}, 1<<10
		}
		if h.size > left {
			b.more, r.turn = true, port
			break
		}
		left -= h.size
		k := errorKey{report.TopologyID, port}
		report.Errors, b.sent[k], left = fit(r.errors[k], left)
		b.workers = append(b.workers, &report)
	}
	for k, errs := range r.errors {
		if _, has := b.sent[k]; has || r.live[k.port].report != nil && r.live[k.port].report.TopologyID == k.topology {
			continue // with its worker, now or next time
		}
		fitting, last, rest := fit(errs, left)
		if len(fitting) == 0 {
			continue
		}
		b.sent[k], left = last, rest
		// No worker stands behind this report: an empty worker id says so.
		b.workers = append(b.workers, &stormrpc.WorkerReport{TopologyID: k.topology, Port: int32(k.port), TimeMs: r.now().UnixMilli(),
			ExecutorStats: []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}, Errors: fitting})
	}
	return b
}

// portsLocked lists live ports beginning with turn.
func (r *reports) portsLocked() []int {
	ports := slices.Sorted(maps.Keys(r.live))
	i, _ := slices.BinarySearch(ports, r.turn)
	return slices.Concat(ports[i:], ports[:i])
}

// fit gives the first errors that fit into left bytes, the number of the last of them, and what is left then.
func fit(errs []numbered, left int) ([]*stormrpc.WorkerError, uint64, int) {
	const overhead = 64
	var out []*stormrpc.WorkerError
	last := uint64(0)
	for _, e := range errs {
		size := len(e.err.Component) + len(e.err.Message) + overhead
		if size > left || len(out) == maxErrorsPerReport {
			break
		}
		left -= size
		out, last = append(out, e.err), e.number
	}
	return out, last, left
}

// taken settles a batch that Nimbus has taken.
func (r *reports) taken(b batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, last := range b.sent {
		left := slices.DeleteFunc(r.errors[k], func(e numbered) bool { return e.number <= last })
		if len(left) == 0 {
			delete(r.errors, k)
			continue
		}
		r.errors[k] = left
	}
}

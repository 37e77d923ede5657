package supervisor

import (
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

const (
	// systemComponent is whom complaints of the node are filed under: Storm's component for what is no user's.
	systemComponent = "__system"

	maxErrorBytes       = 8 << 10
	maxMarkBytes        = 1 << 10
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
	marks  map[int]mark
	stir   chan struct{} // closed with the next report of a worker, nil while nobody waits
}

// mark is what the node itself knows of a slot's worker.
type mark struct {
	suspicion string // "" for none
	restarts  int
	lastExit  string
}

// numbered is an error with a number that grows.
type numbered struct {
	number uint64
	err    *stormrpc.WorkerError
}

// heard is one worker's last report, without its errors.
type heard struct {
	report *stormrpc.WorkerReport
	usage  *stormrpc.WorkerUsage // what the node has seen it use last, nil before; never changed
	size   int                   // encoded, or a little more
	stats  int                   // of it, at most what its statistics take
}

func newReports(now func() time.Time) *reports {
	return &reports{now: now, live: map[int]heard{}, errors: map[errorKey][]numbered{}, marks: map[int]mark{}}
}

// mark says what goes up with the reports of a slot's worker from now on.
func (r *reports) mark(port int, m mark) {
	m.suspicion, m.lastExit = cut(m.suspicion, maxMarkBytes), cut(m.lastExit, maxMarkBytes)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks[port] = m
}

// expect has a worker that runs and has not reported to this supervisor go up as one that is not ready, so that Nimbus
// knows at once that it lives.
func (r *reports) expect(w *stormrpc.WorkerReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.live[int(w.Port)]; h.report == nil || h.report.WorkerID != w.WorkerID {
		r.live[int(w.Port)] = heard{report: w, size: 1 << 10}
	}
}

// use says what a worker has been seen to use. It goes up once the worker has reported.
func (r *reports) use(port int, worker string, u isolate.Usage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.live[port]
	if !ok || h.report.WorkerID != worker || u == (isolate.Usage{}) {
		return
	}
	h.usage = &stormrpc.WorkerUsage{MemoryBytes: u.MemoryBytes, MemoryLimitBytes: u.MemoryLimitBytes,
		CPUUs: (u.CPUUser + u.CPUSystem).Microseconds(), ThrottledUs: u.Throttled.Microseconds()}
	r.live[port] = h
}

// ready tells whether a worker has its links up and its tasks opened.
func (r *reports) ready(port int, worker string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.live[port]
	return h.report != nil && h.report.WorkerID == worker && h.report.Ready
}

// atWork tells whether a slot's worker has said that all tasks are at work as a plan has them; of another worker's tasks only that with the
// topology's clock knows.
func (r *reports) atWork(port int, plan *stormrpc.TopologyPlan) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.live[port].report
	return w != nil && w.TopologyID == plan.TopologyID && w.AssignmentID == plan.AssignmentID && w.GetDagVersion() == plan.DagVersion && w.GetAtWork() &&
		(w.Timing == nil || w.Timing.GetDagVersion() == plan.DagVersion)
}

// next is closed with the next report of any worker.
func (r *reports) next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stir == nil {
		r.stir = make(chan struct{})
	}
	return r.stir
}

// hear takes a worker's report and keeps it. One without statistics leaves those that the worker told before.
func (r *reports) hear(w *stormrpc.WorkerReport) error {
	errs := w.Errors
	kept := *w
	kept.Errors, kept.Token, kept.Suspect, kept.Restarts, kept.LastExit, kept.Usage = nil, nil, nil, nil, nil, nil
	data, err := wire.Marshal(&kept)
	if err != nil {
		return err
	}
	h := heard{report: &kept, size: len(data), stats: len(data)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if was := r.live[int(w.Port)]; was.report != nil && was.report.WorkerID == w.WorkerID {
		h.usage = was.usage
		if len(w.ExecutorStats) == 0 {
			kept.ExecutorStats = was.report.ExecutorStats // still the last ones
			h.size, h.stats = h.size+was.stats, was.stats
		}
	}
	r.live[int(w.Port)] = h
	if r.stir != nil {
		close(r.stir)
		r.stir = nil
	}
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
// itself goes without its statistics and links. A brief one is without them for all, so that thousands find place: Nimbus
// that does not know the node yet has to hear of every worker at once.
func (r *reports) take(budget int, brief bool) batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := batch{sent: map[errorKey]uint64{}}
	budget = max(budget-reportOverheadBytes, reportOverheadBytes)
	left := budget
	for _, port := range r.portsLocked() {
		h := r.live[port]
		report := *h.report
		if brief || h.size > budget {
			report.Links, report.Timing = nil, nil
			report.ExecutorStats, h.size = []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}, 1<<10
		}
		h.size += r.marks[port].put(&report)
		report.Usage = h.usage
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
		report := &stormrpc.WorkerReport{TopologyID: k.topology, Port: int32(k.port), TimeMs: r.now().UnixMilli(),
			ExecutorStats: []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}, Errors: fitting}
		left -= r.marks[k.port].put(report)
		b.workers = append(b.workers, report)
	}
	return b
}

// put adds a mark to a report and gives what it takes at most, with a usage.
func (m mark) put(r *stormrpc.WorkerReport) int {
	if m.suspicion != "" {
		r.Suspect = &m.suspicion
	}
	if m.restarts > 0 {
		n := int32(min(m.restarts, math.MaxInt32))
		r.Restarts = &n
	}
	if m.lastExit != "" {
		r.LastExit = &m.lastExit
	}
	return len(m.suspicion) + len(m.lastExit) + 128
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

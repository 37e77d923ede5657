package engine

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// book is a ledger whose roots tuples of this process may hold: of a local spout executor, or of a link's receiving end.
// It is immutable. RootEdge.Edge and, in results, Ack.Val name it.
type book struct {
	id     uint64 // serial number, then place in books; no id is used twice
	counts *ackers.Counts
	spout  *executor            // who is told how roots ended,
	owner  func([]gearcore.Ack) // or this
}

// books finds them without a lock.
type books struct {
	all atomic.Pointer[[]*book] // by place; nil where one was closed

	mu     sync.Mutex
	serial uint32 // guarded by mu
	vacant []int  // guarded by mu: places of closed books
}

func (s *books) open(b *book) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*book
	if old := s.all.Load(); old != nil {
		all = *old
	}
	at := len(all)
	if n := len(s.vacant); n > 0 {
		at, s.vacant = s.vacant[n-1], s.vacant[:n-1]
		all = slices.Clone(all)
	} else {
		all = append(all, nil) // beyond what readers of the former slice can see
	}
	s.serial++
	b.id = uint64(s.serial)<<32 | uint64(at)
	all[at] = b
	s.all.Store(&all)
}

func (s *books) close(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(id) != nil {
		all := slices.Clone(*s.all.Load())
		all[uint32(id)] = nil
		s.all.Store(&all)
		s.vacant = append(s.vacant, int(uint32(id)))
	}
}

// find returns the book with that id, nil if it is closed.
func (s *books) find(id uint64) *book {
	if all := s.all.Load(); all != nil && uint64(uint32(id)) < uint64(len(*all)) {
		if b := (*all)[uint32(id)]; b != nil && b.id == id {
			return b
		}
	}
	return nil
}

// bookOf returns the book with that id, nil if it is closed; x remembers the last one.
func (x *executor) bookOf(id uint64) *book {
	if b := x.lastBook; b != nil && b.id == id {
		return b
	}
	b := x.e.books.find(id)
	if b != nil {
		x.lastBook = b
	}
	return b
}

// OpenBook makes counts, whose roots come with tuples from outside, known to the engine and returns the number of the
// book, which gearcore.RootEdge.Edge must have for them. owner is told how they end or that they are to be young again
// (AckDone, AckFail, AckReset), in batches, from executors' runs and from Settle; it may not block, keep the slice or
// call Settle. A root may be reported more than once.
func (e *Engine) OpenBook(counts *ackers.Counts, owner func([]gearcore.Ack)) uint64 {
	b := &book{counts: counts, owner: owner}
	e.books.open(b)
	return b.id
}

// CloseBook ends a book: tuples that still hold roots of it are not tracked there any more. Its owner may be called for a
// moment longer.
func (e *Engine) CloseBook(id uint64) { e.books.close(id) }

// Settle says for tuples that left this process how they ended: each of acks gives one reference to Ack.Root of book
// Ack.Val back (AckDone), fails the tree (AckFail) or starts its timeout again (AckReset). acks is not kept.
func (e *Engine) Settle(acks []gearcore.Ack) {
	s := e.settler()
	var b *book
	var r *report // of b
	for i := range acks {
		a := &acks[i]
		if r == nil || b.id != a.Val {
			if b = e.books.find(a.Val); b == nil {
				r = nil
				continue
			}
			r = s.of(b, nil)
		}
		if a.Op != gearcore.AckDone || b.counts.Release(a.Root) {
			r.add(a.Root, 1, a.Op)
		}
	}
	s.tell()
	e.mu.Lock()
	e.settlers = append(e.settlers, s)
	e.mu.Unlock()
}

// settler returns reports that nobody else uses.
func (e *Engine) settler() *reports {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.settlers)
	if n == 0 {
		return &reports{pool: e.pool}
	}
	s := e.settlers[n-1]
	e.settlers = e.settlers[:n-1]
	return s
}

// reports collects what owners are to be told, by the place of their book.
type reports struct {
	pool  *pool
	all   []*report
	dirty []*report
}

// report is what one owner is to be told. It belongs to who fills it.
type report struct {
	in   *reports
	book *book
	by   *executor // whose run fills it; nil: none does
	cur  *gearcore.Batch
	n    int // roots in cur
}

// of returns the report for the owner of b.
func (s *reports) of(b *book, by *executor) *report {
	at := int(uint32(b.id))
	for len(s.all) <= at {
		s.all = append(s.all, nil)
	}
	r := s.all[at]
	if r == nil || r.book != b {
		r = &report{in: s, book: b, by: by}
		s.all[at] = r
	}
	return r
}

// report returns the report for the owner of b.
func (x *executor) report(b *book) *report {
	if at := int(uint32(b.id)); at < len(x.reports.all) {
		if r := x.reports.all[at]; r != nil && r.book == b {
			return r
		}
	}
	return x.reports.of(b, x)
}

// tellOwners reports op for each of roots.
func (x *executor) tellOwners(roots []gearcore.RootEdge, op gearcore.AckOp) {
	for i := range roots {
		if b := x.bookOf(roots[i].Edge); b != nil {
			x.report(b).add(roots[i].Root, 1, op)
		}
	}
}

// add reports op for n roots that follow each other.
func (r *report) add(root uint64, n int, op gearcore.AckOp) {
	for n > 0 {
		if r.cur == nil {
			r.begin()
		}
		k := 1
		if r.book.spout != nil {
			k = min(n, maxAcksPerBatch-r.n)
		}
		r.put(root, k, op)
		if r.n += k; r.n >= maxAcksPerBatch {
			r.send()
		}
		root += uint64(k)
		n -= k
	}
}

func (r *report) put(root uint64, n int, op gearcore.AckOp) {
	b := r.cur
	at := len(b.Acks)
	if at > 0 && r.book.spout != nil {
		if last := &b.Acks[at-1]; last.Op == op && last.Root+uint64(last.More)+1 == root {
			last.More += uint16(n)
			return
		}
	}
	if at == cap(b.Acks) {
		b.Acks = append(b.Acks, gearcore.Ack{})
	} else {
		b.Acks = b.Acks[:at+1]
	}
	a := &b.Acks[at] // field by field, where it is, as gearcore.Batch does with rows
	a.Root, a.Val, a.Spout, a.More, a.Op = root, r.book.id, 0, uint16(n-1), op
}

func (r *report) begin() {
	b := r.in.pool.results()
	b.Done = r.in.pool.doneResults
	r.cur, r.n = b, 0
	r.in.dirty = append(r.in.dirty, r)
}

// send tells the owner.
func (r *report) send() {
	b := r.cur
	r.cur = nil
	if to := r.book.spout; to != nil {
		b.Target = to.first
		to.deliver(b, r.by)
		return
	}
	r.book.owner(b.Acks)
	r.in.pool.putResults(b)
}

// tellAll tells all owners of roots what the run of x has to tell.
func (x *executor) tellAll() {
	x.giveBack()
	x.reports.tell()
}

// tell tells all owners what there is to tell.
func (s *reports) tell() {
	if len(s.dirty) == 0 {
		return
	}
	for i, r := range s.dirty {
		if r.cur != nil {
			r.send()
		}
		s.dirty[i] = nil
	}
	s.dirty = s.dirty[:0]
}

package transport

import (
	"encoding/binary"
	"sync"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// How trees are followed between workers. Nothing about a tree travels with a row but that it has one. The sending link
// keeps the references that the row holds (dues); the receiving session opens a root of its own for it (proxies) and
// sends back how that ended: result frames, which go the other way on the same connection, never wait for credit, are
// numbered, and are told again after a break until the sender has confirmed them.

// Tracker is the engine's side of it: the books of this process.
type Tracker interface {
	// OpenBook makes the roots of counts known and returns the number of their book. owner is told how they end; it may
	// be called from any goroutine, does not block and does not call Settle.
	OpenBook(counts *ackers.Counts, owner func([]gearcore.Ack)) (book uint64)
	CloseBook(book uint64)
	// Settle gives references back (AckDone), fails trees or makes them young. acks is not kept.
	Settle(acks []gearcore.Ack)
}

// dues is the sending end: the rows that the peer has not settled.
type dues struct {
	t *Transport

	mu      sync.Mutex
	out     ackers.Outstanding // guarded by mu
	results uint64             // guarded by mu: number of the last result frame taken
	news    int                // guarded by mu: results taken since the last confirmation

	acks []gearcore.Ack // scratch of the goroutine that reads results
}

// confirmAfter is how many results are taken before the peer is told.
const confirmAfter = 1024

// sent notes that the rows from to before to of b, but for those in bad, are in the frame seq.
func (d *dues) sent(seq uint64, b *gearcore.Batch, from, to int, bad []rejected) {
	if len(b.Roots) == 0 || d.t.cfg.Tracker == nil {
		return
	}
	var left func(int) bool
	if len(bad) > 0 {
		left = func(row int) bool {
			for i := range bad {
				if bad[i].row == row {
					return true
				}
			}
			return false
		}
	}
	d.mu.Lock()
	d.out.Sent(seq, b, from, to, left)
	d.mu.Unlock()
}

// take takes one result frame and leaves what it means in d.acks, until told.
func (d *dues) take(body []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	number, err := resultNumber(body)
	if err != nil || number <= d.results {
		return err // told twice
	}
	if number != d.results+1 {
		return badFrame("results number %d after %d", number, d.results)
	}
	n, err := parseResults(body, func(r ackers.Result) { d.acks = d.out.Settle(r, d.acks) })
	if err != nil {
		return err
	}
	d.results = number
	d.news += n
	return nil
}

// tell passes on what was taken.
func (d *dues) tell() {
	if len(d.acks) > 0 {
		d.t.cfg.Tracker.Settle(d.acks)
		d.acks = d.acks[:0]
	}
}

// confirms reports whether it is time for a confirmation.
func (d *dues) confirms() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.news >= confirmAfter
}

// confirmation returns the frame to send, if it is time to; always says that it is, if there is anything new.
func (d *dues) confirmation(buf []byte, always bool) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.news < confirmAfter && (!always || d.news == 0) {
		return buf
	}
	d.news = 0
	return appendConfirm(buf, d.results)
}

// greeting is the confirmation that every connection begins with.
func (d *dues) greeting(buf []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.news = 0
	return appendConfirm(buf, d.results)
}

// none reports whether nothing is due.
func (d *dues) none() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.Len() == 0
}

// fail fails all that is due: the peer is lost.
func (d *dues) fail() {
	d.mu.Lock()
	acks := d.out.Fail(nil)
	d.mu.Unlock()
	if len(acks) > 0 {
		d.t.cfg.Tracker.Settle(acks)
	}
}

// failFrame fails the tracked rows of one frame, the first so many.
func (d *dues) failFrame(seq uint64, tracked int) {
	if d.t.cfg.Tracker == nil {
		return
	}
	var acks []gearcore.Ack
	d.mu.Lock()
	for page := 0; page*ackers.PageRows < tracked; page++ {
		acks = d.out.Settle(ackers.Result{Frame: seq, At: uint32(page), Failed: ^uint64(0)}, acks)
	}
	d.mu.Unlock()
	if len(acks) > 0 {
		d.t.cfg.Tracker.Settle(acks)
	}
}

// restart follows the start of a new session, whose results are numbered from 1.
func (d *dues) restart() {
	d.mu.Lock()
	d.results, d.news = 0, 0
	d.mu.Unlock()
	d.fail()
}

func (d *dues) rotate() {
	d.mu.Lock()
	d.out.Rotate()
	d.mu.Unlock()
}

// proxies is the receiving end: roots that stand for the trees of rows that came.
type proxies struct {
	t      *Transport
	signal func() // there is something to tell
	quick  func() // the same, and it is little

	mu      sync.Mutex
	set     ackers.Proxies // guarded by mu, but for its counts
	book    uint64         // guarded by mu: 0 until the first tracked row
	resumed bool           // guarded by mu: the sender has said on this connection what it has

	results []ackers.Result // scratch of the goroutine that writes
}

// open gives the tracked rows of b their roots.
func (p *proxies) open(b *gearcore.Batch) {
	if len(b.Roots) == 0 {
		return
	}
	if p.t.cfg.Tracker == nil {
		b.Untrack()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.book == 0 {
		p.book = p.t.cfg.Tracker.OpenBook(&p.set.Counts, p.settle)
	}
	p.set.Open(b.Seq, p.book, b.Roots)
}

// settle is told by executors how roots ended.
func (p *proxies) settle(acks []gearcore.Ack) {
	p.mu.Lock()
	for i := range acks {
		p.set.Settle(acks[i].Root, acks[i].Op)
	}
	p.mu.Unlock()
	if len(acks) <= quickResults {
		p.quick()
		return
	}
	p.signal()
}

// refuse fails the rows of b, which nobody will execute.
func (p *proxies) refuse(b *gearcore.Batch) {
	if len(b.Roots) == 0 {
		return
	}
	p.mu.Lock()
	for _, r := range b.Roots {
		p.set.Settle(r.Root, gearcore.AckFail)
	}
	p.mu.Unlock()
	p.signal()
}

// confirmed takes a confirmation of the sender. The first one of a connection says where to go on.
func (p *proxies) confirmed(number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.resumed {
		p.resumed = true
		p.set.Resume(number)
		p.signal()
		return
	}
	p.set.Confirm(number)
}

// disconnected says that what is told from now on waits for the next connection.
func (p *proxies) disconnected() {
	p.mu.Lock()
	p.resumed = false
	p.mu.Unlock()
}

// tell appends frames with all that is to be told.
func (p *proxies) tell(buf []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.resumed && p.set.Fresh() {
		var number uint64
		number, p.results = p.set.Next(p.results[:0], resultsPerFrame)
		buf = appendResults(buf, number, p.results)
	}
	return buf
}

func (p *proxies) rotate() {
	p.mu.Lock()
	p.set.Rotate()
	p.mu.Unlock()
}

// clear forgets all rows: the sender has failed them.
func (p *proxies) clear() {
	p.mu.Lock()
	p.set.Clear()
	p.mu.Unlock()
}

// close ends the book.
func (p *proxies) close() {
	p.mu.Lock()
	book := p.book
	p.book = 0
	p.set.Clear()
	p.mu.Unlock()
	if book != 0 {
		p.t.cfg.Tracker.CloseBook(book)
	}
}

// A result frame: type, 64-bit number, and results to its end: frame and place as varints, a byte that says which masks
// follow, the masks. A confirmation: type, 64-bit number.
const (
	resultsPerFrame = 256
	resultHeader    = 1 + 8
)

func appendResults(buf []byte, number uint64, rs []ackers.Result) []byte {
	at := len(buf)
	buf = append(buf, zeros[:frameHeader]...)
	buf = binary.LittleEndian.AppendUint64(append(buf, frameResults), number)
	for i := range rs {
		r := &rs[i]
		buf = binary.AppendUvarint(buf, r.Frame)
		buf = binary.AppendUvarint(buf, uint64(r.At))
		masks := len(buf)
		buf = append(buf, 0)
		for j, m := range [...]uint64{r.Done, r.Failed, r.Reset} {
			if m != 0 {
				buf[masks] |= 1 << j
				buf = binary.LittleEndian.AppendUint64(buf, m)
			}
		}
	}
	seal(buf, at)
	return buf
}

func resultNumber(body []byte) (uint64, error) {
	if len(body) < resultHeader || body[0] != frameResults && body[0] != frameConfirm {
		return 0, badFrame("%d bytes is no result frame", len(body))
	}
	return binary.LittleEndian.Uint64(body[1:]), nil
}

// parseResults calls f for every result of a result frame's body and returns how many there were. After an error some
// may have been called for.
func parseResults(body []byte, f func(ackers.Result)) (n int, err error) {
	if _, err := resultNumber(body); err != nil {
		return 0, err
	}
	r := codec.NewReader(body[resultHeader:], ErrFrame)
	for len(r.Rest) > 0 {
		res := ackers.Result{Frame: r.Uvarint()}
		at, masks := r.Uvarint(), r.Byte()
		if at > 1<<32-1 || masks == 0 || masks >= 1<<3 {
			r.Fail("a result at %d with masks %b", at, masks)
		}
		res.At = uint32(at)
		for j, m := range [...]*uint64{&res.Done, &res.Failed, &res.Reset} {
			if masks&(1<<j) != 0 {
				if *m = r.Uint64(); *m == 0 {
					r.Fail("a mask without a row")
				}
			}
		}
		if r.Err != nil {
			return n, r.Err
		}
		f(res)
		n++
	}
	return n, nil
}

func appendConfirm(buf []byte, number uint64) []byte {
	at := len(buf)
	buf = append(buf, zeros[:frameHeader]...)
	buf = binary.LittleEndian.AppendUint64(append(buf, frameConfirm), number)
	seal(buf, at)
	return buf
}

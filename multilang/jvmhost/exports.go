package jvmhost

import (
	"math/bits"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// Engine is what edges that stay in the Java process need of the engine; the engine's has the methods.
type Engine interface {
	OpenBook(*ackers.Counts, func([]gearcore.Ack)) uint64
	CloseBook(uint64)
}

// exports are the tuples that left Java while their trees stay there: the tree of such a tuple here begins with a root of
// its own, and Java is told how that ended by the number of the tuple. It belongs to one channel.
type exports struct {
	engine  Engine
	ch      *channel
	book    uint64
	timeout time.Duration // of messages; 0: none

	// Of the executor.
	last  uint64 // number of the newest tuple
	roots []gearcore.RootEdge
	batch gearcore.Batch // a row for each root, to anchor to
	aged  time.Time

	mu      sync.Mutex
	proxies ackers.Proxies      // guarded by mu
	told    map[uint64]*outcome // guarded by mu: by the number of the first tuple of a page
	age     int                 // guarded by mu
	results []ackers.Result     // guarded by mu
}

// outcome is what Java was told of a page of up to 64 tuples.
type outcome struct {
	told uint64
	left int // tuples that have not ended
	age  int
}

func newExports(e Engine, ch *channel, timeout time.Duration) *exports {
	x := &exports{engine: e, ch: ch, timeout: timeout, told: map[uint64]*outcome{}}
	x.book = e.OpenBook(&x.proxies.Counts, x.ended)
	return x
}

// open opens roots for the next n tuples.
func (x *exports) open(n int, now time.Time) {
	for len(x.roots) < n {
		x.roots = append(x.roots, gearcore.RootEdge{})
	}
	first := x.last + 1
	x.last += uint64(n)
	x.mu.Lock()
	if x.timeout > 0 && now.Sub(x.aged) > x.timeout {
		x.rotateLocked()
		x.aged = now
	}
	x.proxies.Open(first, x.book, x.roots[:n])
	for at := 0; at < n; at += ackers.PageRows {
		x.told[first+uint64(at)] = &outcome{left: min(n-at, ackers.PageRows), age: x.age}
	}
	x.mu.Unlock()
	x.batch.Rows, x.batch.Roots = x.batch.Rows[:0], x.batch.Roots[:0]
	for i := range n {
		x.batch.Append(0, 0, nil, x.roots[i:i+1])
		x.batch.Rows[i].Flags |= gearcore.RowSettled // no task's own: what is anchored to it counts at once
	}
}

// rotateLocked forgets what is older than any tree.
func (x *exports) rotateLocked() {
	const most = 4
	x.proxies.Rotate()
	x.age++
	for first, o := range x.told {
		if x.age-o.age > most {
			delete(x.told, first)
		}
	}
}

// tuple returns what tuple i of those that open was called for is anchored to.
func (x *exports) tuple(i int) gearcore.Tuple { return x.batch.Tuple(i) }

// sent gives back what held the root of tuple i until its receivers did.
func (x *exports) sent(i int) {
	if root := x.roots[i].Root; x.proxies.Release(root) {
		x.ended([]gearcore.Ack{{Root: root, Op: gearcore.AckDone}})
	}
}

// ended tells Java how trees ended. It is called by whoever ends them.
func (x *exports) ended(acks []gearcore.Ack) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range acks {
		x.proxies.Settle(acks[i].Root, acks[i].Op)
	}
	for {
		number, results := x.proxies.Next(x.results[:0], maxResults)
		if x.results = results; number == 0 {
			return
		}
		for i := range results {
			x.tellLocked(&results[i])
		}
		x.proxies.Confirm(number)
	}
}

// maxResults is how many results are looked at in one go.
const maxResults = 64

func (x *exports) tellLocked(r *ackers.Result) {
	first := r.Frame + uint64(r.At)*ackers.PageRows
	o := x.told[first]
	if o == nil {
		return
	}
	fresh := (r.Done | r.Failed) &^ o.told
	for all := fresh | r.Reset&^o.told; all != 0; all &= all - 1 {
		i := bits.TrailingZeros64(all)
		op := opReset
		switch bit := uint64(1) << i; {
		case r.Failed&bit != 0:
			op = opFail
		case r.Done&bit != 0:
			op = opAck
		}
		x.ch.ended(frameReturned, op, first+uint64(i))
	}
	if r.Reset&^o.told != 0 {
		o.age = x.age
	}
	o.told |= fresh
	if o.left -= bits.OnesCount64(fresh); o.left == 0 {
		delete(x.told, first)
	}
}

// close forgets all: Java is gone.
func (x *exports) close() { x.engine.CloseBook(x.book) }

package engine

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// outbox collects what one executor sends to one task: tuples of all streams, in order. It belongs to the
// sending executor's run, but for armed.
type outbox struct {
	x      *executor
	to     Outlet
	peer   *executor // the receiver, if it is local
	kin    *route    // the shuffle that all its tuples come from, nil if there are others
	next   *outbox   // of the executor, where it has few
	target gearcore.TaskID
	armed  atomic.Bool
	mixed  bool // there are others
	bound  bool // takes room: tuples of edges outside cycles
	remote bool
	reuse  bool // the receiver keeps nothing: batches come back
	dirty  bool // in x.dirty
	fused  bool // the receiver is fused with x
	room   bool // what the last Push said
	last   bool // the target is gone, or goes: this is of no use any more once it is empty

	cur     *gearcore.Batch // being filled
	bytes   int             // of cur
	full    batches         // filled, waiting for room, in order
	waiting int32           // length of full
	meagre  uint16          // hand-overs in a row below a quarter of limit
	sent    int             // tuples that left cur
	moved   time.Duration   // when a batch was handed over last
	since   time.Duration   // when the first of full began to wait, 0 if it only waits for the call to end

	// In a timed topology:
	told         gearcore.Watermark // the last one that went this way
	behind       uint64             // rows that have gone this way in the generation
	gate         *gate              // it may be closed for what comes
	behindMarker uint64             // behind this one

	limit int    // rows of a batch: doubles when handed over full, halves when long nearly empty
	waker func() // room is back; made when first armed
}

// toInbox is an outbox as the Outlet to the inbox of its peer.
type toInbox outbox

func (o *toInbox) Push(b *gearcore.Batch) bool { return o.peer.deliver(b, o.x) }
func (o *toInbox) HasRoom() bool               { return inlet{o.peer, o.x}.HasRoom() }
func (o *toInbox) Notify(wake func())          { inlet{o.peer, o.x}.Notify(wake) }

func newOutbox(x *executor, target gearcore.TaskID, bound bool) *outbox {
	o := &outbox{x: x, target: target, bound: bound, limit: minBatchRows, room: true, moved: x.now}
	o.lead()
	if bound {
		x.ways++
	}
	return o
}

// lead finds the way to the target.
func (o *outbox) lead() {
	x := o.x
	o.to, o.peer, o.remote, o.reuse, o.fused = nil, nil, false, false, false
	if to := x.e.executorOf(o.target); to != nil {
		o.to, o.peer, o.reuse = (*toInbox)(o), to, to.recycle
		if x.fusedTo == to {
			o.to, o.fused, o.limit = fusedInlet{inlet{to, x}}, true, fusedRows
			x.fused = o
		}
		return
	}
	o.remote, o.reuse = true, true
	if x.e.roster.Load().isGone(o.target) {
		o.to = heirs{x}
		return
	}
	if x.e.cfg.Remote != nil {
		o.to = x.e.cfg.Remote(o.target)
	}
	if o.to == nil {
		o.to = nowhere{}
	}
}

// cut lets go of the target.
func (o *outbox) cut() { o.to, o.peer = nowhere{}, nil }

// roomBack is told by the receiver, once for every arm.
func (o *outbox) roomBack() {
	o.armed.Store(false)
	o.x.wakeForRoom()
}

// nowhere swallows what has no way.
type nowhere struct{}

func (nowhere) Push(b *gearcore.Batch) bool { finish(b); return true }
func (nowhere) HasRoom() bool               { return true }
func (nowhere) Notify(wake func())          { wake() }

// add appends a tuple.
func (o *outbox) add(stream gearcore.StreamID, source gearcore.TaskID, vals []gearcore.Value, roots []gearcore.RootEdge) {
	if o.cur == nil {
		o.begin(len(vals))
	}
	b := o.cur
	b.Append(stream, source, vals, roots)
	o.bytes += 32 + 24*len(vals) + 16*len(roots)
	for i := range vals {
		o.bytes += vals[i].Weight()
	}
	if len(b.Rows) >= o.limit || o.bytes >= maxBatchBytes {
		if !o.fused {
			o.limit = min(2*o.limit, o.x.e.cfg.BatchRows)
			o.meagre = 0
		}
		o.seal()
	}
}

// begin makes the batch to fill, for rows of arity values.
func (o *outbox) begin(arity int) {
	var b *gearcore.Batch
	e := o.x.e
	if o.reuse {
		b = e.pool.rows(o.limit, arity)
		b.Done = e.pool.done
	} else {
		b = &gearcore.Batch{Rows: make([]gearcore.Row, 0, o.limit), Vals: make([]gearcore.Value, 0, o.limit*arity)}
	}
	o.enter(b)
}

// enter makes b, which is empty, the batch to fill.
func (o *outbox) enter(b *gearcore.Batch) {
	b.Layout, b.Target, b.From, b.Next = o.x.wired.plan.Layout, o.target, o.x.first, nil
	o.cur, o.bytes = b, 0
	if !o.dirty {
		o.dirty = true
		o.x.dirty = append(o.x.dirty, o)
	}
}

// seal ends the current batch and hands it over, or queues it.
func (o *outbox) seal() {
	o.x.publish()
	b := o.cur
	b.Size = o.bytes
	o.cur = nil
	o.sent += len(b.Rows)
	if o.x.timed != nil {
		o.x.timed.stamp(o, b)
	}
	if o.fused && o.x.overshoot < maxBatchBytes {
		if o.full.head == nil {
			o.since = 0
		}
		o.full.push(b)
		o.waiting++
		o.x.overshoot += b.Size
		o.x.fusedDue = true
		o.x.attn.Store(true)
		return
	}
	if o.full.head == nil && o.hasRoom() {
		o.handOver(b)
		return
	}
	if o.full.head == nil {
		o.x.blocking(o)
		o.arm()
	}
	o.full.push(b)
	o.waiting++
	if o.x.overshoot += b.Size; o.x.overshoot > maxOvershoot {
		o.x.waitForRoom()
	}
	o.x.openKin = nil
	if o.holdsUp() {
		o.x.stuck = true
		o.x.attn.Store(true)
	}
}

func (o *outbox) handOver(b *gearcore.Batch) {
	o.moved = o.x.now
	if o.x.timed != nil && b.Marker != 0 {
		k := b.Marker
		o.room = o.to.Push(b)
		o.x.timed.pass(o, k)
		return
	}
	o.room = o.to.Push(b)
}

// holdsUp says whether the executor must not go on with what waits here. For the sake of its other receivers it goes on
// with a little; and with more if what waits here came from a shuffle, which has somewhere else to go.
func (o *outbox) holdsUp() bool {
	if o.waiting == 0 || o.x.ways > 1 && o.x.overshoot < maxWaiting {
		return false
	}
	return o.kin == nil || !o.kin.anyOpen()
}

func (o *outbox) hasRoom() bool {
	if o.gate != nil && !o.gateOpen() {
		return false
	}
	if !o.bound || o.room {
		return true
	}
	o.room = o.to.HasRoom()
	return o.room
}

// arm asks to be woken when there is room.
func (o *outbox) arm() {
	if o.armed.CompareAndSwap(false, true) {
		if o.waker == nil {
			o.waker = o.roomBack
		}
		if o.gate != nil {
			o.gate.notify(o.x.timed.generation, o.behindMarker, o.waker)
			return
		}
		o.to.Notify(o.waker)
	}
}

// flush hands over what there is room for. It says whether the outbox is empty.
func (o *outbox) flush() (empty bool) {
	for b := o.full.head; b != nil; b = o.full.head {
		if !o.hasRoom() {
			if o.since == 0 {
				o.x.blocking(o)
			}
			o.arm()
			return false
		}
		o.waiting--
		if o.full.head = b.Next; o.full.head == nil {
			o.x.unblocked(o)
		}
		o.x.overshoot -= b.Size
		b.Next = nil
		o.handOver(b)
	}
	if o.cur == nil {
		return true
	}
	if !o.hasRoom() {
		o.arm()
		return false
	}
	b := o.cur
	o.cur = nil
	o.sent += len(b.Rows)
	b.Size = o.bytes
	if o.x.timed != nil {
		o.x.timed.stamp(o, b)
	}
	o.adapt(len(b.Rows))
	o.handOver(b)
	return true
}

// adapt makes batches smaller where they leave nearly empty for long.
func (o *outbox) adapt(rows int) {
	if 4*rows >= o.limit || o.limit == minBatchRows || o.fused {
		o.meagre = 0
		return
	}
	if o.meagre++; o.meagre >= 64 {
		o.meagre = 0
		o.limit = max(o.limit/2, minBatchRows)
	}
}

// flush hands over what the executor has emitted, as far as there is room, and updates stuck.
func (x *executor) flush() {
	x.publish()
	kept := x.dirty[:0]
	for _, o := range x.dirty {
		if o.flush() {
			o.dirty = false
			if o.last {
				x.forget(o)
			}
		} else {
			kept = append(kept, o)
		}
	}
	x.dirty = kept
	x.openKin = nil
	x.stuck = slices.ContainsFunc(kept, (*outbox).holdsUp) // only now: overshoot is of all of them
	x.tellAll()
}

// blocking tells the hooks that full batches wait for o from now on.
func (x *executor) blocking(o *outbox) {
	o.since = x.now
	if h := x.e.cfg.Hooks; h != nil {
		h.Blocking(x.first, o.target)
	}
}

// unblocked tells the hooks how long full batches waited for o.
func (x *executor) unblocked(o *outbox) {
	if h := x.e.cfg.Hooks; h != nil && o.since != 0 {
		h.Blocked(x.first, o.target, x.now-o.since)
	}
}

// fewBoxes is how many outboxes an executor looks through; with more it has a map.
const fewBoxes = 8

// eachBox calls f with each outbox, which f may forget.
func (x *executor) eachBox(f func(*outbox)) {
	for o := x.boxes; o != nil; {
		next := o.next
		f(o)
		o = next
	}
	for _, o := range x.boxAt {
		f(o)
	}
}

// boxTo returns the outbox to target, nil if there is none yet.
func (x *executor) boxTo(target gearcore.TaskID) *outbox {
	if x.boxAt != nil {
		return x.boxAt[target]
	}
	for o := x.boxes; o != nil; o = o.next {
		if o.target == target {
			return o
		}
	}
	return nil
}

// box returns the outbox to target.
func (x *executor) box(target gearcore.TaskID, bound bool) *outbox {
	if o := x.boxTo(target); o != nil {
		return o
	}
	o := newOutbox(x, target, bound)
	if x.boxAt != nil {
		x.boxAt[target] = o
		return o
	}
	o.next, x.boxes = x.boxes, o
	n := 0
	for b := o; b != nil; b = b.next {
		n++
	}
	if n > fewBoxes {
		x.boxAt = make(map[gearcore.TaskID]*outbox, n)
		for x.boxes != nil {
			b := x.boxes
			x.boxAt[b.target] = b
			x.boxes, b.next = b.next, nil
		}
	}
	return o
}

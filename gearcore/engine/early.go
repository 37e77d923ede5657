package engine

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// ErrUnknownTask is returned by Deliver for a task that does not run here, or not for what the batch holds.
var ErrUnknownTask = errors.New("no such task in this worker")

// holdEarly is how long batches are held for a change that their sender knows of and this worker does not.
const holdEarly = 5 * time.Second

// early holds batches that came over links for tasks which the next change is expected to bring. They count as not
// consumed, so their senders' credit bounds them. Its lock is taken before an executor's.
type early struct {
	e    *Engine
	some atomic.Bool // there are any; written with mu

	mu    sync.Mutex
	held  []heldBatch // guarded by mu: in the order in which they came
	of    map[way]int // guarded by mu: how many of them go a way; what comes by it is behind them
	timed bool        // guarded by mu: a timer is set
}

// way is from a sender to a task.
type way struct{ from, to gearcore.TaskID }

func wayOf(b *gearcore.Batch) way { return way{b.From, b.Target} }

type heldBatch struct {
	b     *gearcore.Batch
	until time.Duration
}

// Deliver takes a batch from a link for a local task. It never blocks; how much comes is the link's affair, by the
// credit it gives. b.Done is called once when the batch was consumed, or dropped because the engine has ended. After
// an error (ErrUnknownTask, gearcore.ErrClosed) the batch is still the caller's.
//
// b.Plan is the version of the plan by which the sender chose this worker, 0 where plans do not change. If the task is not
// here and the plan is newer than what Apply was told, the batch is held for a while; if it is not, the executor that had the task takes
// it while that lingers, and later the batch goes on to where the task is now. Tuples that find no place fail.
func (e *Engine) Deliver(b *gearcore.Batch) error {
	select {
	case <-e.ending:
		return fmt.Errorf("deliver to task %d: %w", b.Target, gearcore.ErrClosed)
	default:
	}
	r := e.roster.Load()
	if b.Layout == nil {
		b.Layout = r.newest().Layout
	}
	if b.Size == 0 {
		b.Size = b.Bytes()
	}
	x := r.of(b.Target)
	if x == nil || e.early.some.Load() || b.Plan > r.version && !r.explains(b) {
		var err error
		if x, err = e.early.judge(b); x == nil {
			return err
		}
	}
	if x.role != roleBolt || len(b.Acks) > 0 {
		return fmt.Errorf("deliver %d tuples and %d acks to task %d of %s: %w", len(b.Rows), len(b.Acks), b.Target, x.component, ErrUnknownTask)
	}
	x.deliver(b, nil)
	return nil
}

// judge returns the executor that takes b now, or nil when b was taken, or is refused.
func (h *early) judge(b *gearcore.Batch) (*executor, error) {
	e := h.e
	h.mu.Lock()
	r := e.roster.Load() // with mu: what is held lands after the roster was exchanged
	x := r.of(b.Target)
	knows := b.Plan <= r.version || r.explains(b)
	if x != nil && h.of[wayOf(b)] == 0 && knows {
		h.mu.Unlock()
		return x, nil
	}
	fits := r.mayTake(b.Target, b.Plan) && len(b.Acks) == 0
	if fits && (x != nil || b.Plan > r.version) {
		h.addLocked(b)
		h.mu.Unlock()
		return nil, nil
	}
	h.mu.Unlock()
	if r.isGone(b.Target) {
		e.afterGone(b)
		return nil, nil
	}
	if y := e.lingerer(b.Target); y != nil && len(b.Acks) == 0 {
		return y, nil
	}
	if b.Plan == 0 || !fits || e.cfg.Remote == nil {
		return nil, fmt.Errorf("deliver to task %d: %w", b.Target, ErrUnknownTask)
	}
	e.cfg.Remote(b.Target).Push(b)
	return nil, nil
}

// mayTake says whether a task takes tuples, as far as can be known of one that only a newer plan has.
func (r *roster) mayTake(id gearcore.TaskID, version uint64) bool {
	d, ok := r.newest().Task(id)
	if !ok {
		return version > r.version && !r.isGone(id)
	}
	return roleOf(d.Processor) == roleBolt
}

// explains says whether all that b names is in a plan that this worker knows.
func (r *roster) explains(b *gearcore.Batch) bool {
	l := r.newest().Layout
	if l.ComponentOf(b.From) == "" {
		return false
	}
	for i := range b.Rows {
		if int(b.Rows[i].Stream) >= len(l.Streams) {
			return false
		}
	}
	return true
}

// afterGone takes a batch for a task that is gone.
func (e *Engine) afterGone(b *gearcore.Batch) {
	if e.epochs != nil {
		e.abandon(b)
		return
	}
	e.reroute(b)
}

func (h *early) addLocked(b *gearcore.Batch) {
	at := h.e.cfg.Clock.Now() + holdEarly
	h.held = append(h.held, heldBatch{b, at})
	if h.of == nil {
		h.of = make(map[way]int)
	}
	h.of[wayOf(b)]++
	h.some.Store(true)
	if !h.timed {
		h.timed = true
		h.e.timers.add(timer{at: at, what: evStatus}) // of nobody: see fire
	}
}

// landEarly delivers what was held and has its task here by now, and passes on what is elsewhere by the plan that its sender
// knew.
func (e *Engine) landEarly() {
	h := &e.early
	var on []*gearcore.Batch
	h.mu.Lock()
	r := e.roster.Load()
	kept := h.held[:0]
	for _, w := range h.held {
		w.b.Layout = r.newest().Layout
		switch x := r.of(w.b.Target); {
		case x != nil && x.role == roleBolt && (w.b.Plan <= r.version || r.explains(w.b)):
			x.deliver(w.b, nil)
		case w.b.Plan > r.version:
			kept = append(kept, w)
		default:
			on = append(on, w.b)
		}
	}
	h.keepLocked(kept)
	h.mu.Unlock()
	for _, b := range on {
		e.passOn(nil, b)
	}
}

// expireEarly fails what was held for too long.
func (e *Engine) expireEarly(now time.Duration) {
	h := &e.early
	var late []*gearcore.Batch
	h.mu.Lock()
	h.timed = false
	kept := h.held[:0]
	for _, w := range h.held {
		if w.until <= now {
			late = append(late, w.b)
			continue
		}
		kept = append(kept, w)
	}
	h.keepLocked(kept)
	if len(kept) > 0 {
		h.timed = true
		e.timers.add(timer{at: kept[0].until, what: evStatus})
	}
	h.mu.Unlock()
	for _, b := range late {
		e.refuse(b)
	}
}

func (h *early) keepLocked(kept []heldBatch) {
	clear(h.held[len(kept):])
	h.held = kept
	clear(h.of)
	for _, w := range kept {
		h.of[wayOf(w.b)]++
	}
	h.some.Store(len(kept) > 0)
}

// passOn gives b, which came to an executor that is gone (from, nil: over a link) to where its task is now.
func (e *Engine) passOn(from *executor, b *gearcore.Batch) (room bool) {
	b.Next = nil
	if len(b.Acks) > 0 || b.From == gearcore.SystemTask {
		finish(b) // the owner of those roots is closed, and so is who is told the time
		return true
	}
	r := e.roster.Load()
	if x := r.of(b.Target); x != nil && x != from {
		return x.deliver(b, nil)
	}
	if r.isGone(b.Target) {
		e.afterGone(b)
		return true
	}
	if e.cfg.Remote == nil || e.isEnding() || r.newest().Layout.ComponentOf(b.Target) == "" {
		e.refuse(b)
		return true
	}
	return e.cfg.Remote(b.Target).Push(b)
}

// refuse fails the tuples of a batch that nobody will execute.
func (e *Engine) refuse(b *gearcore.Batch) {
	if e.epochs != nil && len(b.Rows) > 0 {
		e.epochs.broken(b.Generation, fmt.Sprintf("%d tuples for task %d have found no place", len(b.Rows), b.Target))
	}
	e.abandon(b)
}

// abandon is refuse for what nobody misses.
func (e *Engine) abandon(b *gearcore.Batch) {
	if len(b.Roots) > 0 && !e.isEnding() {
		acks := make([]gearcore.Ack, 0, len(b.Roots))
		for _, r := range b.Roots {
			acks = append(acks, gearcore.Ack{Root: r.Root, Val: r.Edge, Op: gearcore.AckFail})
		}
		e.Settle(acks)
	}
	finish(b)
}

// TakeBack takes a batch that an executor of this worker has sent to a task which has come here meanwhile, from the link
// that it was to go by, or is gone for good. It says no, and leaves b as it is, if the task is not here at present.
//
// waited says that b has waited for the link since before the change: if the task waits for Admit, b is for in front of what its senders
// have sent since. Such batches are brought in order, by the goroutine that calls Apply.
func (e *Engine) TakeBack(b *gearcore.Batch, waited bool) bool {
	r := e.roster.Load()
	if r.isGone(b.Target) {
		e.afterGone(b)
		return true
	}
	x := r.of(b.Target)
	if x == nil || x.role != roleBolt || len(b.Acks) > 0 {
		return false
	}
	// The slabs of b may be used again after Done, and the task may keep its tuples.
	c := &gearcore.Batch{
		Layout: b.Layout, Target: b.Target, From: b.From, Size: b.Bytes(),
		Watermark: b.Watermark, Marker: b.Marker, Generation: b.Generation, Behind: b.Behind,
		Rows: append([]gearcore.Row(nil), b.Rows...), Vals: append([]gearcore.Value(nil), b.Vals...), Roots: append([]gearcore.RootEdge(nil), b.Roots...),
	}
	finish(b)
	if !waited || !e.bring(x, c) {
		x.deliver(c, nil)
	}
	return true
}

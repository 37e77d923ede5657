package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// Lost says what to do about batches of a checkpoint of which the target does not know whether they were published: its memory
// of them is gone.
type Lost string

// The ways to deal with it. The default is LostFail.
const (
	LostFail    Lost = "fail"    // refuse to start: ErrUnknown
	LostPublish Lost = "publish" // they may be there twice then
	LostSkip    Lost = "skip"    // they may be missing then
)

// Options bound what a Box holds. Zero fields mean the defaults.
type Options struct {
	// MemoryBytes of an epoch are held in memory; what is more goes to a file. Default 8 MiB.
	MemoryBytes int
	// EpochBytes bounds one epoch. More is an error of the task. Default 4 GiB.
	EpochBytes int64
	// BehindBytes of batches that count and are not published yet stop the task's input. Default 64 MiB.
	BehindBytes int64
	// Dir gets the files. Default: that of the system for temporary files.
	Dir string
	// RestoreTimeout bounds a restore. Default 2 minutes.
	RestoreTimeout time.Duration
	// CloseTimeout is how long the end of a task may take to publish what counts. Default 5 seconds.
	CloseTimeout time.Duration
	// Lost is LostFail, the default, LostPublish or LostSkip.
	Lost Lost
}

// WithDefaults returns o with its zero fields set.
func (o Options) WithDefaults() Options {
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 8 << 20
	}
	if o.EpochBytes == 0 {
		o.EpochBytes = 4 << 30
	}
	if o.BehindBytes == 0 {
		o.BehindBytes = 64 << 20
	}
	if o.Dir == "" {
		o.Dir = os.TempDir()
	}
	if o.RestoreTimeout == 0 {
		o.RestoreTimeout = 2 * time.Minute
	}
	if o.CloseTimeout == 0 {
		o.CloseTimeout = 5 * time.Second
	}
	if o.Lost == "" {
		o.Lost = LostFail
	}
	return o
}

// Validate returns what is wrong with o, all of it.
func (o Options) Validate() error {
	o = o.WithDefaults()
	var errs []error
	if o.MemoryBytes < 0 || o.EpochBytes < 0 || o.BehindBytes < 0 || o.RestoreTimeout < 0 || o.CloseTimeout < 0 {
		errs = append(errs, fmt.Errorf("outbox: a bound is negative: %+v", o))
	}
	if o.Lost != LostFail && o.Lost != LostPublish && o.Lost != LostSkip {
		errs = append(errs, fmt.Errorf("outbox: Lost %q: fail, publish and skip are known", o.Lost))
	}
	return errors.Join(errs...)
}

// Errors of a Box.
var (
	ErrNoCheckpoints = errors.New("a sink of the mode exactly-once needs a topology with checkpoints")
	ErrTooMuch       = errors.New("an epoch is larger than EpochBytes: make checkpoints more often")
	errLong          = fmt.Errorf("a record is larger than %d bytes", MaxRecord)
)

// Box is the outbox of one task. Its methods are called by the task's executor.
type Box struct {
	opts   Options
	async  *gearcore.Async
	target Target // nil before Restore
	id     string
	loop   connect.Loop
	apart  int // see keptApart

	open *spool // nil before the first record of an epoch
	next uint64 // the number of the next batch

	mu        sync.Mutex
	waiting   []*batch // by number
	committed uint64   // epoch
	paused    bool     // the input is
	fault     error    // why nothing can be published any more
}

// batch is one that is not published yet.
type batch struct {
	number, epoch uint64
	spool         *spool
	// file holds it, put for the checkpoint of the epoch fileOf.
	mu     sync.Mutex
	file   gearcore.File
	fileOf uint64
}

// New returns an empty Box. async is the task's.
func New(o Options, async *gearcore.Async) *Box {
	return &Box{opts: o.WithDefaults(), async: async, apart: keptApart}
}

// Add takes a copy of a record into the present epoch. It stops the input where too much waits to be published.
func (b *Box) Add(record []byte, c *gearcore.Collector) error {
	if b.target == nil {
		return ErrNoCheckpoints
	}
	if len(record) > MaxRecord {
		return errLong
	}
	if err := b.check(c); err != nil {
		return err
	}
	if b.open == nil {
		b.open = newSpool()
	}
	if b.open.bytes()+int64(len(record)) > b.opts.EpochBytes {
		return fmt.Errorf("%w (%d)", ErrTooMuch, b.opts.EpochBytes)
	}
	return b.open.add(record, b.opts.MemoryBytes, b.opts.Dir)
}

// check returns why nothing can be taken, and pauses the input if too much waits.
func (b *Box) check(c *gearcore.Collector) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.paused && b.behindLocked() > b.opts.BehindBytes {
		b.paused = true
		c.Pause()
	}
	return b.fault
}

// behindLocked is how many bytes count and are not published.
func (b *Box) behindLocked() (n int64) {
	for _, w := range b.waiting {
		if w.epoch <= b.committed {
			n += w.spool.bytes()
		}
	}
	return n
}

// Freeze makes what was added since the last call a batch, for gearcore.Checkpointed.
func (b *Box) Freeze(epoch uint64) (gearcore.Frozen, error) {
	if b.target == nil {
		return nil, ErrNoCheckpoints
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault != nil {
		return nil, b.fault
	}
	if b.open != nil {
		b.waiting = append(b.waiting, &batch{number: b.next, epoch: epoch, spool: b.open})
		b.open = nil
		b.next++
	}
	b.gatherLocked()
	f := &frozen{id: b.id, next: b.next, epoch: epoch, committed: b.committed, batches: slices.Clone(b.waiting)}
	for _, w := range f.batches {
		w.spool.retain()
	}
	return f, nil
}

// keptApart is how many batches are apart whose checkpoints do not count. Where checkpoints are given up for long, as in a store that is
// full, their list would be too long for a checkpoint, and no later one could count.
const keptApart = 4

// gatherLocked makes one batch of the newest two while there are more, up to BehindBytes: a target may have little time for each. A later
// checkpoint has what those that were given up before it had, and nothing was published under either number. Batches that are being saved,
// and those that cannot be written into one, stay apart.
func (b *Box) gatherLocked() {
	for n := len(b.waiting); n > b.apart && b.waiting[n-1-b.apart].epoch > b.committed; n = len(b.waiting) {
		into, last := b.waiting[n-2], b.waiting[n-1]
		if into.spool.shared() || last.spool.shared() {
			return
		}
		if into.spool.bytes()+last.spool.bytes() > b.opts.BehindBytes {
			if into.spool.spill(0, b.opts.Dir) == nil { // what cannot be written stays in memory
				into.spool.mem = nil
			}
			return
		}
		if into.spool.take(last.spool, b.opts.MemoryBytes, b.opts.Dir) != nil {
			return
		}
		last.spool.release()
		b.waiting[n-2] = &batch{number: into.number, epoch: last.epoch, spool: into.spool}
		b.waiting = slices.Delete(b.waiting, n-1, n)
	}
}

// Commit is for gearcore.Committer.
func (b *Box) Commit(epoch uint64) {
	b.mu.Lock()
	b.committed = max(b.committed, epoch)
	b.mu.Unlock()
	b.loop.Wake()
}

// Waiting returns how many batches are not published yet.
func (b *Box) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// publish publishes what counts, in order. The target may be anybody's, and nobody recovers here.
func (b *Box) publish(ctx context.Context) error {
	for w := b.due(); w != nil; w = b.due() {
		err := b.try(ctx, w)
		if err != nil {
			var published uint64
			serr := gearcore.Safely(func() (err error) {
				published, err = b.target.Settle(ctx, b.id)
				return err
			})
			if errors.Is(serr, ErrFenced) {
				return b.stop(fmt.Errorf("publish batch %d of epoch %d: %w", w.number, w.epoch, errors.Join(err, serr)))
			}
			if serr != nil || published < w.number {
				return fmt.Errorf("publish batch %d of epoch %d: %w", w.number, w.epoch, errors.Join(err, serr))
			}
		}
		b.done(w)
	}
	return b.refresh(ctx)
}

// slow is how long a batch may take before somebody hears of it: a client may wait for its servers without a word.
const slow = time.Minute

// try has a batch published.
func (b *Box) try(ctx context.Context, w *batch) error {
	late := time.AfterFunc(slow, func() {
		b.report(fmt.Errorf("batch %d of epoch %d is not published after %v: does what it is for answer?", w.number, w.epoch, slow))
	})
	defer late.Stop()
	return gearcore.Safely(func() error { return b.target.Publish(ctx, b.id, w.export()) })
}

// refresh has a target keep in mind what was published, where that is needed.
func (b *Box) refresh(ctx context.Context) error {
	r, ok := b.target.(Refresher)
	if !ok || b.failed() {
		return nil
	}
	err := gearcore.Safely(func() error { return r.Refresh(ctx, b.id) })
	if errors.Is(err, ErrFenced) {
		return b.stop(err)
	}
	return err
}

func (b *Box) failed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fault != nil
}

// due returns the next batch to publish, nil if there is none.
func (b *Box) due() *batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault != nil || len(b.waiting) == 0 || b.waiting[0].epoch > b.committed {
		return nil
	}
	return b.waiting[0]
}

// done takes the oldest batch away and lets the input go on if it may.
func (b *Box) done(w *batch) {
	b.mu.Lock()
	b.waiting = b.waiting[1:]
	resume := b.paused && b.behindLocked() <= b.opts.BehindBytes/2
	if resume {
		b.paused = false
	}
	b.mu.Unlock()
	w.spool.release()
	if resume {
		b.async.Do(0, (*gearcore.Collector).Resume) // after the end there is nothing to resume
	}
}

// stop makes err what Add and Freeze return until the next Restore, which it asks for: there may be no input that finds out.
func (b *Box) stop(err error) error {
	b.mu.Lock()
	b.fault = err
	resume := b.paused
	b.paused = false
	b.mu.Unlock()
	b.async.Do(0, func(c *gearcore.Collector) {
		if resume {
			c.Resume()
		}
		c.Lost(err)
	})
	return err
}

func (b *Box) report(err error) {
	b.async.Do(0, func(c *gearcore.Collector) { c.ReportError(err) })
}

// Close publishes what counts and ends the goroutine. What does not succeed soon is the next Restore's affair.
func (b *Box) Close() {
	b.loop.Finish(b.opts.CloseTimeout)
	b.forget()
}

// forget drops all batches.
func (b *Box) forget() {
	if b.open != nil {
		b.open.release()
		b.open = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.waiting {
		w.spool.release()
	}
	b.waiting, b.fault = nil, nil
	if b.paused {
		b.paused = false
		b.async.Do(0, (*gearcore.Collector).Resume)
	}
}

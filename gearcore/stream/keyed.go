package stream

import (
	"context"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// keyed is what steps with state by key have in common: their store, and a wake-up by the clock.
type keyed struct {
	r     *run
	name  string
	store *state.Store
	mark  int64                    // the watermark of the checkpoint that the store was restored from
	make  func(*state.Store) error // registers the handles with a new store
	wake  func(now int64)          // does what is due by the clock
	at    int64                    // when wake will be called, 0: not
	stop  func()                   // ends that
	async *gearcore.Async
	clock window.Clock
	began time.Time
}

func newKeyed(r *run, name string) *keyed {
	k := &keyed{r: r, name: name, stop: func() {}, began: r.env.Clock.Now()}
	r.opens = append(r.opens, k.open)
	r.closes = append(r.closes, k.close)
	return k
}

// open makes the store of a task that begins; Restore, where there are checkpoints, fills it.
func (k *keyed) open() error {
	cfg := state.ConfigOf(k.r.ctx, k.name)
	cfg.Now = k.now
	s, err := state.New(cfg)
	if err != nil {
		return err
	}
	k.store, k.async = s, k.r.c.Async()
	return k.make(s)
}

func (k *keyed) close() {
	k.stop()
	if k.store == nil {
		return
	}
	if err := k.store.Close(); err != nil {
		k.r.c.ReportError(err)
	}
}

// now is the time in milliseconds since 1970. Any goroutine may ask: the store does.
func (k *keyed) now() int64 {
	now := k.r.env.Clock.Now()
	return k.clock.Now(now, now.Sub(k.began))
}

// longestWait is how long an alarm waits at a time: a Duration ends after 292 years, and moments need not.
const longestWait = 24 * time.Hour

// alarm has wake called at that moment of the clock, if there is one.
func (k *keyed) alarm(at int64, ok bool) {
	if !ok || k.at != 0 && k.at <= at {
		return
	}
	k.stop()
	k.at = at
	wait := time.Duration(min(max(at-k.now(), 0), longestWait.Milliseconds())) * time.Millisecond
	k.stop = k.r.env.Clock.AfterFunc(wait, func() {
		// An executor that has ended has nothing to do any more.
		_ = k.async.Do(64, func(c *gearcore.Collector) {
			if k.at != at {
				return // it was set anew meanwhile
			}
			k.at = 0
			now := k.now()
			if now < at { // the machine's clock is behind, or it is long until then
				k.alarm(at, true)
				return
			}
			k.wake(now)
			if err := k.r.take(); err != nil {
				c.ReportError(err)
			}
		})
	})
}

// trim keeps the store within its memory.
func (k *keyed) trim() error { return k.store.Trim() }

// Inspect implements gearcore.Inspected.
func (k *keyed) Inspect(q gearcore.StateQuery) ([]gearcore.StateEntry, error) {
	return k.store.Inspect(q)
}

// Freeze implements gearcore.Checkpointed.
func (k *keyed) Freeze(epoch uint64) (gearcore.Frozen, error) {
	f, err := k.store.Freeze(epoch)
	if err != nil {
		return nil, err
	}
	return clocked{f, k.now()}, nil
}

// clocked is a state with the time that it was for its task.
type clocked struct {
	gearcore.Frozen
	now int64
}

// Save implements gearcore.Frozen.
func (c clocked) Save(ctx context.Context, to gearcore.Vault) (gearcore.Part, error) {
	part, err := c.Frozen.Save(ctx, to)
	part.Clock = c.now
	return part, err
}

// Commit implements gearcore.Committer.
func (k *keyed) Commit(epoch uint64) { k.store.Commit(epoch) }

// Restore implements gearcore.Checkpointed.
func (k *keyed) Restore(r *gearcore.Recovery) error {
	k.stop()
	k.at, k.mark = 0, int64(r.EventTime())
	for _, p := range r.Parts {
		if p.Index == r.Index || len(r.Parts) != r.Tasks {
			k.clock.Reach(p.Clock)
		}
	}
	if err := k.store.Restore(r); err != nil {
		return err
	}
	k.store.SetEventTime(r.EventTime())
	return nil
}

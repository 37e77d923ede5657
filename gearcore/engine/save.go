package engine

import (
	"context"
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

const (
	savesAtOnce    = 4 // tasks of a worker that write their state at the same time
	restoresAtOnce = 8
)

// save is a part of a checkpoint that is being written.
type save struct {
	epoch  uint64
	cancel context.CancelFunc
}

// save has f written outside of any run.
func (c *timed) save(f gearcore.Frozen, k uint64, part gearcore.TaskPart) {
	ctx, cancel := context.WithCancel(c.in.ctx)
	c.cancelSaves(0)
	c.saves = append(c.saves, save{k, cancel})
	generation, s, e, name := c.generation, c.in, c.x.e, c.x.component
	e.disp.spawn(func() {
		defer cancel()
		select {
		case s.saving <- struct{}{}:
			defer func() { <-s.saving }()
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			if err := gearcore.Safely(func() error { f.Drop(); return nil }); err != nil {
				e.report(part.Task, err)
			}
			return
		}
		err := errGoexit
		defer func() {
			if err != nil {
				s.failed(generation, k, fmt.Errorf("save task %d of %s: %w", part.Task, name, err))
				return
			}
			s.saved(generation, k, part)
		}()
		err = gearcore.Safely(func() (err error) {
			part.Part, err = f.Save(ctx, s.cfg.Vault(k))
			return err
		})
		if err == nil && len(part.Inline) > gearcore.MaxInline {
			err = fmt.Errorf("%d bytes inline, %d are allowed", len(part.Inline), gearcore.MaxInline)
		}
	})
}

// cancelSaves ends the writing of parts of checkpoints up to k, and forgets what has ended.
func (c *timed) cancelSaves(k uint64) {
	kept := c.saves[:0]
	for _, s := range c.saves {
		switch {
		case s.epoch <= k:
			s.cancel()
		case s.epoch > c.committed:
			kept = append(kept, s)
		}
	}
	clear(c.saves[len(kept):])
	c.saves = kept
}

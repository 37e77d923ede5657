package file

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// Appender writes files at least once, and acks a tuple when it is on disk. Each life of a task has a file of its own: what a crash
// cut off is at a file's end. It implements gearcore.Task, Checkpointed and Holder.
type Appender struct {
	opts    SinkOptions
	path    string
	async   *gearcore.Async
	f       *os.File
	written int64 // bytes given to out
	forced  int64 // bytes on disk
	out     *bufio.Writer
	record  []byte
	scratch []byte
	unacked []gearcore.Tuple
	timer   *time.Timer // of the next sync; nil: none is due
}

var (
	_ gearcore.Task         = (*Appender)(nil)
	_ gearcore.Checkpointed = (*Appender)(nil)
	_ gearcore.Holder       = (*Appender)(nil)
)

// Open implements gearcore.Task.
func (a *Appender) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	name := fmt.Sprintf("%s-%d-%s-%016x%s", a.opts.Name, ctx.Index, time.Now().UTC().Format("20060102T150405"), rand.Uint64(), a.opts.Suffix)
	a.path, a.async = filepath.Join(a.opts.Dir, name), c.Async()
	if err := os.MkdirAll(a.opts.Dir, 0o777); err != nil {
		return fmt.Errorf("open the file sink: %w", err)
	}
	f, err := os.OpenFile(a.path, os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("open the file sink: %w", err)
	}
	a.f, a.out = f, bufio.NewWriterSize(f, writeBuffer)
	return syncDir(a.opts.Dir)
}

// Execute implements gearcore.Task.
func (a *Appender) Execute(t gearcore.Tuple, c *gearcore.Collector) (err error) {
	if a.record, err = a.opts.Encode(a.record[:0], t); err != nil {
		return fmt.Errorf("encode a record: %w", err)
	}
	a.scratch = a.opts.Framing.append(a.scratch[:0], a.record)
	a.unacked = append(a.unacked, t)
	if _, err := a.out.Write(a.scratch); err != nil {
		return a.fail(c, err)
	}
	a.written += int64(len(a.scratch))
	if len(a.unacked) >= a.opts.SyncTuples {
		return a.sync(c)
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(a.opts.SyncEvery, func() {
			a.async.Do(0, func(c *gearcore.Collector) { // after the end nothing is left to write
				if err := a.sync(c); err != nil {
					c.ReportError(err)
				}
			})
		})
	}
	return nil
}

// sync forces what was written to disk and acks it.
func (a *Appender) sync(c *gearcore.Collector) error {
	a.stopTimer()
	if err := a.force(); err != nil {
		return a.fail(c, err)
	}
	for _, t := range a.unacked {
		c.Ack(t)
	}
	a.forget()
	return nil
}

func (a *Appender) force() error {
	if err := a.out.Flush(); err != nil {
		return err
	}
	if err := a.f.Sync(); err != nil {
		return err
	}
	a.forced = a.written
	return nil
}

// fail fails everything that is not known to be on disk, and takes it away.
func (a *Appender) fail(c *gearcore.Collector, err error) error {
	a.stopTimer()
	for _, t := range a.unacked {
		c.Fail(t)
	}
	a.forget()
	a.out.Reset(a.f)
	a.written = a.forced
	err = errors.Join(err, a.f.Truncate(a.forced))
	return fmt.Errorf("write %s: %w", a.path, err)
}

func (a *Appender) forget() {
	clear(a.unacked)
	a.unacked = a.unacked[:0]
}

func (a *Appender) stopTimer() {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}

// Holding implements gearcore.Holder.
func (a *Appender) Holding() bool { return len(a.unacked) > 0 }

// Freeze implements gearcore.Checkpointed: all that came before is on disk, since the task holds nothing (Holding).
func (a *Appender) Freeze(uint64) (gearcore.Frozen, error) { return connect.Bytes(nil, "on disk"), nil }

// Restore implements gearcore.Checkpointed. What was written stays.
func (a *Appender) Restore(*gearcore.Recovery) error {
	a.stopTimer()
	a.forget()
	return nil
}

// Close implements gearcore.Task.
func (a *Appender) Close() {
	a.stopTimer()
	if a.f != nil {
		a.out.Flush() // nobody was told that it is there
		a.f.Close()
	}
}

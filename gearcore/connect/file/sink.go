package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// Errors of a sink.
var (
	ErrNoCheckpoints = errors.New("a sink of the mode exactly-once needs a topology with checkpoints")
	ErrExisting      = errors.New("there is output that the checkpoint does not know of")
	ErrLost          = errors.New("a file of the checkpoint is gone")

	// errTaken is that neither the hidden file is there nor the one of its name.
	errTaken = fmt.Errorf("%w, as where readers take files away: then set Lost to skip", ErrLost)
)

// writeBuffer is what gathers records before they are written, in bytes.
const writeBuffer = 64 << 10

// closeLimit is how long Close may take to publish what counts.
const closeLimit = 5 * time.Second

// NewSink returns one task's sink, a *Sink or an *Appender by its mode.
func NewSink(o SinkOptions) (gearcore.Task, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if o.Mode == AtLeastOnce {
		return &Appender{opts: o}, nil
	}
	return &Sink{opts: o}, nil
}

// Sinks returns what makes the sinks of a component's tasks.
func Sinks(o SinkOptions) func() (gearcore.Task, error) {
	return func() (gearcore.Task, error) { return NewSink(o) }
}

// Sink writes files exactly once. It implements gearcore.Task, Checkpointed, Committer and NoRetain.
type Sink struct {
	opts  SinkOptions
	index int
	async *gearcore.Async
	names namer
	ready bool  // Restore was called
	wrong error // what of this epoch could not be written; Restore undoes it

	open    *pending // gets what comes; nil before the first record of an epoch
	out     *bufio.Writer
	scratch []byte
	record  []byte

	publish connect.Loop

	mu        sync.Mutex
	waiting   []*pending // closed and not published, by epoch
	committed uint64
}

var (
	_ gearcore.Task         = (*Sink)(nil)
	_ gearcore.Checkpointed = (*Sink)(nil)
	_ gearcore.Committer    = (*Sink)(nil)
	_ gearcore.NoRetain     = (*Sink)(nil)
)

// NoRetain implements gearcore.NoRetain.
func (s *Sink) NoRetain() {}

// Open implements gearcore.Task.
func (s *Sink) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	s.index, s.async = ctx.Index, c.Async()
	return nil
}

// Execute implements gearcore.Task.
func (s *Sink) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	if err := s.write(t); err != nil {
		return err
	}
	c.Ack(t)
	return nil
}

func (s *Sink) write(t gearcore.Tuple) (err error) {
	switch {
	case !s.ready:
		return ErrNoCheckpoints
	case s.wrong != nil:
		return s.wrong
	}
	if s.record, err = s.opts.Encode(s.record[:0], t); err != nil {
		return fmt.Errorf("encode a record: %w", err)
	}
	if s.open == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	s.scratch = s.opts.Framing.append(s.scratch[:0], s.record)
	if _, err := s.out.Write(s.scratch); err != nil {
		s.wrong = fmt.Errorf("write the records of an epoch: %w", err)
		return s.wrong
	}
	s.open.Bytes += int64(len(s.scratch))
	return nil
}

// create begins the file of the present epoch.
func (s *Sink) create() error {
	p := &pending{Dir: s.opts.Dir, Temp: s.names.temp(s.index)}
	f, err := os.OpenFile(p.path(p.Temp), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("begin the file of an epoch: %w", err)
	}
	if p.f, s.open = f, p; s.out == nil {
		s.out = bufio.NewWriterSize(f, writeBuffer)
	}
	s.out.Reset(f)
	return nil
}

// Freeze implements gearcore.Checkpointed.
func (s *Sink) Freeze(epoch uint64) (gearcore.Frozen, error) {
	if s.wrong != nil {
		return nil, s.wrong
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.waiting {
		if err := p.failed(); err != nil {
			s.wrong = fmt.Errorf("write %s: %w", p.Temp, err)
			return nil, s.wrong
		}
	}
	if s.open != nil {
		if err := s.out.Flush(); err != nil {
			s.wrong = fmt.Errorf("write the records of an epoch: %w", err)
			return nil, s.wrong
		}
		s.open.Epoch, s.open.Final = epoch, s.names.final(s.index, epoch)
		s.waiting = append(s.waiting, s.open)
		s.open = nil
	}
	return newFrozen(s.opts.Dir, s.waiting), nil
}

// Commit implements gearcore.Committer.
func (s *Sink) Commit(epoch uint64) {
	s.mu.Lock()
	s.committed = max(s.committed, epoch)
	s.mu.Unlock()
	s.publish.Wake()
}

// publishCommitted gives the files of what was committed their names.
func (s *Sink) publishCommitted(context.Context) error {
	for p := s.next(); p != nil; p = s.next() {
		if err := p.publish(); err != nil && !s.skips(err) {
			return err
		}
		s.mu.Lock()
		s.waiting = s.waiting[1:]
		s.mu.Unlock()
	}
	return nil
}

// skips reports whether err is no error, since readers take away files that have their names.
func (s *Sink) skips(err error) bool { return s.opts.Lost == Skip && errors.Is(err, errTaken) }

// next returns the oldest file that may get its name; nil if there is none.
func (s *Sink) next() *pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 || s.waiting[0].Epoch > s.committed {
		return nil
	}
	return s.waiting[0]
}

// Restore implements gearcore.Checkpointed.
func (s *Sink) Restore(r *gearcore.Recovery) error {
	s.publish.Stop()
	s.abandon()
	s.names = newNamer(s.opts.Name, s.opts.Suffix, r.Generation)
	s.index, s.committed, s.wrong, s.ready = r.Index, 0, nil, true
	if err := os.MkdirAll(s.opts.Dir, 0o777); err != nil {
		return fmt.Errorf("restore the file sink: %w", err)
	}
	for _, part := range r.Parts {
		if connect.Mine(part.Index, r.Index, r.Tasks) {
			if err := s.finish(r.Vault, part); err != nil {
				return fmt.Errorf("restore the file sink: %w", err)
			}
		}
	}
	if err := s.sweep(r); err != nil {
		return fmt.Errorf("restore the file sink: %w", err)
	}
	s.publish.Start(s.publishCommitted, func(err error) {
		s.async.Do(0, func(c *gearcore.Collector) { c.ReportError(err) }) // after the end nobody hears
	})
	return nil
}

// sweep removes what a former task wrote and what never counted, and deals with output of another life.
func (s *Sink) sweep(r *gearcore.Recovery) error {
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return err
	}
	select {
	case <-r.Ended: // another task may be at work here
		return gearcore.ErrClosed
	default:
	}
	for _, e := range entries {
		index, at, temp, ok := s.names.parse(e.Name())
		if !ok || !connect.Mine(index, r.Index, r.Tasks) || !temp && at <= r.Epoch || temp && inUse(e, at, r.Generation) {
			continue
		}
		p := pending{Dir: s.opts.Dir}
		if !temp && s.opts.Existing == Fail {
			return fmt.Errorf("%s: %w (checkpoint %d)", p.path(e.Name()), ErrExisting, r.Epoch)
		}
		if err := os.Remove(p.path(e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return syncDir(s.opts.Dir)
}

// stale is how old a hidden file is that nobody writes.
const stale = 48 * time.Hour

// inUse reports whether a hidden file of a generation may be one of a task that began after this one, which then is left over and does not know:
// what stood still for a while goes on where it was.
func inUse(e os.DirEntry, generation, own uint64) bool {
	if generation < own || generation > math.MaxUint32 { // earlier versions of gearstorm wrote any number
		return false
	}
	info, err := e.Info()
	return err == nil && time.Since(info.ModTime()) < stale
}

// abandon forgets what is open and what waits. What waits may be in a checkpoint: its files stay.
func (s *Sink) abandon() {
	if s.open != nil {
		s.open.close()
		os.Remove(s.open.path(s.open.Temp)) // else sweep does
		s.open = nil
	}
	for _, p := range s.waiting {
		p.close()
	}
	s.waiting = nil
}

// Close implements gearcore.Task. What was committed gets its name.
func (s *Sink) Close() {
	s.publish.Finish(closeLimit) // what does not succeed is the next Restore's
	s.abandon()
}

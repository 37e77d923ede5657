package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// errorPause is how long a source rests after an error before it tries the same again.
const errorPause = time.Second

// longestTurn is how many batches a followed file may give before others have their turn.
const longestTurn = 256

// Source reads files. It implements gearcore.Source, Checkpointed and Timed.
type Source struct {
	opts  SourceOptions
	index int
	tasks int

	places map[string]*place // the files of this task
	order  []string          // the names of those to be read, sorted
	at     int               // the file in order that is read now
	quiet  int               // files in a row that had nothing
	turn   int               // batches in a row of the present file
	looked bool              // order is what the patterns match
	rest   time.Time         // nothing is tried before
	read   reader
	clock  gearcore.Watermark
	newest int64 // event time
	tooFar int64 // records whose time is not believed
	aloud  connect.Rarely
}

// place is how far a file was read.
type place struct {
	Offset int64 `json:"offset"`
	Done   bool  `json:"done,omitempty"` // nothing more is read of it
	Gone   int64 `json:"gone,omitempty"` // since when it is not there, in milliseconds since 1970; 0: it is
	// Head is the length of the file's beginning of which Sum is the hash, up to Offset: another file of its name begins otherwise.
	Head int64  `json:"head,omitempty"`
	Sum  uint64 `json:"sum,omitempty"`
}

var (
	_ gearcore.Source       = (*Source)(nil)
	_ gearcore.Checkpointed = (*Source)(nil)
	_ gearcore.Timed        = (*Source)(nil)
)

// NewSource returns one task's source.
func NewSource(o SourceOptions) (*Source, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Source{opts: o.withDefaults(), places: map[string]*place{}, tasks: 1}
	s.read.opts = &s.opts
	return s, nil
}

// Sources returns what makes the sources of a component's tasks.
func Sources(o SourceOptions) func() (gearcore.Source, error) {
	return func() (gearcore.Source, error) { return NewSource(o) }
}

// Open implements gearcore.Source.
func (s *Source) Open(ctx *gearcore.Context, _ *gearcore.Collector) error {
	s.index, s.tasks = ctx.Index, len(ctx.Tasks)
	return nil
}

// Ack, Fail, Activate and Deactivate implement gearcore.Source; nothing is tracked.
func (s *Source) Ack(gearcore.Value, *gearcore.Collector)  {}
func (s *Source) Fail(gearcore.Value, *gearcore.Collector) {}
func (s *Source) Activate(*gearcore.Collector)             {}
func (s *Source) Deactivate(*gearcore.Collector)           {}

// Close implements gearcore.Source.
func (s *Source) Close() { s.read.close() }

// Next implements gearcore.Source.
func (s *Source) Next(c *gearcore.Collector) error {
	if !s.rest.IsZero() && time.Now().Before(s.rest) {
		return gearcore.ErrIdle
	}
	s.rest = time.Time{}
	n, err := s.some(c)
	switch {
	case err != nil:
		s.rest = time.Now().Add(errorPause)
		return err
	case n == 0 && !s.rest.IsZero():
		return gearcore.ErrIdle
	}
	return nil
}

// some emits up to a batch of records of the present file, or goes on to the next one. It sets rest where there is nothing.
func (s *Source) some(c *gearcore.Collector) (int, error) {
	if !s.looked {
		if err := s.look(); err != nil {
			return 0, err
		}
	}
	if s.at >= len(s.order) || s.quiet >= len(s.order) {
		s.pause()
		return 0, nil
	}
	name := s.order[s.at]
	p := s.places[name]
	if p.Done {
		s.step(0)
		return 0, nil
	}
	if s.read.f == nil {
		if err := s.read.open(name, p); err != nil {
			if s.opts.Follow && errors.Is(err, fs.ErrNotExist) {
				s.step(0)
				return 0, nil
			}
			return 0, err
		}
	}
	return s.records(c, p)
}

// records emits what there is of the open file, up to a batch.
func (s *Source) records(c *gearcore.Collector, p *place) (n int, err error) {
	for n < s.opts.Batch {
		rec, err := s.read.next()
		if errors.Is(err, io.EOF) {
			p.Offset, p.Done = s.read.position(), !s.opts.Follow
			s.read.learn(p)
			s.step(n)
			return n, nil
		}
		if err != nil {
			s.read.learn(p)
			s.read.close() // and read again from the last whole record
			return n, err
		}
		if s.opts.Time != nil {
			s.saw(c, rec)
		}
		s.opts.Emit(c, rec)
		p.Offset = s.read.position()
		n++
	}
	s.read.learn(p)
	s.quiet = 0
	if s.turn++; s.turn == longestTurn && s.opts.Follow {
		s.step(n)
	}
	return n, nil
}

// saw takes note of the time of a record.
func (s *Source) saw(c *gearcore.Collector, rec Record) {
	at := s.opts.Time(rec.Data)
	if at <= s.newest {
		return
	}
	now := time.Now()
	if !connect.TooFar(at, now, s.opts.MaxAhead) {
		s.newest = at
		return
	}
	s.tooFar++
	if s.aloud.Now(now) {
		c.ReportError(fmt.Errorf("record at %d of %s: %w", rec.Offset, rec.File, connect.ErrTooFar(at, s.tooFar)))
	}
}

// step goes on to the next file after n records of the present one.
func (s *Source) step(n int) {
	s.read.close()
	if s.quiet++; n > 0 {
		s.quiet = 0
	}
	s.at++
	s.turn = 0
	if s.opts.Follow && len(s.order) > 0 {
		s.at %= len(s.order)
	}
}

// pause rests until files are to be looked at again.
func (s *Source) pause() {
	s.rest = time.Now().Add(s.opts.Poll)
	if s.opts.Follow {
		s.looked, s.quiet, s.at = false, 0, 0
	}
}

// look finds the files of this task.
func (s *Source) look() error {
	var names, finding []string
	for _, p := range s.opts.Paths {
		found, err := filepath.Glob(p)
		if err != nil {
			return fmt.Errorf("look for files: %w", err)
		}
		if len(found) == 0 && !s.opts.Follow && !strings.ContainsAny(p, "*?[") && s.needs(p) {
			return fmt.Errorf("look for files: %s: %w", p, fs.ErrNotExist)
		}
		if names = append(names, found...); len(found) > 0 {
			finding = append(finding, p)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		if s.places[name] == nil && s.mine(name) {
			s.places[name] = &place{}
		}
	}
	s.list(names, finding, time.Now())
	s.looked = true
	return nil
}

// needs reports whether the file of that name is still to be read by this task. One that was read to its end may go.
func (s *Source) needs(name string) bool {
	p := s.places[name]
	return s.mine(name) && (p == nil || !p.Done)
}

// list puts into order what is there, of all files of the patterns, and forgets what is gone for long. Where none is there at all, their file system
// may be away: then none counts as gone. So may that of what only patterns mean that find nothing, beside those in finding: that is not forgotten.
func (s *Source) list(there, finding []string, now time.Time) {
	s.order = s.order[:0]
	for name, p := range s.places {
		_, found := slices.BinarySearch(there, name)
		switch {
		case !s.wanted(name):
		case found:
			p.Gone = 0
			s.order = append(s.order, name)
		case !s.opts.Follow || len(there) == 0:
			s.order = append(s.order, name)
		case p.Gone == 0:
			p.Gone = now.UnixMilli()
		case now.Sub(time.UnixMilli(p.Gone)) >= s.opts.ForgetAfter && means(finding, name):
			delete(s.places, name)
		}
	}
	slices.Sort(s.order)
}

// wanted reports whether the patterns mean the file: those of before may have meant others. Their places are kept, for the patterns may
// come back.
func (s *Source) wanted(name string) bool { return means(s.opts.Paths, name) }

// means reports whether one of the patterns means the file.
func means(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := filepath.Match(filepath.Clean(pattern), filepath.Clean(name))
		return ok
	})
}

// mine reports whether this task reads the file.
func (s *Source) mine(name string) bool {
	return xxhash.Sum64String(name)%uint64(s.tasks) == uint64(s.index)
}

// Skipped is how many records were left out because they were too long. It is for the executor's goroutine.
func (s *Source) Skipped() int64 { return s.read.skipped }

// TooFar is how many records had a time that is not believed (SourceOptions.MaxAhead). It is for the executor's goroutine.
func (s *Source) TooFar() int64 { return s.tooFar }

// Watermark implements gearcore.Timed.
func (s *Source) Watermark() gearcore.Watermark {
	switch {
	case !s.opts.Follow && s.looked && s.at >= len(s.order):
		return gearcore.End
	case s.opts.Time == nil, s.without():
		return gearcore.Idle
	case s.newest == 0:
		return s.clock
	}
	s.clock = max(s.clock, gearcore.Watermark(s.newest-s.opts.Lateness.Milliseconds()))
	return s.clock
}

// without reports whether this task has looked for its files and found none: others' event time goes on without it.
func (s *Source) without() bool { return len(s.order) == 0 && !s.rest.IsZero() }

// position is a source's part in a checkpoint.
type position struct {
	Files  map[string]place `json:"files"`
	Newest int64            `json:"newest,omitempty"`
}

// Freeze implements gearcore.Checkpointed.
func (s *Source) Freeze(uint64) (gearcore.Frozen, error) {
	now := position{Files: make(map[string]place, len(s.places)), Newest: s.newest}
	for name, p := range s.places {
		now.Files[name] = *p
	}
	data, err := json.Marshal(now)
	if err != nil {
		return nil, fmt.Errorf("freeze: %w", err)
	}
	return connect.Bytes(data, s.note()), nil
}

// note says where the source is, in the words of a checkpoint's list.
func (s *Source) note() string {
	done := 0
	for _, p := range s.places {
		if p.Done {
			done++
		}
	}
	text := fmt.Sprintf("%d of %d files done", done, len(s.places))
	if s.at < len(s.order) {
		name := s.order[s.at]
		text += fmt.Sprintf(", %s@%d", filepath.Base(name), s.places[name].Offset)
	}
	return text
}

// Restore implements gearcore.Checkpointed.
func (s *Source) Restore(r *gearcore.Recovery) error {
	s.read.close()
	s.index, s.tasks = r.Index, r.Tasks
	s.places, s.order, s.at, s.quiet, s.looked = map[string]*place{}, nil, 0, 0, false
	s.rest, s.clock, s.newest = time.Time{}, 0, math.MaxInt64
	for _, part := range r.Parts {
		if err := s.take(r.Vault, part); err != nil {
			return fmt.Errorf("restore the file source: %w", err)
		}
	}
	if s.newest == math.MaxInt64 {
		s.newest = 0
	}
	return nil
}

// take takes over what is now this task's of a former task's part.
func (s *Source) take(from gearcore.Vault, part gearcore.TaskPart) error {
	data, err := connect.Content(context.Background(), from, part.Part)
	if err != nil || data == nil {
		return err
	}
	var was position
	if err := json.Unmarshal(data, &was); err != nil {
		return fmt.Errorf("part of task %d: %w", part.Task, err)
	}
	mine := false
	for name, p := range was.Files {
		if !s.mine(name) {
			continue
		}
		mine = true
		p.Done = p.Done && !s.opts.Follow // else there may be more by now
		s.places[name] = &p
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && !p.Done && !s.opts.Follow && s.wanted(name) {
			return fmt.Errorf("%s at %d: %w", name, p.Offset, ErrMissing)
		}
	}
	if mine {
		s.newest = min(s.newest, was.Newest) // the receivers' clocks are not ahead of any former task's, which may have known no time yet
	}
	return nil
}

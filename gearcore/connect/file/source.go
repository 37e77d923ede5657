package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	order  []string          // their names, sorted
	at     int               // the file in order that is read now
	quiet  int               // files in a row that had nothing
	turn   int               // batches in a row of the present file
	looked bool              // order is what the patterns match
	rest   time.Time         // nothing is tried before
	read   reader
	clock  gearcore.Watermark
	newest int64 // event time
}

// place is how far a file was read.
type place struct {
	Offset int64 `json:"offset"`
	Done   bool  `json:"done,omitempty"` // nothing more is read of it
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
		if err := s.read.open(name, p.Offset); err != nil {
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
			s.step(n)
			return n, nil
		}
		if err != nil {
			s.read.close() // and read again from the last whole record
			return n, err
		}
		if s.opts.Time != nil {
			s.newest = max(s.newest, s.opts.Time(rec.Data))
		}
		s.opts.Emit(c, rec)
		p.Offset = s.read.position()
		n++
	}
	s.quiet = 0
	if s.turn++; s.turn == longestTurn && s.opts.Follow {
		s.step(n)
	}
	return n, nil
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
	var names []string
	for _, p := range s.opts.Paths {
		found, err := filepath.Glob(p)
		if err != nil {
			return fmt.Errorf("look for files: %w", err)
		}
		if len(found) == 0 && !s.opts.Follow && !strings.ContainsAny(p, "*?[") {
			return fmt.Errorf("look for files: %s: %w", p, fs.ErrNotExist)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if s.places[name] == nil && s.mine(name) {
			s.places[name] = &place{}
		}
	}
	s.order = s.order[:0]
	for name := range s.places {
		s.order = append(s.order, name)
	}
	slices.Sort(s.order)
	s.looked = true
	return nil
}

// mine reports whether this task reads the file.
func (s *Source) mine(name string) bool {
	return xxhash.Sum64String(name)%uint64(s.tasks) == uint64(s.index)
}

// Skipped is how many records were left out because they were too long. It is for the executor's goroutine.
func (s *Source) Skipped() int64 { return s.read.skipped }

// Watermark implements gearcore.Timed.
func (s *Source) Watermark() gearcore.Watermark {
	switch {
	case !s.opts.Follow && s.looked && s.at >= len(s.order):
		return gearcore.End
	case s.opts.Time == nil:
		return gearcore.Idle
	case s.newest == 0:
		return s.clock
	}
	s.clock = max(s.clock, gearcore.Watermark(s.newest-s.opts.Lateness.Milliseconds()))
	return s.clock
}

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
	s.rest, s.clock, s.newest = time.Time{}, 0, 0
	for _, part := range r.Parts {
		if err := s.take(r.Vault, part); err != nil {
			return fmt.Errorf("restore the file source: %w", err)
		}
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
		s.places[name] = &p
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && !p.Done && !s.opts.Follow {
			return fmt.Errorf("%s at %d: %w", name, p.Offset, ErrMissing)
		}
	}
	if mine && (s.newest == 0 || was.Newest < s.newest) {
		s.newest = was.Newest // the receivers' clocks are not ahead of any former task's
	}
	return nil
}

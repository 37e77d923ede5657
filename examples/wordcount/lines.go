package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gearstorm/gearstorm/compat/storm"
)

// lines is the spout: it emits every line of the text with an id, emits failed ones again, and keeps on disk the
// position before which everything is acked. A new task, in a new process after a crash, goes on there. With several
// tasks, each has every so-manyth file.
//
// The progress is written without fsync: the page cache outlives a killed process, which is what the example is about,
// but not a power cut.
//
// Lines after the first that is not acked come again after a crash, acked or not: they are the duplicates that remain.
type lines struct {
	ctx   *storm.Context
	files []string
	store *os.File

	reader *lineReader // of the file at, nil between files
	at     position    // what is read next
	window window
	replay []int64
	moved  bool // the progress is not on disk yet
}

// maxWindow bounds how far the spout runs ahead of its oldest line that is not acked, and so its memory. It is some
// seconds of work: what a message timeout takes.
const maxWindow = 200_000

func (s *lines) Open(ctx *storm.Context, _ *storm.Collector) error {
	s.ctx = ctx
	o, err := readConf(ctx.Conf)
	if err != nil {
		return err
	}
	if s.files, err = listText(o.text, o.limit); err != nil {
		return err
	}
	path := filepath.Join(o.dir, fmt.Sprintf("lines-%d.progress", ctx.Index))
	if s.store, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return fmt.Errorf("open the progress: %w", err)
	}
	p, err := readProgress(s.store)
	if err != nil {
		return err
	}
	s.at = p.start
	s.at.file = s.mine(s.at.file)
	s.moved = true
	return o.writePID("lines", ctx.Task)
}

// mine returns the first file at or after n that this task reads.
func (s *lines) mine(n int) int {
	for n < len(s.files) && n%len(s.ctx.Tasks) != s.ctx.Index {
		n++
	}
	return min(n, len(s.files))
}

func (s *lines) Next(c *storm.Collector) error {
	if s.moved {
		s.moved = false
		if err := writeProgress(s.store, s.window.progress(s.at)); err != nil {
			return err
		}
	}
	for len(s.replay) > 0 {
		id := s.replay[0]
		s.replay = s.replay[1:]
		if l := s.window.get(id); l != nil {
			c.EmitID(storm.Long(id), l.at.file, l.at.line, l.text)
			return nil
		}
	}
	if len(s.window.lines) >= maxWindow {
		return storm.ErrIdle
	}
	at, text, err := s.read()
	if err != nil {
		return err
	}
	c.EmitID(storm.Long(s.window.add(at, text)), at.file, at.line, text)
	return nil
}

// read returns the next line and where it is, or ErrIdle at the end of the text.
func (s *lines) read() (position, string, error) {
	for s.at.file < len(s.files) {
		if s.reader == nil {
			if err := s.openAt(); err != nil {
				return position{}, "", err
			}
		}
		text, ok, err := s.reader.next()
		if err != nil {
			return position{}, "", err
		}
		if ok {
			at := s.at
			s.at.line++
			return at, text, nil
		}
		s.reader.close()
		s.reader = nil
		s.at = position{file: s.mine(s.at.file + 1)}
		s.moved = true
	}
	return position{}, "", storm.ErrIdle
}

// openAt opens the file at s.at and skips to its line.
func (s *lines) openAt() error {
	r, err := openLines(s.files[s.at.file])
	if err != nil {
		return err
	}
	for range s.at.line {
		if _, _, err := r.next(); err != nil {
			r.close()
			return err
		}
	}
	s.reader = r
	return nil
}

// Ack takes the line out of the window.
func (s *lines) Ack(id storm.Value, _ *storm.Collector) {
	s.window.ack(id.Int())
	s.moved = true
}

// Fail makes the next Next emit the line again.
func (s *lines) Fail(id storm.Value, _ *storm.Collector) { s.replay = append(s.replay, id.Int()) }

// Close releases the files.
func (s *lines) Close() {
	if s.reader != nil {
		s.reader.close()
	}
	if s.store != nil {
		s.store.Close()
	}
}

const progressFormat = "%010d %010d %010d\n"

// readProgress returns what f holds, the start of the text if it is empty.
func readProgress(f io.ReaderAt) (progress, error) {
	var p progress
	data := make([]byte, 33)
	n, err := f.ReadAt(data, 0)
	if n == 0 && errors.Is(err, io.EOF) {
		return p, nil
	}
	if _, err := fmt.Sscanf(string(data[:n]), progressFormat, &p.start.file, &p.start.line, &p.ahead); err != nil {
		return progress{}, fmt.Errorf("read the progress %q: %w", data[:n], err)
	}
	return p, nil
}

// writeProgress puts p in f: one write of a few bytes at a fixed place, which a kill cannot cut in two.
func writeProgress(f io.WriterAt, p progress) error {
	if _, err := f.WriteAt(fmt.Appendf(nil, progressFormat, p.start.file, p.start.line, p.ahead), 0); err != nil {
		return fmt.Errorf("write the progress: %w", err)
	}
	return nil
}

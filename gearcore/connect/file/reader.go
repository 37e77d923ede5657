package file

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cespare/xxhash/v2"
)

// Errors of a source.
var (
	ErrTooLong   = errors.New("a record is longer than MaxRecord")
	ErrTruncated = errors.New("the file is shorter than what was read of it")
	ErrReplaced  = errors.New("the file is not the one of this name that was read")
	ErrCut       = errors.New("the file ends within a frame")
	ErrMissing   = errors.New("the file is gone and was not read to its end")
)

// headBytes is how much of its beginning tells a file from another one that has its name later.
const headBytes = 1 << 10

// firstBuffer is what a reader starts with, in bytes; it grows to what one record needs.
const firstBuffer = 64 << 10

// reader reads the records of one file from some offset on.
type reader struct {
	opts *SourceOptions
	name string
	f    *os.File
	// buf[from:to] are the bytes at offset.
	buf      []byte
	from, to int
	offset   int64
	ended    bool  // the file had no more bytes at the last look
	skipping bool  // within a line that is too long
	start    int64 // where that line begins
	skipped  int64
	head     [headBytes]byte
}

// open starts to read a file where p says, or from its beginning if it is another one and that is to be so.
func (r *reader) open(name string, p *place) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	if !info.Mode().IsRegular() {
		f.Close()
		return fmt.Errorf("read %s: it is not a regular file", name)
	}
	switch err := r.recognize(f, info.Size(), p); {
	case err != nil && r.opts.Truncated == Restart && (errors.Is(err, ErrTruncated) || errors.Is(err, ErrReplaced)):
		p.Offset, p.Head = 0, 0
	case err != nil:
		f.Close()
		return fmt.Errorf("read %s: %w", name, err)
	}
	r.f, r.name, r.offset, r.from, r.to, r.ended, r.skipping = f, name, p.Offset, 0, 0, false, false
	return nil
}

// recognize says whether a file of that size is the one that p is of.
func (r *reader) recognize(f *os.File, size int64, p *place) error {
	if size < p.Offset {
		return fmt.Errorf("%w: %d of %d bytes", ErrTruncated, size, p.Offset)
	}
	if p.Head < 1 || p.Head > headBytes {
		return nil
	}
	sum, err := r.sum(f, p.Head)
	if err == nil && sum != p.Sum {
		err = ErrReplaced
	}
	return err
}

func (r *reader) sum(f *os.File, n int64) (uint64, error) {
	_, err := f.ReadAt(r.head[:n], 0)
	return xxhash.Sum64(r.head[:n]), err
}

// learn has p know the open file again. Only what was read counts: the rest may be written anew yet.
func (r *reader) learn(p *place) {
	n := min(p.Offset, headBytes)
	if r.f == nil || p.Head >= n {
		return
	}
	if sum, err := r.sum(r.f, n); err == nil { // else the next time
		p.Head, p.Sum = n, sum
	}
}

func (r *reader) close() {
	if r.f != nil {
		r.f.Close()
		r.f = nil
	}
}

// next returns the next record; io.EOF: there is none now. The record is valid until the next call.
func (r *reader) next() (Record, error) {
	for {
		data, size, err := r.opts.Framing.split(r.buf[r.from:r.to], r.opts.MaxRecord)
		switch {
		case err != nil && r.opts.TooLong == Fail:
			return Record{}, fmt.Errorf("read %s at %d: %w (%d)", r.name, r.offset, ErrTooLong, r.opts.MaxRecord)
		case err != nil:
			r.skip()
		case size > 0 && r.skipping:
			r.advance(size)
			r.skipping = false
		case size > 0:
			rec := Record{File: r.name, Offset: r.offset, Data: data}
			r.advance(size)
			return rec, nil
		case r.ended:
			return r.last()
		default:
			if err := r.fill(); err != nil {
				return Record{}, err
			}
		}
	}
}

// last returns what is left at the end of a file that nobody writes to any more.
func (r *reader) last() (Record, error) {
	rest := r.buf[r.from:r.to]
	switch {
	case r.opts.Follow || len(rest) == 0:
		return Record{}, io.EOF
	case r.opts.Framing == Frames:
		return Record{}, fmt.Errorf("read %s at %d: %w", r.name, r.offset, ErrCut)
	case r.skipping:
		r.advance(len(rest))
		r.skipping = false
		return Record{}, io.EOF
	case len(rest) > r.opts.MaxRecord && r.opts.TooLong == Fail:
		return Record{}, fmt.Errorf("read %s at %d: %w (%d)", r.name, r.offset, ErrTooLong, r.opts.MaxRecord)
	case len(rest) > r.opts.MaxRecord:
		r.skip()
		r.skipping = false
		return Record{}, io.EOF
	}
	rec := Record{File: r.name, Offset: r.offset, Data: rest}
	r.advance(len(rest))
	return rec, nil
}

// position is where to go on after a restart. Within a line that is too long it is where that begins, or its rest would
// be taken for a line.
func (r *reader) position() int64 {
	if r.skipping {
		return r.start
	}
	return r.offset
}

// skip leaves out what is there of a line that is too long: all of it, if its end is there.
func (r *reader) skip() {
	if !r.skipping {
		r.skipped++
		r.skipping, r.start = true, r.offset
	}
	for i, b := range r.buf[r.from:r.to] {
		if b == '\n' {
			r.advance(i + 1)
			r.skipping = false
			return
		}
	}
	r.advance(r.to - r.from)
}

func (r *reader) advance(n int) {
	r.from += n
	r.offset += int64(n)
}

// fill reads more bytes, or learns that there are none now.
func (r *reader) fill() error {
	if r.from > 0 {
		copy(r.buf, r.buf[r.from:r.to])
		r.from, r.to = 0, r.to-r.from
	}
	if r.to == len(r.buf) {
		r.buf = append(r.buf, make([]byte, max(firstBuffer, len(r.buf)))...)
	}
	n, err := r.f.ReadAt(r.buf[r.to:], r.offset+int64(r.to))
	r.to += n
	if errors.Is(err, io.EOF) {
		r.ended = n == 0
		return nil
	}
	return err
}

package outbox

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// MaxRecord bounds one record in a batch, in bytes.
const MaxRecord = 64 << 20

// readBuffer is what a batch is read with, in bytes.
const readBuffer = 64 << 10

// spool is the records of one batch, each with its length before it: in memory, or the first part of them in a file that has no name.
// It is filled by one goroutine and then read by any.
type spool struct {
	mem   []byte
	file  *os.File
	inFil int64
	count int64
	uses  atomic.Int32
}

func newSpool() *spool {
	s := &spool{}
	s.uses.Store(1)
	return s
}

// add appends a record. What is longer than most bytes goes to the file, in dir.
func (s *spool) add(record []byte, most int, dir string) error {
	s.mem = append(binary.AppendUvarint(s.mem, uint64(len(record))), record...)
	s.count++
	return s.spill(most, dir)
}

// spill writes what is in memory to the file if it is longer than most bytes.
func (s *spool) spill(most int, dir string) error {
	if len(s.mem) <= most {
		return nil
	}
	if s.file == nil {
		f, err := os.CreateTemp(dir, "outbox-")
		if err != nil {
			return fmt.Errorf("hold back records: %w", err)
		}
		if err := os.Remove(f.Name()); err != nil {
			f.Close()
			return fmt.Errorf("hold back records: %w", err)
		}
		s.file = f
	}
	n, err := s.file.WriteAt(s.mem, s.inFil)
	if err != nil {
		return fmt.Errorf("hold back records: %w", err)
	}
	s.inFil += int64(n)
	s.mem = s.mem[:0]
	return nil
}

// take appends the records of another spool. After an error s has what it had before.
func (s *spool) take(o *spool, most int, dir string) error {
	mem, inFil := len(s.mem), s.inFil
	if _, err := io.Copy(&filling{s, most, dir}, o.reader()); err != nil {
		if s.inFil > inFil { // what was in memory is in the file by now
			mem, inFil = 0, inFil+int64(mem)
		}
		s.mem, s.inFil = s.mem[:mem], inFil
		return err
	}
	s.count += o.count
	return nil
}

// filling appends what is written to it to a spool.
type filling struct {
	s    *spool
	most int
	dir  string
}

func (f *filling) Write(p []byte) (int, error) {
	f.s.mem = append(f.s.mem, p...)
	if err := f.s.spill(f.most, f.dir); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *spool) bytes() int64 { return s.inFil + int64(len(s.mem)) }

// reader reads all of it. It holds until the release that belongs to the caller.
func (s *spool) reader() io.Reader {
	if s.file == nil {
		return bytes.NewReader(s.mem)
	}
	return io.MultiReader(io.NewSectionReader(s.file, 0, s.inFil), bytes.NewReader(s.mem))
}

func (s *spool) retain() { s.uses.Add(1) }

// shared reports whether somebody reads it, or may.
func (s *spool) shared() bool { return s.uses.Load() > 1 }

func (s *spool) release() {
	if s.uses.Add(-1) == 0 && s.file != nil {
		s.file.Close()
	}
}

// Records reads the records of a batch in their order.
type Records struct {
	in  *bufio.Reader
	buf []byte
}

func newRecords(r io.Reader) *Records { return &Records{in: bufio.NewReaderSize(r, readBuffer)} }

// ErrDamaged says that a batch is not what was written.
var ErrDamaged = errors.New("a batch is damaged")

// Next returns the next record, valid until the next call, or io.EOF.
func (r *Records) Next() ([]byte, error) {
	n, err := binary.ReadUvarint(r.in)
	switch {
	case err == io.EOF:
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	case n > MaxRecord:
		return nil, fmt.Errorf("%w: a record of %d bytes", ErrDamaged, n)
	}
	if uint64(cap(r.buf)) < n {
		r.buf = make([]byte, n)
	}
	r.buf = r.buf[:n]
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return r.buf, nil
}

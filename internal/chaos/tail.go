package chaos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// tail reads the files of a run as they grow and hands every record to a checker once.
type tail struct {
	dir   string
	check *Checker
	files map[string]*tailed
}

type tailed struct {
	f   *os.File
	off int64
}

func newTail(dir string, check *Checker) *tail {
	return &tail{dir: dir, check: check, files: map[string]*tailed{}}
}

// poll reads what came since the last time, in the order that Checker needs.
func (t *tail) poll() error {
	return errors.Join(
		t.each("acks-*", ackBytes, func(path string, number int, rec []byte) error {
			t.check.Ack(number, binary.LittleEndian.Uint64(rec))
			return nil
		}),
		t.each("sights-*", sightBytes, func(path string, _ int, rec []byte) error {
			t.check.Sight(path, decodeSight(rec))
			return nil
		}),
		t.each("claims-*", claimBytes, func(_ string, number int, rec []byte) error {
			c, err := decodeClaim(rec)
			if err != nil {
				return err
			}
			return t.check.Claim(number, c)
		}))
}

// each calls do with every new whole record of the files that match the pattern.
func (t *tail) each(pattern string, size int, do func(path string, number int, rec []byte) error) error {
	paths, err := filepath.Glob(filepath.Join(t.dir, pattern))
	if err != nil {
		return err
	}
	slices.Sort(paths)
	for _, path := range paths {
		number, ok := numberOf(path)
		if !ok {
			return fmt.Errorf("%s is no file of a run", path)
		}
		if err := t.read(path, size, func(rec []byte) error { return do(path, number, rec) }); err != nil {
			return fmt.Errorf("read %s: %w", filepath.Base(path), err)
		}
	}
	return nil
}

func (t *tail) read(path string, size int, do func(rec []byte) error) error {
	file := t.files[path]
	if file == nil {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		file = &tailed{f: f}
		t.files[path] = file
	}
	buf := make([]byte, 4096)
	for {
		n, err := file.f.ReadAt(buf, file.off)
		n -= n % size
		for i := 0; i < n; i += size {
			if err := do(buf[i : i+size]); err != nil {
				return err
			}
		}
		file.off += int64(n)
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tail) close() {
	for _, f := range t.files {
		f.f.Close()
	}
}

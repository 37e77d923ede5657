package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// TestFatalErrorOfPebble: what pebble cannot go on with ends its goroutine, not the process, and makes the next operation fail.
func TestFatalErrorOfPebble(t *testing.T) {
	s, v := large(t, Config{Name: "c[1]", Dir: t.TempDir(), Memory: 1})
	s.lim.growth = 1
	v.Set("a", "x")
	if err := s.Trim(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan any)
	go func() {
		defer func() { ended <- recover() }()
		diskLog{s.disk}.Fatalf("MANIFEST write failed: %v", syscall.ENOSPC)
		t.Error("it goes on")
	}()
	if p := <-ended; p != nil {
		t.Errorf("it panics: %v", p)
	}
	err := func() (err error) {
		defer Rescue(&err)
		v.Get("b")
		return nil
	}()
	if err == nil || !strings.Contains(err.Error(), "no space left on device") || !strings.Contains(err.Error(), "c[1]") {
		t.Errorf("reading then: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestDamagedDisk damages the files below pebble: reading them is an error, and the Store can be restored.
func TestDamagedDisk(t *testing.T) {
	s, v := large(t, Config{Name: "c[1]", Dir: t.TempDir(), Memory: 100_000})
	const n = 5000
	for i := range n {
		v.Set(benchKey(i), text(i))
		if err := s.Trim(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.disk.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil { // what it merged later would be whole
		t.Fatal(err)
	}
	for s.disk.db.Metrics().Compact.NumInProgress > 0 {
		time.Sleep(time.Millisecond)
	}
	files, err := filepath.Glob(filepath.Join(s.disk.dir, "db", "*.sst"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) { // it was merged into another
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] ^= 0x55
		}
		if err := os.WriteFile(f, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err = func() (err error) {
		defer Rescue(&err)
		for i := range n {
			v.Get(benchKey(i))
		}
		return nil
	}()
	if err == nil || !strings.Contains(err.Error(), "c[1]") || s.Err() == nil {
		t.Errorf("reading what is damaged: %v, %v", err, s.Err())
	}
	if err := s.Restore(&gearcore.Recovery{}); err != nil || s.Len() != 0 {
		t.Errorf("restored: %d entries, %v", s.Len(), err)
	}
}

// TestLockGoesLast looks at a scratch directory while it is removed: as long as there is something in it, its lock is.
func TestLockGoesLast(t *testing.T) {
	dir := filepath.Join(t.TempDir(), scratchPrefix+"1")
	names := []string{scratchLock, "in-1.sst"}
	for i := range 1000 {
		names = append(names, fmt.Sprintf("db/%d.sst", i))
	}
	if err := os.MkdirAll(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	removed := make(chan error, 1)
	go func() { removed <- removeScratch(dir) }()
	for {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) > 0 && !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == scratchLock }) {
			t.Fatalf("the lock is gone before %v", entries)
		}
	}
	if err := <-removed; err != nil {
		t.Error(err)
	}
}

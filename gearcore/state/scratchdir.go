package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A scratch directory belongs to the process that holds the lock of a file in it. Those that nobody holds were left by processes
// that were killed.
const (
	scratchPrefix = "state-"
	scratchLock   = "lock"
)

// newScratch makes a directory below parent, and removes those that killed processes left there. It gets its name when it is
// locked, so that nobody takes it for one of those.
func newScratch(parent string) (dir string, lock *os.File, err error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", nil, err
	}
	removeStale(parent)
	fresh, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(parent, scratchPrefix+strings.TrimPrefix(filepath.Base(fresh), "new-"))
	lock, err = os.OpenFile(filepath.Join(fresh, scratchLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err == nil {
			err = os.Rename(fresh, dir)
		}
	}
	if err != nil {
		if lock != nil {
			lock.Close()
		}
		return "", nil, errors.Join(err, os.RemoveAll(fresh))
	}
	return dir, lock, nil
}

// removeStale is best effort: what cannot be removed is only room on the disk.
func removeStale(parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, scratchPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, scratchLock), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			removeScratch(dir)
		}
		f.Close()
	}
}

// removeScratch removes a directory, its lock last: without that nobody would know what is left of it where whoever does so is killed.
func removeScratch(dir string) error {
	entries, _ := os.ReadDir(dir) // what is wrong with it is said below
	for _, e := range entries {
		if e.Name() == scratchLock {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

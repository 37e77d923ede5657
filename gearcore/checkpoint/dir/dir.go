// Package dir keeps checkpoints in a directory of this machine, or of a file system that all machines share.
//
// An object is a file of its name. It is written under another name and synced before it gets its own, and so is the directory
// then: a crash leaves the object as a whole or not at all. So are the directories above the store's that Open makes. Files and directories
// are the owner's alone.
package dir

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// tmp is where files are written before they get their names. No name of an object begins like this.
const tmp = ".tmp"

// stale is how old a file there is when nobody can be writing it any more.
const stale = 48 * time.Hour

// Store is a checkpoint.Store in a directory.
type Store struct {
	root *os.Root
	sync func(dir string) error // makes the names in a directory durable
	mu   sync.Mutex
	made map[string]bool // directories that are known to be there, for good
}

var _ checkpoint.Store = (*Store)(nil)

// Open makes the directory, if need be, and removes what crashed writers left there long ago. Close gives it back.
func Open(at string) (*Store, error) {
	if !filepath.IsAbs(at) {
		return nil, fmt.Errorf("checkpoints in directory %q: want a path from the root on", at)
	}
	if err := makeRoot(at, syncAt); err != nil {
		return nil, fmt.Errorf("make the directory of checkpoints: %w", err)
	}
	root, err := os.OpenRoot(at)
	if err != nil {
		return nil, fmt.Errorf("open the directory of checkpoints: %w", err)
	}
	s := &Store{root: root, made: map[string]bool{}}
	s.sync = s.syncNames
	if err := s.sweep(); err != nil {
		root.Close()
		return nil, fmt.Errorf("open the directory of checkpoints %s: %w", at, err)
	}
	return s, nil
}

// makeRoot makes a directory, and those above it, so that they survive a crash: each is durable before there is anything in it. Of those that
// are there only the lowest may have been made by somebody who died before it was; whether its name can be made durable is not ours to say.
func makeRoot(at string, sync func(dir string) error) error {
	above := filepath.Dir(at)
	switch i, err := os.Stat(at); {
	case err == nil && !i.IsDir():
		return fmt.Errorf("%s: %w", at, syscall.ENOTDIR)
	case err == nil:
		sync(above)
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := makeRoot(above, sync); err != nil {
		return err
	}
	if err := os.Mkdir(at, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return sync(above)
}

// syncAt makes the names in a directory durable.
func syncAt(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return synced(d)
}

func synced(d *os.File) error {
	defer d.Close()
	return d.Sync()
}

// Close ends the use of the directory.
func (s *Store) Close() error { return s.root.Close() }

func (s *Store) sweep() error {
	if err := s.root.MkdirAll(tmp, 0o700); err != nil {
		return err
	}
	left, err := fs.ReadDir(s.root.FS(), tmp)
	if err != nil {
		return err
	}
	for _, e := range left {
		if i, err := e.Info(); err == nil && time.Since(i.ModTime()) > stale {
			s.root.Remove(path.Join(tmp, e.Name())) // another process may do the same
		}
	}
	return nil
}

// Put implements checkpoint.Store.
func (s *Store) Put(ctx context.Context, name string, content io.Reader) error {
	return s.write(ctx, name, content, s.root.Rename)
}

// PutIfAbsent implements checkpoint.Store.
func (s *Store) PutIfAbsent(ctx context.Context, name string, content []byte) error {
	return s.write(ctx, name, bytes.NewReader(content), s.root.Link)
}

// write makes a file of that name durable. Once it has the name nothing says any more that it is not written, a full disk least of all.
func (s *Store) write(ctx context.Context, name string, content io.Reader, place func(from, to string) error) error {
	if err := checkpoint.CheckName(name); err != nil {
		return err
	}
	err := kind(s.put(ctx, name, content, place))
	if err == nil {
		err = s.sync(path.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

// put writes a file and gives it its name by rename or link.
func (s *Store) put(ctx context.Context, name string, content io.Reader, place func(from, to string) error) error {
	if err := s.makeDir(path.Dir(name)); err != nil {
		return err
	}
	var id [12]byte
	rand.Read(id[:])
	at := path.Join(tmp, hex.EncodeToString(id[:]))
	f, err := s.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer s.root.Remove(at) // after a rename it is gone
	_, err = io.Copy(f, &under{ctx, content})
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return place(at, name)
}

// under ends reading when ctx does.
type under struct {
	ctx context.Context
	r   io.Reader
}

func (u *under) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// makeDir makes a directory so that it survives a crash.
func (s *Store) makeDir(dir string) error {
	if dir == "." {
		return nil
	}
	s.mu.Lock()
	made := s.made[dir]
	s.mu.Unlock()
	if made {
		return nil
	}
	if err := s.makeDir(path.Dir(dir)); err != nil {
		return err
	}
	if err := s.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.sync(path.Dir(dir)); err != nil {
		return err
	}
	s.mu.Lock()
	s.made[dir] = true
	s.mu.Unlock()
	return nil
}

func (s *Store) syncNames(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return synced(d)
}

// Get implements checkpoint.Store.
func (s *Store) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkpoint.CheckName(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, kind(err))
	}
	if i, err := f.Stat(); err != nil || !i.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("get %s: %w", name, errors.Join(err, checkpoint.ErrNotFound))
	}
	return &opened{under{ctx, f}, f}, nil
}

// opened is a file that is read under a context.
type opened struct {
	under
	io.Closer
}

// List implements checkpoint.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]checkpoint.Object, error) {
	if err := checkpoint.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	start := "."
	if prefix != "" {
		start = path.Clean(prefix)
	}
	var out []checkpoint.Object
	err := fs.WalkDir(s.root.FS(), start, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was removed meanwhile
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.Name()[0] == '.' && name != "." {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil // of a file SkipDir would leave out what comes behind it
		}
		if !d.Type().IsRegular() || name+"/" == prefix {
			return nil
		}
		i, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		out = append(out, checkpoint.Object{Name: name, Bytes: i.Size()})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	// The walk goes by directory, which is not the order of names where one goes on with less than "/".
	slices.SortFunc(out, func(a, b checkpoint.Object) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Delete implements checkpoint.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := checkpoint.CheckName(name); err != nil {
		return err
	}
	err := ctx.Err()
	if err == nil {
		err = s.root.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// kind puts the errors of package checkpoint in place of the system's.
func kind(err error) error {
	for _, k := range []struct{ is, means error }{
		{fs.ErrExist, checkpoint.ErrExists}, {fs.ErrNotExist, checkpoint.ErrNotFound},
		{syscall.ENOSPC, checkpoint.ErrFull}, {syscall.EDQUOT, checkpoint.ErrFull},
	} {
		if errors.Is(err, k.is) {
			return fmt.Errorf("%w: %w", k.means, err)
		}
	}
	return err
}

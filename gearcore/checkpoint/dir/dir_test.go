package dir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
)

func open(t *testing.T, at string) *Store {
	t.Helper()
	s, err := Open(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) checkpoint.Store { return open(t, t.TempDir()) })
}

// Everything is the owner's alone, whatever the umask, and nothing is left under other names.
func TestPrivateAndTidy(t *testing.T) {
	at := filepath.Join(t.TempDir(), "new")
	s := open(t, at)
	if err := s.Put(t.Context(), "a/b/c", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.PutIfAbsent(t.Context(), "a/b/c", nil); err == nil {
		t.Error("put twice")
	}
	err := filepath.WalkDir(at, func(p string, d fs.DirEntry, err error) error {
		i, e := d.Info()
		if err != nil || e != nil {
			t.Fatal(err, e)
		}
		if i.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", p, i.Mode())
		}
		if !d.IsDir() && strings.Contains(p, tmp) {
			t.Errorf("%s is left", p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What Open makes above the store survives a crash of the machine: each name is durable before anything is below it.
func TestRootIsDurable(t *testing.T) {
	top := t.TempDir()
	at := filepath.Join(top, "a", "b", "c")
	var synced []string
	var refused string
	note := func(dir string) error {
		if dir == refused {
			return errors.New("no")
		}
		left, err := filepath.Rel(top, dir)
		synced = append(synced, left)
		return err
	}
	if err := makeRoot(at, note); err != nil {
		t.Fatal(err)
	}
	if want := []string{"..", ".", "a", "a/b"}; !slices.Equal(synced, want) {
		t.Errorf("synced are %v, want %v", synced, want)
	}
	if synced = nil; makeRoot(at, note) != nil || !slices.Equal(synced, []string{"a/b"}) {
		t.Errorf("of one that is there are synced %v", synced)
	}
	if refused = filepath.Dir(at); makeRoot(at, note) != nil {
		t.Error("one that is there is refused")
	}
	refused = at
	if makeRoot(filepath.Join(at, "d"), note) == nil {
		t.Error("one that is not durable is taken")
	}
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "x"), filepath.Join(top, strings.Repeat("n", 300), "x")} {
		if _, err := Open(bad); err == nil {
			t.Errorf("%s opens", bad)
		}
	}
	if err := open(t, filepath.Join(top, "x", "y")+"/").Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
}

// What has its name and may not be durable is nothing that is surely not written, whatever the disk says.
func TestNameThatMayBeThere(t *testing.T) {
	s := open(t, t.TempDir())
	for name, said := range map[string]error{"a": syscall.ENOSPC, "b": syscall.EDQUOT, "c": fs.ErrNotExist} {
		s.sync = func(string) error { return said }
		err := s.PutIfAbsent(t.Context(), name, []byte("x"))
		if !errors.Is(err, said) || errors.Is(err, checkpoint.ErrFull) || checkpoint.Lost(err) {
			t.Errorf("%v is told as %v", said, err)
		}
	}
}

func TestLeftoversOfCrashesGo(t *testing.T) {
	at := t.TempDir()
	open(t, at)
	for name, age := range map[string]time.Duration{"old": 3 * stale, "new": time.Minute} {
		p := filepath.Join(at, tmp, name)
		if err := os.WriteFile(p, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, at)
	left, err := os.ReadDir(filepath.Join(at, tmp))
	if err != nil || len(left) != 1 || left[0].Name() != "new" {
		t.Errorf("left are %v, %v", left, err)
	}
	if l, err := s.List(t.Context(), ""); err != nil || len(l) != 0 {
		t.Errorf("objects are %v, %v", l, err)
	}
}

// A link out of the directory is no way out.
func TestLinksLeadNowhere(t *testing.T) {
	out, at := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "secret"), []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, at)
	if err := os.Symlink(out, filepath.Join(at, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "link/secret"); err == nil {
		t.Error("a link was followed")
	}
	if err := s.Put(t.Context(), "link/new", strings.NewReader("x")); err == nil {
		t.Error("a link was written through")
	}
	if _, err := Open("relative"); err == nil {
		t.Error("a relative path opens")
	}
}

// What others leave beside objects, as rsync and NFS do, hides none of them: a topology would begin anew where its log seems to be empty.
func TestHiddenFilesHideNothing(t *testing.T) {
	at := t.TempDir()
	s := open(t, at)
	if err := s.Put(t.Context(), "log/1", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".nfs0001", ".1.Xy7", "log/.1.Xy7"} {
		if err := os.WriteFile(filepath.Join(at, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, prefix := range []string{"", "log/"} {
		if l, err := s.List(t.Context(), prefix); err != nil || len(l) != 1 || l[0].Name != "log/1" {
			t.Errorf("in %q there are %v, %v", prefix, l, err)
		}
	}
}

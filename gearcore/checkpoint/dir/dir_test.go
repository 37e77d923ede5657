package dir

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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

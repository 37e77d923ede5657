package localizer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

const other = "other-2-1700000000"

// withBlob is the configuration of a topology with one blob under a local name.
func withBlob(key, name string, options ...string) conf.Conf {
	o := map[string]any{"localname": name}
	for _, option := range options {
		o[option] = true
	}
	return conf.Conf{"topology.blobstore.map": map[string]any{key: o}}
}

func acquire(t *testing.T, c *Cache, id string, version int64) Code {
	t.Helper()
	code, err := c.Acquire(t.Context(), id, "u", Version{Number: version})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func update(t *testing.T, c *Cache, id string, version int64) {
	t.Helper()
	if err := c.Update(t.Context(), id, Version{Number: version}); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, elements ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// kept lists the blobs on disk.
func kept(t *testing.T, c *Cache) []string {
	t.Helper()
	dirs, err := os.ReadDir(c.cfg.BlobDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var out []string
	for _, d := range dirs {
		out = append(out, d.Name())
	}
	return out
}

func TestBlobsAreSharedByContent(t *testing.T) {
	m := newMaster()
	m.publish(t, withBlob("a.txt", "words"), nil, "dep.jar")
	m.publishAs(t, other, withBlob("b.txt", "texts"), nil, "dep.jar")
	m.put("a.txt", []byte("same"))
	m.put("b.txt", []byte("same"))
	m.put("dep.jar", []byte("dep"))
	c := openCache(t, t.TempDir(), m)
	one, two := acquire(t, c, topo, 0), acquire(t, c, other, 0)
	if a, b := content(t, one.Dir, "words"), content(t, two.Dir, "texts"); a != "same" || b != "same" {
		t.Errorf("%q, %q", a, b)
	}
	if got := kept(t, c); len(got) != 2 {
		t.Errorf("blobs %v", got)
	}
	if n := m.reads["dep.jar"]; n != 1 {
		t.Errorf("%d downloads of the dependency", n)
	}
	// The blob stays as long as one of them has it, and then until there is need of room.
	if err := c.Release(topo, "u"); err != nil {
		t.Fatal(err)
	}
	c.store.clean(0)
	if got := content(t, two.Dir, "texts"); got != "same" {
		t.Errorf("%q", got)
	}
	if err := c.Release(other, "u"); err != nil {
		t.Fatal(err)
	}
	if c.Clean(); len(kept(t, c)) != 2 {
		t.Errorf("blobs %v", kept(t, c))
	}
	if n := c.store.clean(0); n != 2 || len(kept(t, c)) != 0 {
		t.Errorf("removed %d, left %v", n, kept(t, c))
	}
}

func TestBlobChangesUnderARunningWorker(t *testing.T) {
	m := newMaster()
	m.publish(t, withBlob("a.txt", "words"), nil)
	m.put("a.txt", []byte("one"))
	c := openCache(t, t.TempDir(), m)
	code := acquire(t, c, topo, 0)
	open, err := os.Open(filepath.Join(code.Dir, "words"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	m.put("a.txt", []byte("two"))
	update(t, c, topo, 0)
	if got := content(t, code.Dir, "words"); got != "two" {
		t.Errorf("after the update: %q", got)
	}
	c.store.clean(0)
	if got := content(t, "/proc/self/fd", fmt.Sprint(open.Fd())); got != "one" {
		t.Errorf("open file: %q", got)
	}
	if got := c.Stamp(topo); got != code.Stamp {
		t.Error("workers have to start again")
	}
	if n := m.reads[client.CodeKey(topo)]; n != 1 {
		t.Errorf("%d downloads of the code", n)
	}
	// The same content under a new version is no change.
	m.put("a.txt", []byte("two"))
	update(t, c, topo, 0)
	update(t, c, topo, 0)
	if n := m.reads["a.txt"]; n != 3 || len(kept(t, c)) != 1 {
		t.Errorf("%d downloads, blobs %v", n, kept(t, c))
	}
}

func TestUnpackedBlobThatRestartsWorkers(t *testing.T) {
	m := newMaster()
	m.publish(t, withBlob("model.zip", "model", "uncompress", "workerRestart"), nil)
	m.put("model.zip", zipOf(t, member{name: "w", data: "one"}))
	c := openCache(t, t.TempDir(), m)
	code := acquire(t, c, topo, 0)
	m.put("model.zip", zipOf(t, member{name: "w", data: "two"}))
	update(t, c, topo, 0)
	if got := content(t, code.Dir, "model", "w"); got != "two" {
		t.Errorf("%q", got)
	}
	if c.Stamp(topo) == code.Stamp {
		t.Error("the stamp is the same")
	}
	if again := acquire(t, c, topo, 0); again.Stamp != c.Stamp(topo) {
		t.Errorf("stamps %s, %s", again.Stamp, c.Stamp(topo))
	}
	// A hostile one changes nothing.
	m.put("model.zip", zipOf(t, member{name: "../w", data: "three"}))
	if err := c.Update(t.Context(), topo, Version{}); !errors.Is(err, ErrArchive) {
		t.Errorf("hostile archive: %v", err)
	}
	if got := content(t, code.Dir, "model", "w"); got != "two" {
		t.Errorf("%q", got)
	}
	if left := kept(t, c); slices.ContainsFunc(left, func(s string) bool { return strings.HasSuffix(s, ".tmp") }) {
		t.Errorf("left %v", left)
	}
}

func TestCodeOfANewerPlan(t *testing.T) {
	m := newMaster()
	m.publish(t, conf.Conf{"v": int64(1)}, nil)
	c := openCache(t, t.TempDir(), m)
	code := acquire(t, c, topo, 1)
	m.publish(t, conf.Conf{"v": int64(2)}, nil)
	// The plan names the same version still: nobody is asked.
	if again := acquire(t, c, topo, 1); again.Stamp != code.Stamp {
		t.Error("code was fetched without need")
	}
	update(t, c, topo, 1)
	if c.Stamp(topo) != code.Stamp {
		t.Error("code was fetched without need")
	}
	update(t, c, topo, 2)
	if c.Stamp(topo) == code.Stamp {
		t.Error("newer code was not fetched")
	}
	if again := acquire(t, c, topo, 2); again.Stamp != c.Stamp(topo) || again.Conf["v"] != int64(2) {
		t.Errorf("%v", again)
	}
	// With the master away a worker starts with what there is.
	m.setAway(true)
	if again := acquire(t, c, topo, 3); again.Stamp != c.Stamp(topo) {
		t.Errorf("%v", again)
	}
}

func TestMasterThatDoesNotAnswerIsNotAsked(t *testing.T) {
	m := newMaster()
	m.publish(t, withBlob("a.txt", "words"), nil)
	m.put("a.txt", []byte("one"))
	dir := t.TempDir()
	code := acquire(t, openCache(t, dir, m), topo, 0)
	m.publish(t, withBlob("a.txt", "letters"), nil)
	m.dead = true
	c := openCache(t, dir, m) // also after a restart
	if again := acquire(t, c, topo, 0); again.Stamp != code.Stamp {
		t.Error("the master was asked")
	}
	// What was not asked for is made up for.
	update(t, c, topo, 0)
	if c.Stamp(topo) == code.Stamp {
		t.Error("newer code was not fetched")
	}
	if got := content(t, code.Dir, "letters"); got != "one" {
		t.Errorf("%q", got)
	}
	m.publish(t, withBlob("a.txt", "words"), nil)
	was := c.Stamp(topo)
	if update(t, c, topo, 0); c.Stamp(topo) != was {
		t.Error("asked for without need")
	}
}

func TestBlobsLiveThroughARestart(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(code Code, blob string) error
		sound  bool
	}{
		"sound":                {func(Code, string) error { return nil }, true},
		"link is gone":         {func(c Code, _ string) error { return os.Remove(filepath.Join(c.Dir, "words")) }, true},
		"link leads elsewhere": {func(c Code, _ string) error { return relinkTo(filepath.Join(c.Dir, "words"), "/etc/passwd") }, true},
		"blob changed":         {func(_ Code, b string) error { return os.WriteFile(filepath.Join(b, dataName), []byte("x"), 0o600) }, false},
		"blob is gone":         {func(_ Code, b string) error { return os.RemoveAll(b) }, false},
		"record is gone":       {func(_ Code, b string) error { return os.Remove(filepath.Join(b, recordName)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMaster()
			m.publish(t, withBlob("a.txt", "words"), nil)
			m.put("a.txt", []byte("one"))
			dir := t.TempDir()
			c := openCache(t, dir, m)
			code := acquire(t, c, topo, 1)
			if err := tt.damage(code, filepath.Join(c.cfg.BlobDir, kept(t, c)[0])); err != nil {
				t.Fatal(err)
			}
			m.setAway(true)
			c = openCache(t, dir, m)
			if n := c.store.clean(0); n != 0 {
				t.Errorf("%d blobs removed that are in use", n)
			}
			_, err := c.Acquire(t.Context(), topo, "u", Version{Number: 1})
			if (err == nil) != tt.sound {
				t.Errorf("with the master away: %v", err)
			}
			m.setAway(false)
			acquire(t, c, topo, 1)
			if got := content(t, code.Dir, "words"); got != "one" {
				t.Errorf("%q", got)
			}
		})
	}
}

func relinkTo(path, target string) error {
	return errors.Join(os.Remove(path), os.Symlink(target, path))
}

func TestCleanTakesTheLongestUnusedFirst(t *testing.T) {
	m := newMaster()
	c := openCache(t, t.TempDir(), m)
	c.cfg.CacheBytes = 250
	now := time.Now()
	var ids, blobs []string
	for i, size := range []int{100, 100, 100, 100} {
		id, key := fmt.Sprintf("t%d-1-1", i), fmt.Sprintf("k%d", i)
		m.publishAs(t, id, withBlob(key, "words"), nil)
		m.put(key, []byte(strings.Repeat(fmt.Sprint(i), size)))
		acquire(t, c, id, 0)
		ids = append(ids, id)
		blobs = append(blobs, c.store.newest[source{key: key}].blob)
	}
	for i, id := range ids[:3] {
		if err := c.Release(id, "u"); err != nil {
			t.Fatal(err)
		}
		name := blobs[i]
		used := now.Add(time.Duration(-i) * time.Hour) // the last is the oldest
		if err := os.Chtimes(filepath.Join(c.cfg.BlobDir, name), used, used); err != nil {
			t.Fatal(err)
		}
	}
	c = openCache(t, c.cfg.Dir, m)
	c.cfg.CacheBytes = 250
	c.Clean()
	for i, left := range []bool{true, false, false, true} {
		name := blobs[i]
		if _, err := os.Stat(filepath.Join(c.cfg.BlobDir, name)); (err == nil) != left {
			t.Errorf("blob %d: %v", i, err)
		}
	}
	// One that was removed is fetched again when it is needed.
	acquire(t, c, ids[2], 0)
	if m.reads["k2"] != 2 {
		t.Errorf("%d downloads", m.reads["k2"])
	}
}

func TestDownloadsAreTriedAgain(t *testing.T) {
	m := newMaster()
	m.publish(t, withBlob("a.txt", "words"), nil)
	m.put("a.txt", []byte("words"))
	c := openCache(t, t.TempDir(), m)
	c.store.tries.again = 3
	m.fail = 2
	if code := acquire(t, c, topo, 0); content(t, code.Dir, "words") != "words" {
		t.Error("other words")
	}
	if n := m.reads[client.ConfKey(topo)]; n != 3 {
		t.Errorf("%d downloads", n)
	}
	c.store.tries.again = 1
	if _, err := c.Acquire(t.Context(), other, "u", Version{}); !errors.Is(err, ErrNoBlob) || m.reads[client.ConfKey(other)] > 0 {
		t.Errorf("no blob: %v", err)
	}
}

func TestBlobsForOtherUsers(t *testing.T) {
	m := newMaster()
	m.publish(t, withBlob("a.zip", "words", "uncompress"), nil, "dep.jar")
	m.put("a.zip", zipOf(t, member{name: "x/run", mode: 0o755, data: "x"}))
	m.put("dep.jar", []byte("dep"))
	dir := t.TempDir()
	code := acquire(t, openCache(t, dir, m), topo, 0)
	for _, open := range []bool{false, true} {
		want := map[string]os.FileMode{".": 0o700, "words": 0o700, "words/x": 0o700, "words/x/run": 0o700, "dep.jar": 0o600}
		if open { // also those that are there already
			want = map[string]os.FileMode{".": 0o711, "words": 0o755, "words/x": 0o755, "words/x/run": 0o755, "dep.jar": 0o644}
			if _, err := openStore(m.store, m, smallLimits, newTries(0, 1), true); err != nil {
				t.Fatal(err)
			}
		}
		for name, mode := range want {
			path := filepath.Join(code.Dir, name)
			if name == "." {
				path = m.store
			}
			if st, err := os.Stat(path); err != nil || st.Mode().Perm() != mode {
				t.Errorf("open %v: %s has mode %v, %v, want %v", open, name, st.Mode(), err, mode)
			}
		}
	}
}

func TestNamesOfTheWorkersDirectoryAreTaken(t *testing.T) {
	for _, name := range []string{"pids", "tmp", "heartbeats", "artifacts"} {
		m := newMaster()
		m.publish(t, withBlob("a.txt", name), nil)
		m.put("a.txt", []byte("x"))
		if _, err := openCache(t, t.TempDir(), m).Acquire(t.Context(), topo, "u", Version{}); err == nil || !strings.Contains(err.Error(), "is taken") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUpdatesAndUsersAtOnce(t *testing.T) {
	m := newMaster()
	m.publish(t, withBlob("a.txt", "words", "workerRestart"), nil)
	m.put("a.txt", []byte("0"))
	c := openCache(t, t.TempDir(), m)
	acquire(t, c, topo, 0)
	var wg sync.WaitGroup
	for u := range 3 {
		wg.Go(func() {
			for range 20 {
				code, err := c.Acquire(t.Context(), topo, fmt.Sprint(u), Version{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.ReadFile(filepath.Join(code.Dir, "words")); err != nil {
					t.Errorf("not there while held: %v", err)
				}
				if err := c.Release(topo, fmt.Sprint(u)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 20 {
			m.put("a.txt", []byte(fmt.Sprint(i)))
			if err := c.Update(t.Context(), topo, Version{}); err != nil {
				t.Error(err)
			}
			c.Clean()
		}
	})
	wg.Wait()
	update(t, c, topo, 0)
	c.store.clean(0)
	if got := content(t, c.cfg.Dir, topo, "words"); got != "19" || len(kept(t, c)) != 1 {
		t.Errorf("%q, blobs %v", got, kept(t, c))
	}
}

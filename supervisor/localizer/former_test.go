package localizer

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
)

// publishVersion has a version with a script and a configuration that says which one it is.
func (m *master) publishVersion(t testing.TB, version int64, text string) Version {
	code := fmt.Sprintf("%s-v%d", topo, version)
	m.publishAs(t, code, conf.Conf{"version": version}, zipOf(t, member{name: "resources/a", data: text}))
	return Version{Number: version, Code: code}
}

// Whoever works in the resources of a version keeps that directory when other versions come.
func TestWorkingDirectoriesOutliveVersions(t *testing.T) {
	m := newMaster()
	publish := func(version int64, text string) Version { return m.publishVersion(t, version, text) }
	c := openCache(t, t.TempDir(), m)
	one := publish(1, "one")
	code, err := c.Acquire(t.Context(), topo, "u", one)
	if err != nil {
		t.Fatal(err)
	}
	if code.Dir != c.Dir(topo) || !c.Has(topo, one) || c.Has(topo, Version{Number: 2, Code: one.Code}) || c.Has(topo, Version{Number: 1, Code: "other"}) {
		t.Errorf("in %s: %v", code.Dir, c.entries[topo].here)
	}
	cwd, err := os.OpenRoot(filepath.Join(code.Dir, resourcesDir))
	if err != nil {
		t.Fatal(err)
	}
	defer cwd.Close()
	reads := func(want string) {
		t.Helper()
		if b, err := cwd.ReadFile("a"); err != nil || string(b) != want {
			t.Errorf("who works there reads %q: %v", b, err)
		}
	}
	update := func(v Version, text string) {
		t.Helper()
		if err := c.Update(t.Context(), topo, v); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(code.Dir, resourcesDir, "a")); err != nil || string(b) != text || !c.Has(topo, v) {
			t.Errorf("version %v has %q: %v", v, b, err)
		}
	}
	update(Version{Number: 2, Code: one.Code}, "one") // the next one went back to it before it was heard of here
	reads("one")
	update(publish(3, "one"), "one")
	now, err := os.Stat(filepath.Join(code.Dir, resourcesDir))
	if err != nil {
		t.Fatal(err)
	}
	if was, err := cwd.Stat("."); err != nil || !os.SameFile(was, now) {
		t.Errorf("the same files are in another directory: %v", err)
	}
	for v := range int64(keptFormer) {
		update(publish(4+v, fmt.Sprint(v)), fmt.Sprint(v))
		reads("one")
	}
	former := func() int { return strings.Count(strings.Join(names(t, code.Dir), " "), "/a") - 1 }
	if former() != keptFormer {
		t.Errorf("%d are kept", former())
	}
	update(publish(100, "last"), "last")
	if former() != keptFormer {
		t.Errorf("%d are kept", former())
	}
	if _, err := cwd.ReadFile("a"); err == nil {
		t.Error("all are kept")
	}
	if err := c.Release(topo, "u"); err != nil || len(treeOf(t, c.cfg.Dir)) != 0 {
		t.Errorf("left: %v, %v", treeOf(t, c.cfg.Dir), err)
	}
}

// A version in which a script may be executed, and nothing else of it is new, has it so.
func TestScriptMayBeExecutedFromAVersionOn(t *testing.T) {
	m := newMaster()
	c := openCache(t, t.TempDir(), m)
	publish := func(version int64, mode os.FileMode) Version {
		code := fmt.Sprintf("%s-v%d", topo, version)
		m.publishAs(t, code, conf.Conf{"version": version}, zipOf(t, member{name: "resources/a", data: "one", mode: mode}))
		return Version{Number: version, Code: code}
	}
	code, err := c.Acquire(t.Context(), topo, "u", publish(1, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Update(t.Context(), topo, publish(2, 0o755)); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(code.Dir, resourcesDir, "a")); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st, err)
	}
}

// The code of a version can be read at any moment while others take its place, if that is done as workers do: what is in the
// topology's directory, or in that of the former version if there is one afterwards.
func TestCodeOutlivesVersions(t *testing.T) {
	m := newMaster()
	c := openCache(t, t.TempDir(), m)
	code, err := c.Acquire(t.Context(), topo, "u", m.publishVersion(t, 0, ""))
	if err != nil {
		t.Fatal(err)
	}
	formerOf := func(v int64) string { return filepath.Join(code.Dir, compat.FormerName(compat.FormerCode, v)) }
	read := func(v int64) []byte {
		text, err := os.ReadFile(filepath.Join(code.Dir, confName))
		if _, there := os.Stat(formerOf(v)); there == nil {
			text, err = os.ReadFile(filepath.Join(formerOf(v), confName))
		}
		if err != nil {
			t.Errorf("version %d: %v", v, err)
		}
		return text
	}
	const versions = 2 * keptFormer
	for v := range int64(versions) {
		was := read(v)
		done, other := make(chan struct{}), make(chan int, 1)
		go func() {
			n := 0
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
				}
				if string(read(v)) != string(was) {
					n++
				}
			}
			other <- n
		}()
		next := m.publishVersion(t, v+1, fmt.Sprint(v%3)) // some have the same scripts
		if err := c.Update(t.Context(), topo, next); err != nil {
			t.Fatal(err)
		}
		close(done)
		if n := <-other; n > 0 {
			t.Errorf("version %d was another one %d times while %d came", v, n, v+1)
		}
		if st, err := os.Stat(filepath.Join(formerOf(v), codeName)); err != nil || st.Size() == 0 {
			t.Errorf("the topology of version %d: %v", v, err)
		}
	}
	all, err := formerIn(code.Dir, compat.FormerCode)
	if err != nil || len(all) != keptFormer || all[0] != filepath.Base(formerOf(versions-keptFormer)) {
		t.Errorf("code of %v is kept: %v", all, err)
	}
	if err := c.Release(topo, "u"); err != nil || len(treeOf(t, c.cfg.Dir)) != 0 {
		t.Errorf("left: %v, %v", treeOf(t, c.cfg.Dir), err)
	}
}

// Who is to read newer code may do so from the moment on in which it is there, with that of the version before.
func TestNewerCodeIsAdmittedBeforeItComes(t *testing.T) {
	m := newMaster()
	const mark = "admitted"
	dir := filepath.Join(t.TempDir(), "stormdist")
	c, err := Open(Config{Dir: dir, BlobDir: m.blobDir(t), From: m, Limits: smallLimits, Platform: "linux-test", Retries: -1, Reachable: m.reachable,
		Log: slog.New(slog.DiscardHandler), Admit: func(topology, fresh string) error {
			former := compat.FormerName(compat.FormerCode, 1)
			if topology != topo || isDir(filepath.Join(dir, topo)) && (!isDir(filepath.Join(fresh, former)) || isDir(filepath.Join(dir, topo, former))) {
				t.Errorf("%s is admitted to %s", topology, fresh)
			}
			return os.WriteFile(filepath.Join(fresh, mark), nil, 0o600)
		}})
	if err != nil {
		t.Fatal(err)
	}
	code, err := c.Acquire(t.Context(), topo, "u", m.publishVersion(t, 1, "one"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []Version{{}, m.publishVersion(t, 2, "two")} {
		if err := c.Update(t.Context(), topo, v); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(code.Dir, mark)); err != nil {
			t.Error(err)
		}
	}
	if !c.Has(topo, Version{Number: 2, Code: topo + "-v2"}) {
		t.Error("the second version did not come")
	}
}

package localizer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// Whoever works in the resources of a version keeps that directory when other versions come.
func TestWorkingDirectoriesOutliveVersions(t *testing.T) {
	m := newMaster()
	publish := func(version int64, text string) Version {
		code := fmt.Sprintf("%s-v%d", topo, version)
		m.publishAs(t, code, conf.Conf{}, zipOf(t, member{name: "resources/a", data: text}))
		return Version{Number: version, Code: code}
	}
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
	update(publish(2, "one"), "one")
	now, err := os.Stat(filepath.Join(code.Dir, resourcesDir))
	if err != nil {
		t.Fatal(err)
	}
	if was, err := cwd.Stat("."); err != nil || !os.SameFile(was, now) {
		t.Errorf("the same files are in another directory: %v", err)
	}
	for v := range int64(keptFormer) {
		update(publish(3+v, fmt.Sprint(v)), fmt.Sprint(v))
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

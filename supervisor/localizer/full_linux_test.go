package localizer

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/testdisk"
)

func TestFullDisk(t *testing.T) {
	disk := testdisk.Small(t, "512k")
	if disk == "" {
		return
	}
	m := newMaster()
	m.store = filepath.Join(disk, "blobs")
	m.publish(t, conf.Conf{}, nil)
	big := func(b string) []byte { return []byte(strings.Repeat(b, 300<<10)) }
	m.put("a", big("a"))
	m.put("b", big("b"))
	m.publishAs(t, topo, withBlob("a", "words"), nil)
	m.publishAs(t, other, withBlob("b", "words"), nil)
	c := openCache(t, filepath.Join(disk, "dist"), m)
	acquire(t, c, topo, 0)
	before := treeOf(t, disk)

	_, err := c.Acquire(t.Context(), other, "u", Version{})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "fetch blob b") || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("on a full disk: %v", err)
	}
	if after := treeOf(t, disk); len(after) != len(before) {
		t.Errorf("half of it is left: %d files, were %d", len(after), len(before))
	}
	if content(t, c.cfg.Dir, topo, "words") != string(big("a")) {
		t.Error("what was there is damaged")
	}
	// An update that does not fit changes nothing.
	m.put("a", big("A"))
	if err := c.Update(t.Context(), topo, Version{}); !errors.Is(err, syscall.ENOSPC) || content(t, c.cfg.Dir, topo, "words") != string(big("a")) {
		t.Errorf("update on a full disk: %v", err)
	}
	// What nobody uses gives way.
	if err := c.Release(topo, "u"); err != nil {
		t.Fatal(err)
	}
	if code := acquire(t, c, other, 0); content(t, code.Dir, "words") != string(big("b")) {
		t.Error("other words")
	}
}

package localizer

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
)

const smallDisk = "TEST_SMALL_DISK"

// onSmallDisk runs the test once more, in a process with a mount namespace of its own, and there gives a directory on a disk of
// that many bytes. In the calling process it gives "" when that is over.
func onSmallDisk(t *testing.T, size string) string {
	t.Helper()
	if dir := os.Getenv(smallDisk); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("no mount namespaces here")
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("on a small disk: %v\n%s", err, out)
	}
	return ""
}

func TestFullDisk(t *testing.T) {
	disk := onSmallDisk(t, "512k")
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

	_, err := c.Acquire(t.Context(), other, "u", 0)
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
	if err := c.Update(t.Context(), topo, 0); !errors.Is(err, syscall.ENOSPC) || content(t, c.cfg.Dir, topo, "words") != string(big("a")) {
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

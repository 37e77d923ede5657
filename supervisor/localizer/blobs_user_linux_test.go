package localizer

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// nobody is a user that owns nothing here.
const nobody = 65534

// A worker that runs as somebody else reads its blobs, also those that came while it runs, and cannot list them.
func TestAnotherUserReadsBlobs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root")
	}
	as := func(name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.Output()
		return string(out), err
	}
	m := newMaster()
	m.publish(t, withBlob("words.txt", "words"), nil)
	m.put("words.txt", []byte("old"))
	dir := t.TempDir()
	store := filepath.Join(dir, "usercache")
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Open(Config{Dir: filepath.Join(dir, "stormdist"), BlobDir: store, From: m, Limits: smallLimits, Platform: "linux-test",
		Retries: -1, OpenToAll: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	code := acquire(t, c, topo, 0)
	for _, want := range []string{"old", "new"} {
		if want == "new" {
			m.put("words.txt", []byte("new"))
			update(t, c, topo, 0)
		}
		link, err := os.Readlink(filepath.Join(code.Dir, "words"))
		if err != nil {
			t.Fatal(err)
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(code.Dir, link)
		}
		if got, err := as("cat", link); err != nil || got != want {
			t.Errorf("another user reads %q, %v, want %q", got, err, want)
		}
	}
	if out, err := as("ls", store); err == nil {
		t.Errorf("another user lists the blobs: %s", out)
	}
}

package testdisk

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// env tells the second run of a test where its disk belongs.
const env = "TEST_SMALL_DISK"

// Small runs the test that calls it once more, in a process with a mount namespace of its own, and there returns a directory
// on a disk of size (a number with k or m). In the calling process it returns "" when that is over, and the test has nothing
// left to do. It skips the test where nobody may mount.
func Small(t *testing.T, size string) string {
	t.Helper()
	if dir := os.Getenv(env); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env+"="+t.TempDir())
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

//go:build cgroupv2

// Run by make isolation-v2, in a machine with control groups of version 2.

package cgroup

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A supervisor in a group that was delegated to it, as systemd does it, stays in there and moves aside.
func TestDelegatedGroup(t *testing.T) {
	h, err := readHost("/")
	if err != nil {
		t.Fatal(err)
	}
	if !h.unified() || os.Getuid() != 0 {
		t.Fatal("needs control groups of version 2 and root; make isolation-v2 has both")
	}
	for name, uid := range map[string]uint32{"marked by systemd": 0, "given to a user": 65534} {
		t.Run(name, func(t *testing.T) {
			o := testOptions()
			unit := filepath.Join(h.v2, "unit-"+o.Node)
			for _, c := range wanted {
				if err := os.WriteFile(filepath.Join(h.v2, "cgroup.subtree_control"), []byte("+"+c), 0); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(unit, 0o755); err != nil {
				t.Fatal(err)
			}
			dir := workDir(t)
			for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
				os.Chmod(d, 0o777)
			}
			if uid == 0 {
				err = unix.Setxattr(unit, "trusted.delegate", []byte("1"), 0)
			} else {
				for _, f := range []string{"", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"} {
					err = os.Chown(filepath.Join(unit, f), int(uid), int(uid))
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			door, err := os.Open(unit)
			if err != nil {
				t.Fatal(err)
			}
			defer door.Close()
			s := exec.Command(os.Args[0], "supervisor")
			s.Env = append(os.Environ(), "TEST_NODE="+o.Node, "TEST_DIR="+dir)
			s.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(door.Fd()), Credential: &syscall.Credential{Uid: uid, Gid: uid}}
			out, err := s.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			defer func() {
				os.WriteFile(filepath.Join(unit, "cgroup.kill"), []byte("1"), 0)
				s.Wait()
				until(t, "the unit is gone", func() bool {
					removeTree(unit)
					_, err := os.Stat(unit)
					return os.IsNotExist(err)
				})
			}()
			var pid int
			if _, err := fmt.Sscanf(line, "pid %d", &pid); err != nil {
				t.Fatalf("supervisor: %q, %v", line, err)
			}
			for pid, want := range map[int]string{
				s.Process.Pid: filepath.Join("/unit-"+o.Node, supervisorLeaf),
				pid:           filepath.Join("/unit-"+o.Node, o.Name, o.Node, filepath.Base(dir)),
			} {
				if got, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid)); err != nil || strings.TrimSpace(string(got)) != "0::"+want {
					t.Errorf("process %d is in %q, want %s; %v", pid, got, want, err)
				}
			}
		})
	}
}

// removeTree removes groups from the bottom up.
func removeTree(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeTree(filepath.Join(dir, e.Name()))
		}
	}
	os.Remove(dir)
}

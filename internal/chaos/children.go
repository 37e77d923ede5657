package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Children lists the processes that run for the cluster with an argument of that name, or with a path that ends with it: scripts of its
// topologies, and programs in Java.
func (c *Cluster) Children(name string) (pids []int) {
	for _, pid := range marked(c.mark) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue
		}
		if slices.ContainsFunc(strings.Split(string(b), "\x00"), func(arg string) bool { return filepath.Base(arg) == name }) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// KillChild kills a process of the cluster (SIGKILL). It says false if that had ended.
func (c *Cluster) KillChild(pid int) bool { return kill(pid, c.mark) }

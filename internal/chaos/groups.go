package chaos

import (
	"os"
	"path/filepath"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// note keeps the ids of supervisors for removeGroups.
func (c *Cluster) note(all []*stormrpc.SupervisorSummary) {
	if c.ids == nil {
		c.ids = make(map[string]bool)
	}
	for _, s := range all {
		c.ids[s.SupervisorID] = true
	}
}

// removeGroups removes the control groups of the cluster's supervisors and their workers, which have ended. A supervisor that was
// killed leaves them empty to the next one of its node; there is none. A group that is in use stays.
func (c *Cluster) removeGroups() {
	for id := range c.ids {
		if id != filepath.Base(id) {
			continue
		}
		for _, pattern := range []string{"*/storm/" + id + "/*", "storm/" + id + "/*", "*/storm/" + id, "storm/" + id} {
			groups, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", pattern))
			for _, g := range groups {
				if st, err := os.Lstat(g); err == nil && st.IsDir() {
					os.Remove(g) // the kernel refuses one that is not empty
				}
			}
		}
	}
}

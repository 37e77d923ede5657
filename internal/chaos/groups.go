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

// removeGroups removes the control groups of the cluster's supervisors and their workers, which have ended.
func (c *Cluster) removeGroups() {
	for id := range c.ids {
		RemoveGroups(id)
	}
}

// RemoveGroups removes the control groups of a supervisor and its workers and tells whether none is left. A supervisor that was
// killed leaves them empty to the next one of its node; use this where there is none. A group that is in use stays.
func RemoveGroups(supervisor string) (all bool) {
	all = true
	if supervisor == "" || supervisor != filepath.Base(supervisor) {
		return all // no name of a group
	}
	own := "storm/" + supervisor
	for _, pattern := range []string{"*/" + own + "/*", own + "/*", "*/" + own, own} {
		groups, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", pattern))
		for _, g := range groups {
			if st, err := os.Lstat(g); err == nil && st.IsDir() && os.Remove(g) != nil {
				all = false
			}
		}
	}
	return all
}

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fscommon"
	"golang.org/x/sys/unix"
)

// supervisorLeaf is the group that a supervisor moves into when it sits in the group that was delegated to it; systemd's
// DelegateSubgroup= is to name it.
const supervisorLeaf = "supervisor"

// openV2 finds the group to make groups in and has it pass controllers on.
func (i *Isolator) openV2(h host) error {
	i.version = 2
	own := filepath.Join(h.v2, strings.TrimSuffix(h.own[""], "/"+supervisorLeaf))
	switch {
	case i.o.Dir != "":
		if !within(i.o.Dir, h.v2) {
			return fmt.Errorf("storm.cgroup.hierarchy.dir is %s, control groups are mounted at %s", i.o.Dir, h.v2)
		}
		i.delegated = i.o.Dir
	case isDelegated(own) || os.Getuid() != 0:
		i.delegated, i.moves = own, true
	default:
		i.delegated = h.v2
		_, err := os.Stat(filepath.Join(h.v2, "cgroup.type"))
		i.moves = err == nil // the mount shows not the first group of all but a container's, with processes in it
	}
	base := filepath.Join(i.delegated, i.o.Name, i.o.Node)
	i.bases[""] = base
	if err := os.MkdirAll(base, 0o755); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	refused, err := i.delegate()
	if err != nil {
		i.removeRoot()
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	i.name = "cgroup v2"
	text, err := cgroups.ReadFile(base, "cgroup.subtree_control")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	passed := strings.Fields(text)
	for _, c := range i.needed() {
		if slices.Contains(passed, c) {
			continue
		}
		i.missing[c] = refused[c]
		if i.missing[c] == "" {
			i.missing[c] = i.delegated + " does not have it"
		}
	}
	if !i.has("cpu") && !i.has("memory") && !i.has("pids") {
		i.removeRoot()
		return fmt.Errorf("%w: cpu: %s; memory: %s; pids: %s", ErrUnavailable, i.missing["cpu"], i.missing["memory"], i.missing["pids"])
	}
	return nil
}

// isDelegated looks for the mark that systemd leaves on groups of units with Delegate=.
func isDelegated(dir string) bool {
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(dir, name, value); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// delegate has the groups from delegated down to the node's pass on the controllers that they have. One that cannot be
// passed on is missing in the end, for the reason in refused. A group with processes in it must not be asked: some
// controllers it would pass on all the same, and turn into a group whose children take no processes.
func (i *Isolator) delegate() (refused map[string]string, err error) {
	base := i.bases[""]
	refused = map[string]string{}
	for _, dir := range []string{i.delegated, filepath.Dir(base), base} {
		have, err := cgroups.ReadFile(dir, "cgroup.controllers")
		if err != nil {
			return nil, err
		}
		passed, err := cgroups.ReadFile(dir, "cgroup.subtree_control")
		if err != nil {
			return nil, err
		}
		for _, c := range i.needed() {
			if !slices.Contains(strings.Fields(have), c) || slices.Contains(strings.Fields(passed), c) {
				continue
			}
			if why := i.occupied(dir); why != "" {
				refused[c] = why
				continue
			}
			err := cgroups.WriteFile(dir, "cgroup.subtree_control", "+"+c)
			if errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
			if err != nil {
				refused[c] = fmt.Sprintf("%s cannot pass it on: %v", dir, err)
			}
		}
	}
	return refused, nil
}

// occupied says why a group cannot pass controllers on: it holds processes and is not the first of all. This process moves
// out of the way.
func (i *Isolator) occupied(dir string) string {
	if _, err := os.Stat(filepath.Join(dir, "cgroup.type")); err != nil {
		return ""
	}
	pids, err := cgroups.GetPids(dir)
	if err == nil && i.moves && dir == i.delegated && slices.Contains(pids, os.Getpid()) {
		if err := i.moveAside(); err != nil {
			return fmt.Sprintf("%s holds this process, which cannot move out: %v", dir, err)
		}
		pids, err = cgroups.GetPids(dir)
	}
	if err != nil || len(pids) > 0 {
		return fmt.Sprintf("%s holds %d other processes, so it cannot pass it on", dir, len(pids))
	}
	return ""
}

// moveAside puts this process into a leaf: a group that passes controllers on may not hold processes.
func (i *Isolator) moveAside() error {
	leaf := filepath.Join(i.delegated, supervisorLeaf)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return cgroups.WriteFile(leaf, "cgroup.procs", "0")
}

// cageV2 is a group of version 2.
type cageV2 struct {
	*group
	dir  string
	door *os.File
}

// Configure has the process start inside the group.
func (c *cageV2) Configure(cmd *exec.Cmd) error {
	f, err := os.OpenFile(c.dir, os.O_RDONLY|syscall.O_DIRECTORY|unix.O_PATH, 0)
	if err != nil {
		return err
	}
	c.door = f
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(f.Fd())
	return nil
}

// Entrances are not needed.
func (*cageV2) Entrances() []string { return nil }

// Started closes the way in.
func (c *cageV2) Started() {
	if c.door != nil {
		c.door.Close()
		c.door = nil
	}
}

// Watch has nothing to do: the kernel ends the whole group (memory.oom.group).
func (*cageV2) Watch(func()) {}

// OutOfMemory reads the group's counter.
func (c *cageV2) OutOfMemory() bool {
	n, err := fscommon.GetValueByKey(c.dir, "memory.events", "oom_kill")
	return err == nil && n > 0
}

// Kill ends all at once where the kernel can (5.14), else one by one.
func (c *cageV2) Kill() int {
	pids, err := cgroups.GetAllPids(c.dir)
	if err != nil || len(pids) == 0 {
		return 0
	}
	if cgroups.WriteFile(c.dir, "cgroup.kill", "1") != nil {
		for _, pid := range pids {
			killMember(c.dir, pid)
		}
	}
	return len(pids)
}

package cgroup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fscommon"
	"golang.org/x/sys/unix"
)

// openV1 finds a base for each controller in which groups can be made.
func (i *Isolator) openV1(h host) error {
	i.version = 1
	var use []string
	for _, c := range i.needed() {
		if c == "io" {
			c = "blkio"
		}
		use = append(use, c)
	}
	if !i.o.NoCPU || h.v1["cpuacct"] != h.v1["cpu"] { // one directory for both would be a group of the processor
		use = append(use, "cpuacct")
	}
	if i.o.Cpuset {
		use = append(use, "cpuset")
	}
	if i.o.Dir != "" && !slices.ContainsFunc(use, func(c string) bool { return h.v1[c] != "" && within(i.o.Dir, h.v1[c]) }) {
		return fmt.Errorf("storm.cgroup.hierarchy.dir is %s, where no control groups are mounted", i.o.Dir)
	}
	for _, c := range use {
		at := h.v1[c]
		switch {
		case at == "":
			i.missing[c] = "not mounted"
			continue
		case i.o.Dir != "" && within(i.o.Dir, at):
			at = i.o.Dir
		case os.Getuid() != 0:
			at = filepath.Join(at, h.own[c]) // what belongs to another user cannot be used, what was given to this one may
		}
		base := filepath.Join(at, i.o.Name, i.o.Node)
		if err := os.MkdirAll(base, 0o755); err != nil {
			i.missing[c] = err.Error()
			continue
		}
		i.bases[c] = base
	}
	if why, ok := i.missing["blkio"]; ok {
		i.missing["io"] = why
		delete(i.missing, "blkio")
	}
	i.name = "cgroup v1"
	for _, c := range wanted {
		if i.bases[c] != "" {
			return nil
		}
	}
	i.removeRoot()
	return fmt.Errorf("%w: cpu: %s; memory: %s; pids: %s", ErrUnavailable, i.missing["cpu"], i.missing["memory"], i.missing["pids"])
}

// within says whether dir is at or below a mount.
func within(dir, mount string) bool {
	rel, err := filepath.Rel(mount, dir)
	return err == nil && filepath.IsLocal(rel)
}

// inheritCpuset fills in what a new group of version 1 leaves empty: without it no process can enter.
func (i *Isolator) inheritCpuset(worker string) error {
	base, ok := i.bases["cpuset"]
	if !ok {
		return nil
	}
	dirs := []string{filepath.Dir(base), base}
	if worker != "" {
		dirs = []string{filepath.Join(base, worker)}
	}
	for _, dir := range dirs {
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			text, err := cgroups.ReadFile(filepath.Dir(dir), file)
			if err == nil {
				err = cgroups.WriteFile(dir, file, text)
			}
			if err != nil {
				return fmt.Errorf("inherit %s: %w", file, err)
			}
		}
	}
	return nil
}

// cageV1 is a group of version 1: a directory in each hierarchy.
type cageV1 struct {
	*group
	closing sync.Once
	closed  chan struct{}
	mu      sync.Mutex // held by Kill
}

func newCageV1(g *group) *cageV1 { return &cageV1{group: g, closed: make(chan struct{})} }

// Configure has nothing to do: the process enters by itself.
func (*cageV1) Configure(*exec.Cmd) error { return nil }

// Entrances are the process lists of all hierarchies.
func (c *cageV1) Entrances() []string {
	var out []string
	for _, dir := range c.of.dirs(c.worker) {
		out = append(out, filepath.Join(dir, "cgroup.procs"))
	}
	return out
}

func (c *cageV1) dir(controller string) string {
	base, ok := c.of.bases[controller]
	if !ok {
		return ""
	}
	return filepath.Join(base, c.worker)
}

// OutOfMemory reads the group's counter, which has been there since Linux 4.13.
func (c *cageV1) OutOfMemory() bool {
	dir := c.dir("memory")
	if dir == "" {
		return false
	}
	n, err := fscommon.GetValueByKey(dir, "memory.oom_control", "oom_kill")
	return err == nil && n > 0
}

// Watch waits for a lack of memory in the group. The kernel ends one process then; the others go too, so that a worker and
// its children do not live on in part.
func (c *cageV1) Watch(kill func()) {
	events, err := c.events()
	if err != nil {
		<-c.closed
		return
	}
	go func() {
		<-c.closed
		events.Close()
	}()
	for {
		if c.OutOfMemory() {
			kill()
		}
		if _, err := io.ReadFull(events, make([]byte, 8)); err != nil {
			return
		}
		c.settle()
	}
}

// settle waits until the kernel has done what it told of: the event comes first.
func (c *cageV1) settle() {
	for deadline := time.Now().Add(2 * time.Second); !c.OutOfMemory() && time.Now().Before(deadline); {
		select {
		case <-c.closed:
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// events is readable with every lack of memory.
func (c *cageV1) events() (*os.File, error) {
	dir := c.dir("memory")
	if dir == "" {
		return nil, errors.New("no memory controller")
	}
	control, err := cgroups.OpenFile(dir, "memory.oom_control", unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "memory events")
	if err := cgroups.WriteFile(dir, "cgroup.event_control", fmt.Sprintf("%d %d", fd, control.Fd())); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// killPasses bounds how often Kill looks for processes that were forked while it read the list, where it cannot forbid that.
const killPasses = 10

// Kill forbids the group to fork and then signals what is in it. (A frozen group would keep still, too, but nothing in it
// could end before it is thawed; with its supervisor killed in between it would stay for ever.)
func (c *cageV1) Kill() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir := c.of.dirs(c.worker)[0]
	if pids := c.dir("pids"); pids != "" {
		dir = pids
	}
	signalled := map[int]bool{}
	for range killPasses {
		pids, err := cgroups.GetAllPids(dir)
		if err != nil || len(pids) == 0 {
			return len(signalled)
		}
		if len(signalled) == 0 && c.dir("pids") != "" {
			cgroups.WriteFile(dir, "pids.max", "0")
		}
		more := false
		for _, pid := range pids {
			if !signalled[pid] {
				signalled[pid], more = true, true
				killMember(dir, pid)
			}
		}
		if !more {
			break
		}
	}
	return len(signalled)
}

// killMember signals a process that is in a group or below it. The group is looked up after the process cannot be mistaken
// for another any more.
func killMember(dir string, pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	now, err := cgroups.GetAllPids(dir)
	if err != nil {
		return
	}
	for _, p := range now {
		if p == pid {
			unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			return
		}
	}
}

// Release removes the group.
func (c *cageV1) Release() {
	c.Forget()
	c.group.Release()
}

// Forget ends Watch.
func (c *cageV1) Forget() { c.closing.Do(func() { close(c.closed) }) }

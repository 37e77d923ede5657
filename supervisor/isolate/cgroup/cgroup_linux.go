package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/cgroups"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// Isolator makes a control group for each worker.
type Isolator struct {
	o       Options
	name    string
	version int
	// bases are the directories that the groups of this node are in, by controller; for version 2 by "".
	bases map[string]string
	// delegated is the directory from which on controllers are to be enabled (version 2).
	delegated string
	// moves says that this process has to leave delegated first.
	moves bool
	// missing says by controller why it is not used.
	missing map[string]string
	device  string // of Options.Disk, major:minor

	mu sync.Mutex // held while groups are made and removed
}

// Open finds the hierarchies and tries that groups can be made. It wraps ErrUnavailable if none can.
func Open(o Options) (*Isolator, error) {
	if !plain(o.Name) || !plain(o.Node) {
		return nil, fmt.Errorf("control groups cannot be named %q and %q: letters, digits, dots, dashes and underscores only", o.Name, o.Node)
	}
	if o.Root == "" {
		o.Root = "/"
	}
	h, err := readHost(o.Root)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	i := &Isolator{o: o, bases: map[string]string{}, missing: map[string]string{}}
	if o.Disk != "" {
		if i.device, err = diskOf(o.Disk); err != nil {
			return nil, fmt.Errorf("find the disk of %s: %w", o.Disk, err)
		}
	}
	if h.unified() {
		err = i.openV2(h)
	} else {
		err = i.openV1(h)
	}
	if err != nil {
		return nil, err
	}
	i.removeRoot() // until the first worker
	i.removeStale()
	return i, nil
}

// staleAge is how old an empty group of another node has to be before it counts as left behind: one that was just made waits
// for its worker.
const staleAge = 2 * time.Minute

// removeStale removes empty groups of nodes that are no more: with a supervisor and its workers killed, and its directory
// deleted, nobody else would. A group with a process in it cannot be removed, so nobody is hurt.
func (i *Isolator) removeStale() {
	for _, base := range i.dirs("") {
		shared := filepath.Dir(base)
		nodes, _ := os.ReadDir(shared)
		for _, n := range nodes {
			node := filepath.Join(shared, n.Name())
			if !n.IsDir() || node == base {
				continue
			}
			workers, _ := os.ReadDir(node)
			for _, w := range workers {
				removeOld(filepath.Join(node, w.Name()))
			}
			removeOld(node)
		}
	}
}

func removeOld(dir string) {
	if st, err := os.Stat(dir); err == nil && st.IsDir() && time.Since(st.ModTime()) > staleAge {
		os.Remove(dir)
	}
}

// Name is a phrase for logs.
func (i *Isolator) Name() string { return i.name }

// Missing lists by controller why it is not used.
func (i *Isolator) Missing() map[string]string { return i.missing }

// plain says whether a name can be one directory and mean nothing else: worker ids come from the network and the disk.
func plain(name string) bool {
	if name == "" || len(name) > 128 || strings.Trim(name, ".") == "" {
		return false
	}
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// dirs are the directories of a worker, each once.
func (i *Isolator) dirs(worker string) []string {
	var out []string
	for _, base := range i.bases {
		out = append(out, filepath.Join(base, worker))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Cage makes the group of a worker, with its limits.
func (i *Isolator) Cage(worker string, l isolate.Limits) (isolate.Cage, error) {
	if !plain(worker) {
		return nil, fmt.Errorf("worker id %q cannot name a control group", worker)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.makeRoot(); err != nil {
		return nil, err
	}
	g := &group{of: i, worker: worker}
	for _, dir := range i.dirs(worker) {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			g.removeLocked()
			return nil, err
		}
	}
	err := i.inheritCpuset(worker)
	if err == nil {
		err = i.set(worker, l, true)
	}
	if err != nil {
		g.removeLocked()
		return nil, err
	}
	return g.cage(), nil
}

// Find gives the group of a worker, which may be gone.
func (i *Isolator) Find(worker string) isolate.Cage {
	if !plain(worker) {
		return isolate.None{}.Find(worker)
	}
	return (&group{of: i, worker: worker}).cage()
}

// sweepPatience bounds the wait for the end of what SIGKILL was sent to.
const sweepPatience = 10 * time.Second

// Sweep ends what is in groups of this node whose workers are not kept, and removes them.
func (i *Isolator) Sweep(keep map[string]bool) error {
	var errs []error
	for _, base := range i.bases {
		entries, err := os.ReadDir(base)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if !e.IsDir() || keep[e.Name()] || !plain(e.Name()) {
				continue
			}
			cage := i.Find(e.Name())
			for deadline := time.Now().Add(sweepPatience); cage.Kill() > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					errs = append(errs, fmt.Errorf("processes in %s do not end", filepath.Join(base, e.Name())))
					break
				}
			}
			cage.Release()
		}
	}
	return errors.Join(errs...)
}

// makeRoot makes the directories above the workers', with the limits of all. Another supervisor may be removing the
// shared one at this moment, as this one does.
func (i *Isolator) makeRoot() error {
	var err error
	for try := 0; try < 5; try++ {
		if err = i.tryRoot(); !errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("make control groups of the node: %w", err)
	}
	return nil
}

func (i *Isolator) tryRoot() error {
	for _, base := range i.dirs("") {
		if err := os.MkdirAll(base, 0o755); err != nil {
			return err
		}
	}
	if i.version == 2 {
		if _, err := i.delegate(); err != nil {
			return err
		}
	}
	if err := i.inheritCpuset(""); err != nil {
		return err
	}
	if err := i.set("", i.o.All, false); err != nil {
		return err
	}
	// The directory above holds nodes only. With the usual weight all workers together would be worth as much as one process beside them.
	return i.set("..", isolate.Limits{CPU: i.o.All.CPU}, false)
}

// removeRoot removes those directories if there is no worker and no other supervisor.
func (i *Isolator) removeRoot() {
	for _, base := range i.dirs("") {
		if os.Remove(base) == nil {
			os.Remove(filepath.Dir(base))
		}
	}
}

// group is one worker's.
type group struct {
	of     *Isolator
	worker string
}

func (g *group) cage() isolate.Cage {
	if g.of.version == 2 {
		return &cageV2{group: g, dir: filepath.Join(g.of.bases[""], g.worker)}
	}
	return newCageV1(g)
}

// remove removes the group, in which no process is left but those that are about to end.
func (g *group) remove() {
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	g.removeLocked()
}

func (g *group) removeLocked() {
	for _, dir := range g.of.dirs(g.worker) {
		cgroups.RemovePath(dir)
	}
	g.of.removeRoot()
}

// Started has nothing to do.
func (*group) Started() {}

// Release removes the group.
func (g *group) Release() { g.remove() }

// Forget leaves the group as it is.
func (*group) Forget() {}

// Set writes other limits. A zero leaves the one that was.
func (g *group) Set(l isolate.Limits) error { return g.of.set(g.worker, l, true) }

// Usage is read from the group's counters.
func (g *group) Usage() isolate.Usage { return g.of.usage(g.worker) }

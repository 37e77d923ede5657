package integration

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
)

// process is one process of a cluster.
type process struct {
	pid, parent int
	start       string // tells it from another one that gets its number later
	args        []string
}

func (p process) isWorker() bool { return len(p.args) > 1 && p.args[1] == "worker" }

// isScript says whether the process runs a script of the cluster's topologies, under whatever interpreter.
func (p process) isScript(name string) bool {
	return len(p.args) > 1 && filepath.Base(p.args[len(p.args)-1]) == name
}

func (p process) String() string {
	return fmt.Sprintf("%d (child of %d): %s", p.pid, p.parent, strings.Join(p.args, " "))
}

// processes lists what runs for the cluster in dir, by pid. It knows them by their environment, wherever they moved to.
// It needs /proc.
func processes(t *testing.T, dir string) map[int]process {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		missing(t, "no /proc: %v", err)
	}
	found := map[int]process{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := inspect(pid, clusterEnv+"="+dir); ok {
			found[pid] = p
		}
	}
	return found
}

// inspect reads a process that was started with mark in its environment. False for others, and for one that has ended.
func inspect(pid int, mark string) (process, bool) {
	folder := fmt.Sprintf("/proc/%d/", pid)
	env, err := os.ReadFile(folder + "environ")
	if err != nil || !slices.Contains(strings.Split(string(env), "\x00"), mark) {
		return process{}, false
	}
	args, err := os.ReadFile(folder + "cmdline")
	if err != nil {
		return process{}, false
	}
	stat, err := os.ReadFile(folder + "stat")
	if err != nil {
		return process{}, false
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from field 3 of proc(5), the state
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return process{}, false
	}
	p := process{pid: pid, start: f[19], args: strings.Split(strings.TrimRight(string(args), "\x00"), "\x00")}
	p.parent, _ = strconv.Atoi(f[1])
	return p, true
}

// workers lists the cluster's workers.
func (c *cluster) workers(t *testing.T) map[int]process {
	t.Helper()
	all := processes(t, c.dir)
	maps.DeleteFunc(all, func(_ int, p process) bool { return !p.isWorker() })
	return all
}

// scripts lists the processes of one script.
func (c *cluster) scripts(t *testing.T, name string) map[int]process {
	t.Helper()
	all := processes(t, c.dir)
	maps.DeleteFunc(all, func(_ int, p process) bool { return !p.isScript(name) })
	return all
}

// same says whether two lists hold the very same processes.
func same(a, b map[int]process) bool {
	return maps.EqualFunc(a, b, func(p, q process) bool { return p.start == q.start })
}

// any1 returns one of the processes.
func any1(t *testing.T, ps map[int]process) process {
	t.Helper()
	for _, p := range ps {
		return p
	}
	t.Fatal("no such process runs")
	return process{}
}

// signal sends sig to a process of the cluster.
func (p process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.pid, sig); err != nil {
		t.Fatalf("send %v to %v: %v", sig, p, err)
	}
}

// noneLeft fails the test if something of the cluster in dir still runs after a while, and ends it. A supervisor that was
// killed leaves empty control groups to the next one of its node, which there is not going to be.
func noneLeft(t *testing.T, dir string) {
	t.Helper()
	defer removeGroups(dir)
	var left map[int]process
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if left = processes(t, dir); len(left) == 0 {
			return
		}
	}
	for _, p := range left {
		t.Errorf("left behind: %v", p)
		syscall.Kill(p.pid, syscall.SIGKILL)
	}
}

// removeGroups removes the control groups of the supervisors below dir and tells whether none is left.
func removeGroups(dir string) (all bool) {
	all = true
	for _, above := range []string{"*", "*/*", "*/*/*"} {
		ids, _ := filepath.Glob(filepath.Join(dir, above, "supervisor", "id"))
		for _, file := range ids {
			id, err := os.ReadFile(file)
			all = err == nil && chaos.RemoveGroups(strings.TrimSpace(string(id))) && all
		}
	}
	return all
}

// rss returns the resident memory of a process in bytes.
func rss(t testing.TB, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		if kb, ok := strings.CutPrefix(l, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(kb)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmRSS in the status of the process")
	return 0
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The clock of /proc/PID/stat ticks a hundred times a second on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// process is one line of /proc/PID/stat.
type process struct {
	pid, parent, session int
	cpu                  time.Duration // of all its threads, not of its children
}

// parseStat reads /proc/PID/stat. The second field, a name in parentheses, may contain blanks.
func parseStat(stat string) (p process, ok bool) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return p, false
	}
	rest := strings.Fields(stat[end+1:])
	if len(rest) < 13 {
		return p, false
	}
	p.pid, _ = strconv.Atoi(strings.TrimSpace(stat[:open]))
	p.parent, _ = strconv.Atoi(rest[1])
	p.session, _ = strconv.Atoi(rest[3])
	user, _ := strconv.ParseInt(rest[11], 10, 64)
	system, _ := strconv.ParseInt(rest[12], 10, 64)
	p.cpu = time.Duration(user+system) * tick
	return p, p.pid > 0
}

// processes lists all processes of this machine.
func processes() (all []process) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path) // a process may have ended since
		if p, ok := parseStat(string(text)); err == nil && ok {
			all = append(all, p)
		}
	}
	return all
}

// below returns the processes among all that descend from root, without it.
func below(all []process, root int) (out []process) {
	known := []int{root}
	for i := 0; i < len(known); i++ {
		for _, p := range all {
			if p.parent == known[i] && p.pid != root {
				known = append(known, p.pid)
				out = append(out, p)
			}
		}
	}
	return out
}

// spent is the processor time of each process, by id.
type spent map[int]time.Duration

func spentBy(list []process) spent {
	s := spent{}
	for _, p := range list {
		s[p.pid] = p.cpu
	}
	return s
}

// since is what s has over old; processes that are new count from their start.
func (s spent) since(old spent) (d time.Duration) {
	for pid, cpu := range s {
		d += cpu - old[pid]
	}
	return d
}

// busy is the processor time that this machine has spent on anything.
func busy() time.Duration {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	f := strings.Fields(line)
	if len(f) < 9 {
		return 0
	}
	var ticks int64
	for _, i := range []int{1, 2, 3, 6, 7, 8} { // user nice system, irq softirq steal
		n, _ := strconv.ParseInt(f[i], 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * tick
}

// residentMiB returns the resident memory of a process.
func residentMiB(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(f[1], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no resident memory", pid)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

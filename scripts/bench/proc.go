package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The clock of /proc/PID/stat ticks a hundred times a second on every Linux that Go runs on.
const tick = 10_000_000 // ns

// childrenCPU returns the processor time in ns of the processes whose parent is pid.
func childrenCPU(pid int) (ns int64) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		pids, _ := os.ReadFile(list)
		for child := range strings.FieldsSeq(string(pids)) {
			stat, _ := os.ReadFile(filepath.Join("/proc", child, "stat"))
			// The second field, a name in parentheses, may contain blanks; utime is the 12th one after it.
			rest := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
			if len(rest) > 12 {
				user, _ := strconv.ParseInt(rest[11], 10, 64)
				system, _ := strconv.ParseInt(rest[12], 10, 64)
				ns += (user + system) * tick
			}
		}
	}
	return ns
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

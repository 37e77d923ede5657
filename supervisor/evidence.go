package supervisor

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// clockTicks is how many ticks of processor time /proc counts a second: the kernel's USER_HZ, 100 wherever Go runs.
	clockTicks = 100
	// pressureTold is from how many per cent of stalled time on the pressure of the host is told.
	pressureTold = 10.0
	// longestLook bounds the time in which a process is watched.
	longestLook = time.Second
)

// stateNames are the letters of /proc/<pid>/stat.
var stateNames = map[string]string{
	"R": "running", "S": "sleeping", "D": "in an uninterruptible system call, mostly of a disk", "T": "stopped by a signal",
	"t": "stopped by a debugger", "Z": "ended, its parent has not noticed", "I": "idle", "X": "ended",
}

// evidence watches a process for a moment and says what it looks like from outside, for people: whether it lives, its state,
// whether its processor time moves, and whether the whole host is under pressure.
func evidence(ctx context.Context, pid int, look time.Duration) string {
	before, ok := readUsage(pid)
	if !ok {
		return fmt.Sprintf("its process %d cannot be seen", pid)
	}
	began := time.Now()
	select {
	case <-time.After(look):
	case <-ctx.Done():
	}
	after, ok := readUsage(pid)
	if !ok {
		return fmt.Sprintf("its process %d has just ended", pid)
	}
	used := 100 * float64(after.ticks-before.ticks) / clockTicks / max(time.Since(began), time.Millisecond).Seconds()
	text := fmt.Sprintf("process %d alive, state %s (%s), ", pid, after.state, stateNames[after.state])
	if after.ticks == before.ticks {
		text += "processor time stands still"
	} else {
		text += fmt.Sprintf("processor time moves (%.0f%%)", used)
	}
	return text + hostPressure()
}

// usage is what /proc/<pid>/stat says of a process.
type usage struct {
	state string
	ticks uint64 // in user and system mode
}

func readUsage(pid int) (usage, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, false
	}
	return parseUsage(string(data))
}

// parseUsage reads the fields behind the program's name, which may hold anything.
func parseUsage(stat string) (usage, bool) {
	end := strings.LastIndex(stat, ") ")
	if end < 0 {
		return usage{}, false
	}
	f := strings.Fields(stat[end+2:])
	if len(f) < 13 {
		return usage{}, false
	}
	user, err1 := strconv.ParseUint(f[11], 10, 64)
	system, err2 := strconv.ParseUint(f[12], 10, 64)
	return usage{f[0], user + system}, err1 == nil && err2 == nil
}

// hostPressure names what processes of the host wait for much of the time, "" if nothing or unknown.
func hostPressure() string {
	var told []string
	for _, what := range []string{"cpu", "memory", "io"} {
		data, err := os.ReadFile("/proc/pressure/" + what)
		if err != nil {
			continue
		}
		if p, ok := parsePressure(string(data)); ok && p >= pressureTold {
			told = append(told, fmt.Sprintf("%s %.0f%%", what, p))
		}
	}
	if told == nil {
		return ""
	}
	return ", host under pressure (" + strings.Join(told, ", ") + ")"
}

// parsePressure reads "some avg10=1.23 ..." (Linux, Documentation/accounting/psi.rst).
func parsePressure(text string) (float64, bool) {
	_, rest, found := strings.Cut(text, "avg10=")
	if !found {
		return 0, false
	}
	number, _, _ := strings.Cut(rest, " ")
	p, err := strconv.ParseFloat(number, 64)
	return p, err == nil
}

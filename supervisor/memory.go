package supervisor

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// memoryPolicy is Storm's rule for workers that use more memory than was scheduled for them (BasicContainer): how much is
// too much, in MB, depends on what the machine has left.
type memoryPolicy struct {
	// Tolerance goes on top of every limit (storm.supervisor.memory.limit.tolerance.margin.mb).
	Tolerance float64
	// A worker is ended at once above the larger one of limit x Multiplier and limit + Overage
	// (storm.supervisor.hard.memory.limit.*).
	Multiplier, Overage float64
	// With this or less free, a worker over its limit is ended at once (storm.supervisor.low.memory.threshold.mb).
	Low float64
	// With less than this free, it is ended after Grace (storm.supervisor.medium.memory.*).
	Medium float64
	Grace  time.Duration
}

func memoryPolicyOf(c conf.Conf) (memoryPolicy, error) {
	r := reader{c: c}
	number := func(key string, preset float64) float64 {
		v, err := c.FloatOr("storm.supervisor."+key, preset)
		r.keep(err)
		return v
	}
	p := memoryPolicy{
		Tolerance:  number("memory.limit.tolerance.margin.mb", 128),
		Multiplier: number("hard.memory.limit.multiplier", 2),
		Overage:    number("hard.memory.limit.overage.mb", 2024),
		Low:        number("low.memory.threshold.mb", 1024),
		Medium:     number("medium.memory.threshold.mb", 1536),
	}
	var err error
	p.Grace, err = c.MillisOr("storm.supervisor.medium.memory.grace.period.ms", 30*time.Second)
	r.keep(err)
	return p, r.err
}

// memorySample is what is known at one moment, in MB.
type memorySample struct {
	Used  float64 // 0 is unknown
	Limit float64 // as scheduled
	Free  float64
}

// judge says why a worker is to be ended now, "" if it is not. since is when it came over its limit while memory was short,
// the zero time if it did not: the caller keeps it for the next call.
func (p memoryPolicy) judge(since time.Time, s memorySample, now time.Time) (why string, next time.Time) {
	limit := s.Limit + p.Tolerance
	hard := max(limit*p.Multiplier, limit+p.Overage)
	switch {
	case s.Used <= 0 || s.Used <= limit:
		return "", time.Time{}
	case s.Used > hard:
		return fmt.Sprintf("more than %.0f MB is too much whatever is free", hard), since
	case s.Free <= p.Low:
		return fmt.Sprintf("the machine has %.0f MB left", s.Free), since
	case s.Free >= p.Medium:
		return "", time.Time{}
	case since.IsZero():
		return "", now
	case now.Sub(since) >= p.Grace:
		return fmt.Sprintf("the machine has had less than %.0f MB left for %v", p.Medium, now.Sub(since).Round(time.Second)), since
	}
	return "", since
}

// machineMemory is what a machine has, in bytes; 0 is unknown.
type machineMemory struct{ total, free int64 }

// readMemory reads it. Free is what programs could get, page cache that can be dropped included.
func readMemory() machineMemory {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return machineMemory{}
	}
	defer f.Close()
	var m machineMemory
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "MemTotal:":
			m.total = kib << 10
		case "MemAvailable:":
			m.free = kib << 10
		}
	}
	return m
}

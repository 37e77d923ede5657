package cgroup

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
	"golang.org/x/sys/unix"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// capPeriod is the time, in microseconds, over which a cap of processor time is kept.
const capPeriod = 100_000

// manager reads and writes files of existing groups.
type manager interface {
	Set(*cgroups.Resources) error
	Stats(*cgroups.StatsOptions) (*cgroups.Stats, error)
}

// noCPU is why the processor has no groups.
const noCPU = "gearstorm.isolation.cpu is false"

// needed are the controllers to use, in the order of messages. What is left out on purpose is missing for that reason.
func (i *Isolator) needed() []string {
	var needed []string
	if i.device != "" {
		needed = append(needed, "io")
	}
	for _, c := range wanted {
		if c == "cpu" && i.o.NoCPU {
			i.missing[c] = noCPU
			continue
		}
		needed = append(needed, c)
	}
	return needed
}

func (i *Isolator) manager(worker string) (manager, error) {
	c := &cgroups.Cgroup{Resources: &cgroups.Resources{}}
	if i.version == 2 {
		return fs2.NewManager(c, filepath.Join(i.bases[""], worker))
	}
	paths := map[string]string{}
	for controller, base := range i.bases {
		paths[controller] = filepath.Join(base, worker)
	}
	return fs.NewManager(c, paths)
}

func (i *Isolator) has(controller string) bool {
	_, missing := i.missing[controller]
	return !missing
}

// set writes the limits of a group. together has the kernel end all of it when one of its processes runs out of memory.
func (i *Isolator) set(worker string, l isolate.Limits, together bool) error {
	m, err := i.manager(worker)
	if err == nil {
		err = m.Set(i.resources(l, together))
	}
	if err != nil {
		return fmt.Errorf("set limits of control group %s: %w", filepath.Join(i.o.Name, i.o.Node, worker), err)
	}
	return nil
}

// resources leaves out what no controller is there for.
func (i *Isolator) resources(l isolate.Limits, together bool) *cgroups.Resources {
	r := &cgroups.Resources{}
	unified := map[string]string{}
	if i.has("cpu") {
		r.CpuShares, r.CpuWeight = shares(l.CPU), weight(l.CPU)
		if l.CPUCap > 0 {
			r.CpuPeriod, r.CpuQuota = capPeriod, max(1000, int64(l.CPUCap*capPeriod/100))
		}
	}
	if i.has("memory") {
		if l.MemoryBytes > 0 {
			r.Memory = l.MemoryBytes
			if i.swaps() {
				r.MemorySwap = l.MemoryBytes
			}
		}
		if l.MemoryHighBytes > 0 {
			unified["memory.high"] = strconv.FormatInt(l.MemoryHighBytes, 10)
			if i.version == 1 {
				r.MemoryReservation = l.MemoryHighBytes
			}
		}
		if together {
			unified["memory.oom.group"] = "1"
		}
	}
	if i.has("pids") && l.Pids > 0 {
		r.PidsLimit = &l.Pids
	}
	if l.DiskBytesPerSec > 0 && i.device != "" && i.has("io") {
		var major, minor int64
		fmt.Sscanf(i.device, "%d:%d", &major, &minor)
		rate := []*cgroups.ThrottleDevice{cgroups.NewThrottleDevice(major, minor, uint64(l.DiskBytesPerSec))}
		r.BlkioThrottleReadBpsDevice, r.BlkioThrottleWriteBpsDevice = rate, rate
	}
	if i.version == 2 {
		r.Unified = unified
	}
	return r
}

// swaps says whether version 1 counts swap, so that it can be forbidden. Version 2 does wherever there is swap.
func (i *Isolator) swaps() bool {
	if i.version == 2 {
		return true
	}
	_, err := os.Stat(filepath.Join(i.bases["memory"], "memory.memsw.limit_in_bytes"))
	return err == nil
}

// weight maps points to version 2's weights, where 100 is the default: one processor.
func weight(points float64) uint64 {
	if points <= 0 {
		return 0
	}
	return uint64(min(max(math.Round(points), 1), 10_000))
}

// shares maps points to version 1's weights, where 1024 is the default.
func shares(points float64) uint64 {
	if points <= 0 {
		return 0
	}
	return uint64(min(max(math.Round(points*1024/100), 2), 262_144))
}

// usage is zero for what cannot be read.
func (i *Isolator) usage(worker string) isolate.Usage {
	var u isolate.Usage
	m, err := i.manager(worker)
	if err != nil {
		return u
	}
	if s, err := m.Stats(&cgroups.StatsOptions{Controllers: cgroups.CPU}); err == nil {
		c := s.CpuStats
		u.CPUUser, u.CPUSystem = time.Duration(c.CpuUsage.UsageInUsermode), time.Duration(c.CpuUsage.UsageInKernelmode)
		u.Periods, u.ThrottledPeriods = c.ThrottlingData.Periods, c.ThrottlingData.ThrottledPeriods
		u.Throttled = time.Duration(c.ThrottlingData.ThrottledTime)
	}
	if s, err := m.Stats(&cgroups.StatsOptions{Controllers: cgroups.Memory}); i.has("memory") && err == nil {
		count := s.MemoryStats.Stats
		if i.version == 2 {
			u.MemoryBytes = int64(count["anon"] + count["kernel"])
		} else {
			u.MemoryBytes = int64(count["total_rss"] + s.MemoryStats.KernelUsage.Usage)
		}
		if limit := s.MemoryStats.Usage.Limit; limit < 1<<60 {
			u.MemoryLimitBytes = int64(limit)
		}
	}
	if s, err := m.Stats(&cgroups.StatsOptions{Controllers: cgroups.Pids}); i.has("pids") && err == nil {
		u.Pids = int64(s.PidsStats.Current)
	}
	return u
}

// diskOf names the whole disk that a file is on, since partitions cannot be limited.
func diskOf(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", err
	}
	id := fmt.Sprintf("%d:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)))
	dir, err := filepath.EvalSymlinks(filepath.Join("/sys/dev/block", id))
	if err != nil {
		return "", fmt.Errorf("%s is on no disk: %w", path, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "partition")); err != nil {
		return id, nil
	}
	text, err := readSmall(filepath.Join(filepath.Dir(dir), "dev"))
	return strings.TrimSpace(text), err
}

package supervisor

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	sandboxKey = "gearstorm.sandbox"
	cpuCapKey  = "gearstorm.worker.cpu.cap"
	diskKey    = "gearstorm.worker.disk.mb.per.sec"
	heapKey    = "worker.heap.memory.mb"

	// defaultPids stops a fork bomb long before the machine's numbers run out, and no JVM with its threads.
	defaultPids = 4096
)

// limits finds what a worker may use. Where the node's configuration and the topology's both say something, the smaller one
// holds: users may ask for less than the operator allows, never for more.
type limits struct {
	daemon, topology conf.Conf
}

// worker gives the limits of a worker to which the scheduler gave res, nil if it said nothing.
func (l limits) worker(res *stormrpc.WorkerResources) (isolate.Limits, error) {
	var out isolate.Limits
	if res == nil {
		res = stormrpc.NewWorkerResources()
	}
	points := res.GetCPU()
	if p, err := l.daemon.FloatOr("storm.worker.cgroup.cpu.limit", 0); err != nil {
		return out, err
	} else if p > 0 {
		points = p
	}
	out.CPU = points
	if err := l.cap(points, &out.CPUCap); err != nil {
		return out, err
	}
	enforced, err := l.daemon.BoolOr("storm.cgroup.memory.enforcement.enable", false)
	if err != nil {
		return out, err
	}
	if enforced {
		m, err := l.memory(res)
		if err != nil {
			return out, err
		}
		margin, err := l.daemon.FloatOr("storm.cgroup.memory.limit.tolerance.margin.mb", 0)
		if err != nil {
			return out, err
		}
		out.MemoryBytes = int64((m.MB + margin) * mebibyte)
	}
	for _, k := range []struct {
		key    string
		preset float64
		set    func(float64)
	}{
		{"gearstorm.worker.pids.max", defaultPids, func(v float64) { out.Pids = int64(v) }},
		{"gearstorm.worker.nofile.max", 0, func(v float64) { out.NoFile = uint64(v) }},
		{"gearstorm.worker.memory.high.mb", 0, func(v float64) { out.MemoryHighBytes = int64(v * mebibyte) }},
		{diskKey, 0, func(v float64) { out.DiskBytesPerSec = int64(v * mebibyte) }},
	} {
		v, err := l.smaller(k.key, k.preset)
		if err != nil {
			return out, err
		}
		k.set(v)
	}
	return out, nil
}

// smaller is the smaller one of the two configurations' values, preset if neither has one. What the operator set bounds the
// topology's; preset does not.
func (l limits) smaller(key string, preset float64) (float64, error) {
	least := math.Inf(1)
	for _, c := range []conf.Conf{l.daemon, l.topology} {
		if !c.Has(key) {
			continue
		}
		v, err := c.Float(key)
		if err == nil && (v <= 0 || v > math.MaxInt32) {
			err = fmt.Errorf("%s is %v, want a positive number", key, v)
		}
		if err != nil {
			return 0, err
		}
		least = min(least, v)
	}
	if math.IsInf(least, 1) {
		return preset, nil
	}
	return least, nil
}

// cap sets the most processor time: true is the points the worker was scheduled with, a number is that many points.
func (l limits) cap(points float64, to *float64) error {
	for _, c := range []conf.Conf{l.daemon, l.topology} {
		if !c.Has(cpuCapKey) {
			continue
		}
		cap := points
		if on, isBool := c[cpuCapKey].(bool); !isBool {
			v, err := c.Float(cpuCapKey)
			if err == nil && (v <= 0 || v > math.MaxInt32) {
				err = fmt.Errorf("%s is %v, want true, false or a number of points, 100 for a processor", cpuCapKey, v)
			}
			if err != nil {
				return err
			}
			cap = v
		} else if !on {
			continue
		}
		if cap > 0 && (*to == 0 || cap < *to) {
			*to = cap
		}
	}
	return nil
}

// memoryShare is the memory that a worker is to live with.
type memoryShare struct {
	MB float64
	// What it is made of, for people.
	Of string
}

// memory is what was scheduled: heap, or worker.heap.memory.mb where that says nothing, and the rest.
// storm.worker.cgroup.memory.mb.limit replaces it.
func (l limits) memory(res *stormrpc.WorkerResources) (memoryShare, error) {
	const override = "storm.worker.cgroup.memory.mb.limit"
	if mb, err := l.daemon.FloatOr(override, 0); err != nil || mb > 0 {
		return memoryShare{mb, override}, err
	}
	if res == nil {
		res = stormrpc.NewWorkerResources()
	}
	onHeap, offHeap := res.GetMemOnHeap(), math.Ceil(res.GetMemOffHeap()) // what the worker's executors share is in them
	if onHeap > 0 {
		return memoryShare{onHeap + offHeap, fmt.Sprintf("on-heap %.0f + off-heap %.0f; topology.component.resources.*", onHeap, offHeap)}, nil
	}
	heap, err := l.topology.FloatOr(heapKey, 0)
	if err == nil && heap <= 0 {
		heap, err = l.daemon.FloatOr(heapKey, 768)
	}
	return memoryShare{heap + offHeap, fmt.Sprintf("%s %.0f + off-heap %.0f", heapKey, heap, offHeap)}, err
}

// resourcesOf is what the scheduler gave the worker on a port of a node, nil if it said nothing. Memory that the topology's
// workers of the node share counts as off-heap memory of each: any of them may be the one that holds it.
func resourcesOf(p *stormrpc.TopologyPlan, node string, port int) *stormrpc.WorkerResources {
	if p == nil || p.Assignment == nil || p.Assignment.WorkerResources == nil {
		return nil
	}
	for _, e := range *p.Assignment.WorkerResources {
		if e.Key != nil && e.Key.Node == node && slices.Contains(e.Key.Port, int64(port)) {
			shared := p.Assignment.GetTotalSharedOffHeap()[node]
			if shared == 0 || e.Value == nil {
				return e.Value
			}
			res, offHeap := *e.Value, e.Value.GetMemOffHeap()+shared
			res.MemOffHeap = &offHeap
			return &res
		}
	}
	return nil
}

// sandbox gives the stricter one of the two profiles. The files of a strict one are the operator's to name; a topology that
// is strict on its own account names its own.
func (l limits) sandbox(spec isolate.WorkerSpec, blobs, binary string, env []string) (isolate.Sandbox, error) {
	order := []string{isolate.SandboxNone, isolate.SandboxDefault, isolate.SandboxStrict}
	ours, err := l.daemon.StringOr(sandboxKey, isolate.SandboxDefault)
	if err != nil {
		return isolate.Sandbox{}, err
	}
	theirs, err := l.topology.StringOr(sandboxKey, ours)
	if err != nil {
		return isolate.Sandbox{}, err
	}
	a, b := slices.Index(order, ours), slices.Index(order, theirs)
	if a < 0 || b < 0 {
		return isolate.Sandbox{}, fmt.Errorf("%s is %q and %q: %s are known", sandboxKey, ours, theirs, strings.Join(order, ", "))
	}
	out := isolate.Sandbox{Profile: order[max(a, b)]}
	if out.Profile != isolate.SandboxStrict {
		return out, nil
	}
	out.Read = append(strictRead(env), spec.CodeDir, blobs, binary)
	out.Write = append(slices.Clone(strictWrite), spec.WorkerDir, filepath.Dir(spec.LogPath), os.TempDir())
	from := []conf.Conf{l.daemon}
	if ours != isolate.SandboxStrict {
		from = append(from, l.topology)
	}
	for _, c := range from {
		for key, to := range map[string]*[]string{sandboxKey + ".read": &out.Read, sandboxKey + ".write": &out.Write} {
			if !c.Has(key) {
				continue
			}
			paths, err := c.StringList(key)
			if err != nil {
				return out, err
			}
			for _, p := range paths {
				if !filepath.IsAbs(p) {
					return out, fmt.Errorf("%s: %q is not absolute", key, p)
				}
			}
			*to = append(*to, paths...)
		}
	}
	return out, nil
}

// strictWrite are the devices and directories that every program may count on.
var strictWrite = []string{"/tmp", "/var/tmp", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/shm"}

// strictRead is where programs, their libraries and settings are: the usual places, and what PATH and JAVA_HOME name.
func strictRead(env []string) []string {
	out := []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/proc", "/sys", "/run/systemd/resolve"}
	for _, e := range append(os.Environ(), env...) {
		name, value, _ := strings.Cut(e, "=")
		if name != "PATH" && name != "JAVA_HOME" {
			continue
		}
		for _, dir := range filepath.SplitList(value) {
			if filepath.IsAbs(dir) && filepath.Clean(dir) != "/" {
				out = append(out, dir)
			}
		}
	}
	return out
}

// limitKeys are the keys of a topology that limits looks at.
var limitKeys = []string{cpuCapKey, "gearstorm.worker.pids.max", "gearstorm.worker.nofile.max", "gearstorm.worker.memory.high.mb", diskKey, heapKey}

// ownLimits is what of a topology's configuration has to be kept beside its worker.
func ownLimits(c conf.Conf) (string, error) {
	own := conf.Conf{}
	for _, key := range limitKeys {
		if c.Has(key) {
			own[key] = c[key]
		}
	}
	text, err := own.JSON()
	return string(text), err
}

// isolated fills in how a worker is isolated.
func (r *runner) isolated(l *isolate.Launch, plan *stormrpc.TopologyPlan) error {
	of := limits{r.cfg.Conf, r.code.Conf}
	var err error
	if l.Limits, err = of.worker(resourcesOf(plan, r.node, r.port)); err != nil {
		return err
	}
	l.By, l.Shim = r.isolation.by, r.isolation.shim
	if len(l.Shim) == 0 {
		return nil
	}
	if l.Sandbox, err = of.sandbox(l.Spec, r.code.BlobDir, l.Binary, l.Env); err != nil {
		return err
	}
	if !r.isolation.asUser {
		return nil
	}
	owner := ownerOf(plan)
	if l.User, err = isolate.LookupUser(owner); err != nil {
		return err
	}
	l.Env = append([]string{"HOME=" + l.User.Home, "USER=" + owner, "LOGNAME=" + owner}, l.Env...)
	return nil
}

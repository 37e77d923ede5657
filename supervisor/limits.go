package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/supervisor/isolate/cgroup"
)

const (
	isolationKey = "gearstorm.isolation"
	requiredKey  = "gearstorm.isolation.required"
	cpuKey       = "gearstorm.isolation.cpu"
	asUserKey    = "supervisor.run.worker.as.user"
	pluginKey    = "storm.resource.isolation.plugin"

	mebibyte = 1 << 20
)

// isolation is how this node's workers are isolated.
type isolation struct {
	by isolate.Isolator
	// asked says that somebody asked for control groups, instead of getting them because they are there.
	asked bool
	// asUser has workers run as the owner of their topology.
	asUser bool
	shim   []string
	// inForce is all this in words.
	inForce string
}

// openIsolation decides by the configuration and by what this machine has, and says so in the log, once.
func (s *Supervisor) openIsolation() (isolation, error) {
	is := isolation{by: s.cfg.Isolator, shim: s.cfg.Shim}
	r := reader{c: s.cfg.Conf}
	is.asUser = r.flag(asUserKey)
	mode := r.mode()
	is.asked = mode == "cgroup"
	required := r.flag(requiredKey)
	node := limits{daemon: s.cfg.Conf, topology: conf.Conf{}}
	_, err := node.worker(nil)
	r.keep(err)
	sandbox, err := node.sandbox(isolate.WorkerSpec{}, "", "", nil)
	r.keep(err)
	if r.err != nil {
		return is, r.err
	}
	if is.by != nil {
		return is, nil
	}
	if runtime.GOOS != "linux" || len(is.shim) == 0 {
		is.by, is.shim, is.inForce = isolate.None{}, nil, "none"
		if required || is.asked || is.asUser {
			return is, fmt.Errorf("%s: workers are isolated on Linux, by the gearstorm program, only", isolationKey)
		}
		return is, nil
	}
	var missing map[string]string
	switch mode {
	case "none":
		is.by = isolate.None{}
	case "rlimit":
		is.by = isolate.Rlimit{}
	default:
		is.by, missing, err = s.openGroups()
	}
	if err != nil {
		return is, err
	}
	is.inForce = is.words(sandbox.Profile, missing)
	return is, s.tellIsolation(is, sandbox.Profile, missing, required)
}

// openGroups falls back to limits of single processes where there are no control groups to use.
func (s *Supervisor) openGroups() (isolate.Isolator, map[string]string, error) {
	o, err := s.groupOptions()
	if err != nil {
		return nil, nil, err
	}
	groups, err := cgroup.Open(o)
	if errors.Is(err, cgroup.ErrUnavailable) {
		return isolate.Rlimit{}, map[string]string{"control groups": err.Error()}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return groups, groups.Missing(), nil
}

// words says how workers are isolated, for people: "cgroup v1: cpu memory pids, sandbox default, as user".
func (is isolation) words(profile string, missing map[string]string) string {
	text := is.by.Name()
	if _, grouped := is.by.(*cgroup.Isolator); grouped {
		text += ":"
		for _, name := range []string{"cpu", "memory", "pids"} {
			if _, ok := missing[name]; !ok {
				text += " " + name
			}
		}
	}
	text += ", sandbox " + profile
	if is.asUser {
		text += ", as user"
	}
	return text
}

// tellIsolation refuses what is required and missing.
func (s *Supervisor) tellIsolation(is isolation, profile string, missing map[string]string, required bool) error {
	var lacks []string
	for _, name := range []string{"control groups", "cpu", "memory", "pids", "io", "cpuset"} {
		if why, ok := missing[name]; ok {
			lacks = append(lacks, name+" ("+why+")")
		}
	}
	_, grouped := is.by.(*cgroup.Isolator)
	if required && (!grouped || len(lacks) > 0) {
		if len(lacks) == 0 {
			lacks = []string{isolationKey + " says so"}
		}
		return fmt.Errorf("%s is true, but isolation is by %s; missing: %s", requiredKey, is.by.Name(), strings.Join(lacks, ", "))
	}
	attrs := []any{"by", is.by.Name(), "sandbox", profile, "as_user", is.asUser}
	text, tell := "workers are limited", s.cfg.Log.Info
	switch {
	case !grouped:
		text = "workers are not limited together with what they start"
	case len(lacks) > 0:
		text = "workers are limited in part"
	}
	if len(lacks) > 0 {
		attrs = append(attrs, "missing", strings.Join(lacks, ", "))
	}
	if len(lacks) > 0 && (is.asked || grouped) {
		tell = s.cfg.Log.Warn
	}
	tell(text, attrs...)
	if keys := idleKeys(s.cfg.Conf); len(keys) > 0 {
		s.cfg.Log.Warn("keys without effect here: processes enter their groups by themselves, there are no container images", "keys", keys)
	}
	return nil
}

// idleKeys are keys of Storm's isolation that are set and mean nothing here.
func idleKeys(c conf.Conf) []string {
	preset := conf.Defaults()
	var set []string
	for key := range c {
		idle := strings.HasPrefix(key, "storm.oci.") || slices.Contains([]string{"storm.cgroup.cgexec.cmd", "storm.cgroup.hierarchy.name", "storm.cgroup.resources"}, key)
		if idle && c.Has(key) && fmt.Sprint(c[key]) != fmt.Sprint(preset[key]) {
			set = append(set, key)
		}
	}
	slices.Sort(set)
	return set
}

func (r *reader) flag(key string) bool {
	on, err := r.c.BoolOr(key, false)
	r.keep(err)
	return on
}

// mode is auto, cgroup, rlimit or none. Our own key goes before Storm's.
func (r *reader) mode() string {
	mode, err := r.c.StringOr(isolationKey, "")
	r.keep(err)
	if mode != "" && !slices.Contains([]string{"auto", "cgroup", "rlimit", "none"}, mode) {
		r.keep(fmt.Errorf("%s is %q: auto, cgroup, rlimit and none are known", isolationKey, mode))
	}
	if mode != "" || !r.flag(pluginKey+".enable") {
		return mode
	}
	plugin, err := r.c.StringOr(pluginKey, "org.apache.storm.container.cgroup.CgroupManager")
	r.keep(err)
	switch plugin[strings.LastIndexByte(plugin, '.')+1:] {
	case "CgroupManager":
		return "cgroup"
	case "DefaultResourceIsolationManager":
		return "rlimit"
	}
	r.keep(fmt.Errorf("%s is %s: there are no containers and no plug-ins here; %s: cgroup limits workers by control groups, of both versions",
		pluginKey, plugin, isolationKey))
	return mode
}

// groupOptions says where groups are made, and what all workers of the node together may use.
func (s *Supervisor) groupOptions() (cgroup.Options, error) {
	r := reader{c: s.cfg.Conf}
	o := cgroup.Options{Name: "storm", Node: s.node, Cpuset: r.flag("storm.cgroup.inherit.cpuset.configs")}
	cpu, err := s.cfg.Conf.BoolOr(cpuKey, true)
	r.keep(err)
	o.NoCPU = !cpu
	if name, err := s.cfg.Conf.StringOr("storm.supervisor.cgroup.rootdir", ""); err != nil || name != "" {
		o.Name = name
		r.keep(err)
	}
	const dirKey = "storm.cgroup.hierarchy.dir"
	dir, err := s.cfg.Conf.StringOr(dirKey, "")
	r.keep(err)
	if preset, _ := conf.Defaults().StringOr(dirKey, ""); dir != "" && dir != preset {
		o.Dir = filepath.Clean(dir)
	}
	if s.cfg.Conf.Has(diskKey) {
		o.Disk = s.cfg.LocalDir
	}
	o.All.CPU = s.cfg.Resources["cpu.pcore.percent"]
	if r.flag(pluginKey + ".enable") {
		o.All.CPUCap = o.All.CPU // as Storm's plug-in has it
	}
	if o.NoCPU && (o.All.CPUCap > 0 || s.cfg.Conf.Has(cpuCapKey)) {
		r.keep(fmt.Errorf("%s is false, but processor time is to be capped (%s, %s.enable): a cap needs groups of the processor", cpuKey, cpuCapKey, pluginKey))
	}
	if o.All.MemoryBytes, err = memoryOfAll(s.cfg.Conf); err != nil {
		r.keep(err)
	}
	return o, r.err
}

// memoryOfAll is the machine's memory but for what is kept for everything else: 5 %, at least 256 MiB and at most 2 GiB.
func memoryOfAll(c conf.Conf) (int64, error) {
	total := readMemory().total
	if total == 0 {
		return 0, nil
	}
	reserve := min(max(total/20, 256*mebibyte), 2048*mebibyte)
	const key = "gearstorm.workers.memory.reserve.mb"
	if c.Has(key) {
		mb, err := c.Float(key)
		if err != nil {
			return 0, err
		}
		if mb == 0 {
			return 0, nil
		}
		reserve = int64(mb * mebibyte)
	}
	if reserve >= total {
		return 0, fmt.Errorf("%s leaves nothing of %d MB for workers", key, total/mebibyte)
	}
	return total - reserve, nil
}

// openDirs lets the owners of topologies through to what is theirs, if workers run as them.
func (s *Supervisor) openDirs() error {
	if asUser, err := s.cfg.Conf.BoolOr(asUserKey, false); err != nil || !asUser {
		return err
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s is true, which needs a supervisor that runs as root", asUserKey)
	}
	for _, dir := range []string{s.cfg.LocalDir, filepath.Join(s.cfg.LocalDir, "supervisor"), s.workersDir(), s.cfg.LogDir, s.cfg.ArtifactsDir} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
		if err := isolate.LetPass(dir); err != nil {
			return err
		}
	}
	for _, path := range []string{s.cfg.LocalDir, s.cfg.ArtifactsDir, s.cfg.Binary} {
		for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
			st, err := os.Stat(dir)
			if err != nil {
				return err
			}
			if st.Mode().Perm()&0o001 == 0 {
				return fmt.Errorf("%s is true, but other users cannot reach %s: run chmod o+x %s, or use another directory", asUserKey, path, dir)
			}
			if dir == "/" {
				break
			}
		}
	}
	return nil
}

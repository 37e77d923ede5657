package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

func scheduled(cpu, onHeap, offHeap float64) *stormrpc.WorkerResources {
	return &stormrpc.WorkerResources{CPU: &cpu, MemOnHeap: &onHeap, MemOffHeap: &offHeap}
}

func TestLimitsOfAWorker(t *testing.T) {
	const enforce, margin = "storm.cgroup.memory.enforcement.enable", "storm.cgroup.memory.limit.tolerance.margin.mb"
	for _, c := range []struct {
		name             string
		daemon, topology conf.Conf
		res              *stormrpc.WorkerResources
		want             isolate.Limits
		of               string
		bad              string
	}{
		{name: "nothing said", want: isolate.Limits{Pids: 4096}, of: "worker.heap.memory.mb 768 + off-heap 0"},
		{name: "points are a weight", res: scheduled(150, 0, 0), want: isolate.Limits{CPU: 150, Pids: 4096}},
		{name: "memory is not enforced by itself", res: scheduled(0, 400, 112), want: isolate.Limits{Pids: 4096},
			of: "on-heap 400 + off-heap 112; topology.component.resources.*"},
		{name: "memory enforced", daemon: conf.Conf{enforce: true, margin: 8.0}, res: scheduled(0, 400, 111.5), want: isolate.Limits{MemoryBytes: 520 << 20, Pids: 4096}},
		{name: "memory of a heap", daemon: conf.Conf{enforce: true}, topology: conf.Conf{"worker.heap.memory.mb": int64(100)}, want: isolate.Limits{MemoryBytes: 100 << 20, Pids: 4096}},
		{name: "memory by the operator", daemon: conf.Conf{enforce: true, "storm.worker.cgroup.memory.mb.limit": 64.0, "storm.worker.cgroup.cpu.limit": 30.0},
			res: scheduled(200, 400, 112), want: isolate.Limits{CPU: 30, MemoryBytes: 64 << 20, Pids: 4096}, of: "storm.worker.cgroup.memory.mb.limit"},
		{name: "cap at the points", topology: conf.Conf{cpuCapKey: true}, res: scheduled(150, 0, 0), want: isolate.Limits{CPU: 150, CPUCap: 150, Pids: 4096}},
		{name: "cap at the points, none scheduled", topology: conf.Conf{cpuCapKey: true}, want: isolate.Limits{Pids: 4096}},
		{name: "cap at a number", topology: conf.Conf{cpuCapKey: int64(80)}, want: isolate.Limits{CPUCap: 80, Pids: 4096}},
		{name: "the operator's cap holds", daemon: conf.Conf{cpuCapKey: int64(50)}, topology: conf.Conf{cpuCapKey: int64(80)}, want: isolate.Limits{CPUCap: 50, Pids: 4096}},
		{name: "the operator's cap cannot be switched off", daemon: conf.Conf{cpuCapKey: int64(50)}, topology: conf.Conf{cpuCapKey: false}, want: isolate.Limits{CPUCap: 50, Pids: 4096}},
		{name: "the topology's cap holds", daemon: conf.Conf{cpuCapKey: int64(90)}, topology: conf.Conf{cpuCapKey: int64(80)}, want: isolate.Limits{CPUCap: 80, Pids: 4096}},
		{name: "more processes than the preset", topology: conf.Conf{"gearstorm.worker.pids.max": int64(9000)}, want: isolate.Limits{Pids: 9000}},
		{name: "not more than the operator's", daemon: conf.Conf{"gearstorm.worker.pids.max": int64(100)}, topology: conf.Conf{"gearstorm.worker.pids.max": int64(9000)}, want: isolate.Limits{Pids: 100}},
		{name: "the rest", daemon: conf.Conf{"gearstorm.worker.nofile.max": int64(64), "gearstorm.worker.memory.high.mb": int64(2), diskKey: 1.5},
			want: isolate.Limits{Pids: 4096, NoFile: 64, MemoryHighBytes: 2 << 20, DiskBytesPerSec: 3 << 19}},
		{name: "bad cap", topology: conf.Conf{cpuCapKey: "much"}, bad: cpuCapKey},
		{name: "negative cap", topology: conf.Conf{cpuCapKey: -1.0}, bad: cpuCapKey},
		{name: "cap beyond all machines", daemon: conf.Conf{cpuCapKey: 1e300}, bad: cpuCapKey},
		{name: "bad number of processes", topology: conf.Conf{"gearstorm.worker.pids.max": int64(0)}, bad: "gearstorm.worker.pids.max"},
	} {
		l := limits{c.daemon, c.topology}
		got, err := l.worker(c.res)
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if m, err := l.memory(c.res); c.of != "" && (m.Of != c.of || err != nil) {
			t.Errorf("%s: memory of %q, %v", c.name, m.Of, err)
		}
	}
}

func TestResourcesOfASlot(t *testing.T) {
	res := scheduled(1, 2, 3)
	all := []wire.MapEntry[*stormrpc.NodeInfo, *stormrpc.WorkerResources]{
		{Key: &stormrpc.NodeInfo{Node: "a", Port: []int64{1}}, Value: scheduled(9, 9, 9)}, {},
		{Key: &stormrpc.NodeInfo{Node: "b", Port: []int64{1}}, Value: res},
	}
	p := &stormrpc.TopologyPlan{Assignment: &stormrpc.Assignment{WorkerResources: &all}}
	if got := resourcesOf(p, "b", 1); got != res {
		t.Errorf("got %v", got)
	}
	p.Assignment.TotalSharedOffHeap = &map[string]float64{"b": 100}
	if got := resourcesOf(p, "b", 1); got.GetMemOffHeap() != res.GetMemOffHeap()+100 || got.GetMemOnHeap() != res.GetMemOnHeap() {
		t.Errorf("with memory shared on the node: got %v", got)
	}
	for _, p := range []*stormrpc.TopologyPlan{p, {Assignment: &stormrpc.Assignment{}}, {}, nil} {
		if got := resourcesOf(p, "b", 2); got != nil {
			t.Errorf("got %v", got)
		}
	}
}

func TestSandboxOfAWorker(t *testing.T) {
	spec := isolate.WorkerSpec{CodeDir: "/code", WorkerDir: "/work", LogPath: "/log/worker.log"}
	for _, c := range []struct {
		name             string
		daemon, topology conf.Conf
		profile          string
		write, not       string // a path that is, or is not, to be written
		bad              string
	}{
		{name: "nothing said", profile: "default"},
		{name: "the topology is stricter", topology: conf.Conf{sandboxKey: "strict", sandboxKey + ".write": []any{"/data"}}, profile: "strict", write: "/data"},
		{name: "the topology is laxer", daemon: conf.Conf{sandboxKey: "strict"}, topology: conf.Conf{sandboxKey: "none", sandboxKey + ".write": []any{"/data"}}, profile: "strict", write: "/work", not: "/data"},
		{name: "the operator's files", daemon: conf.Conf{sandboxKey: "strict", sandboxKey + ".write": []any{"/data"}}, profile: "strict", write: "/data"},
		{name: "off", daemon: conf.Conf{sandboxKey: "none"}, profile: "none"},
		{name: "logs", daemon: conf.Conf{sandboxKey: "strict"}, profile: "strict", write: "/log", not: "/code"},
		{name: "unknown", daemon: conf.Conf{sandboxKey: "odd"}, bad: "odd"},
		{name: "not absolute", daemon: conf.Conf{sandboxKey: "strict", sandboxKey + ".read": []any{"data"}}, bad: "data"},
	} {
		got, err := limits{c.daemon, c.topology}.sandbox(spec, "/blobs", "/bin/x", nil)
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || got.Profile != c.profile {
			t.Errorf("%s: %q, %v", c.name, got.Profile, err)
		}
		if c.write != "" && !slices.Contains(got.Write, c.write) || c.not != "" && slices.Contains(got.Write, c.not) {
			t.Errorf("%s: write %q", c.name, got.Write)
		}
		if c.profile == "strict" && !(slices.Contains(got.Read, "/code") && slices.Contains(got.Read, "/blobs")) {
			t.Errorf("%s: read %q", c.name, got.Read)
		}
	}
}

func TestConfigurationsOfIsolation(t *testing.T) {
	for _, c := range []struct {
		name string
		conf conf.Conf
		log  string // or
		err  string
	}{
		{name: "rlimits", conf: conf.Conf{isolationKey: "rlimit"}, log: "by=rlimit"},
		{name: "none", conf: conf.Conf{isolationKey: "none"}, log: "by=none"},
		{name: "Storm's plug-in without limits", conf: conf.Conf{pluginKey + ".enable": true, pluginKey: "org.apache.storm.container.DefaultResourceIsolationManager"}, log: "by=rlimit"},
		{name: "Docker", conf: conf.Conf{pluginKey + ".enable": true, pluginKey: "org.apache.storm.container.docker.DockerManager"}, err: "no containers"},
		{name: "Docker, switched off", conf: conf.Conf{isolationKey: "rlimit", pluginKey + ".enable": false, pluginKey: "org.apache.storm.container.docker.DockerManager"}, log: "by=rlimit"},
		{name: "our key goes first", conf: conf.Conf{isolationKey: "none", pluginKey + ".enable": true, pluginKey: "x.DockerManager"}, log: "by=none"},
		{name: "unknown", conf: conf.Conf{isolationKey: "jail"}, err: "jail"},
		{name: "required and not there", conf: conf.Conf{isolationKey: "rlimit", requiredKey: true}, err: requiredKey},
		{name: "a name that is a path", conf: conf.Conf{isolationKey: "cgroup", "storm.supervisor.cgroup.rootdir": "../x"}, err: `"../x"`},
		{name: "a directory without groups", conf: conf.Conf{isolationKey: "cgroup", "storm.cgroup.hierarchy.dir": "/usr"}, err: "storm.cgroup.hierarchy.dir"},
		{name: "caps without groups", conf: conf.Conf{isolationKey: "cgroup", cpuKey: false, cpuCapKey: int64(50)}, err: cpuKey + " is false"},
		{name: "no such groups", conf: conf.Conf{isolationKey: "cgroup", cpuKey: "perhaps"}, err: cpuKey},
		{name: "bad limit", conf: conf.Conf{"gearstorm.worker.pids.max": int64(-1)}, err: "gearstorm.worker.pids.max"},
		{name: "nothing left", conf: conf.Conf{isolationKey: "cgroup", "gearstorm.workers.memory.reserve.mb": 1e9}, err: "gearstorm.workers.memory.reserve.mb"},
		{name: "bad sandbox", conf: conf.Conf{isolationKey: "none", sandboxKey: int64(3)}, err: sandboxKey},
		{name: "keys without effect", conf: conf.Conf{isolationKey: "none", "storm.cgroup.cgexec.cmd": "/usr/bin/cgexec", "storm.oci.image": "x", "storm.cgroup.hierarchy.name": "storm"},
			log: `keys="[storm.cgroup.cgexec.cmd storm.oci.image]"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			log := &logText{}
			cfg := quick(Config{LocalDir: filepath.Join(dir, "l"), LogDir: filepath.Join(dir, "g"), Log: textLog(log), Conf: c.conf,
				Nimbus: client.Options{Seeds: []string{"127.0.0.1:1"}}})
			s, err := New(cfg)
			if err == nil {
				s.Close()
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || !strings.Contains(log.String(), c.log) {
				t.Errorf("%v, log:\n%s", err, log)
			}
		})
	}
	cfg := quick(Config{LocalDir: t.TempDir(), LogDir: t.TempDir(), Conf: conf.Conf{isolationKey: "cgroup"}, Nimbus: client.Options{Seeds: []string{"127.0.0.1:1"}}})
	cfg.Shim = nil
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "by the gearstorm program") {
		t.Errorf("groups without a shim: %v", err)
	}
	if os.Getuid() != 0 {
		_, err := New(quick(Config{LocalDir: t.TempDir(), LogDir: t.TempDir(), Conf: conf.Conf{asUserKey: true}}))
		if err == nil || !strings.Contains(err.Error(), "root") {
			t.Errorf("workers of other users without root: %v", err)
		}
	}
}

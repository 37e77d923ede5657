package supervisor

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// groupsOf lists the directories below the control groups of a node.
func groupsOf(t *testing.T, node string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(path, "/"+node) {
			found = append(found, path)
		}
		return nil // a group of others may go while it is looked at
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// weightOf reads a worker's weight and cap of processor time, as its version of control groups writes them.
func weightOf(t *testing.T, node, worker string) (weight, quota string) {
	t.Helper()
	for _, dir := range groupsOf(t, node) {
		for file, cap := range map[string]string{"cpu.shares": "cpu.cfs_quota_us", "cpu.weight": "cpu.max"} {
			a, err := os.ReadFile(filepath.Join(dir, file))
			if filepath.Base(dir) == worker && err == nil {
				b, _ := os.ReadFile(filepath.Join(dir, cap))
				return strings.TrimSpace(string(a)), strings.TrimSpace(string(b))
			}
		}
	}
	return "", ""
}

// needGroups ends the test where the supervisor found no control groups, which its log says.
func needGroups(t *testing.T, log fmt.Stringer, controllers ...string) {
	t.Helper()
	text := log.String()
	if !strings.Contains(text, `by="cgroup v`) {
		t.Skipf("SKIPPED, NOT TESTED: no control groups here:\n%s", text)
	}
	for _, c := range controllers {
		if strings.Contains(text, c+" (") {
			t.Skipf("SKIPPED, NOT TESTED: no controller %s here:\n%s", c, text)
		}
	}
}

func (n *fakeNimbus) schedule(res *stormrpc.WorkerResources, node string, ports ...int) {
	n.change(func(p *stormrpc.NodePlan) {
		var all []wire.MapEntry[*stormrpc.NodeInfo, *stormrpc.WorkerResources]
		for _, port := range ports {
			all = append(all, wire.MapEntry[*stormrpc.NodeInfo, *stormrpc.WorkerResources]{Key: &stormrpc.NodeInfo{Node: node, Port: []int64{int64(port)}}, Value: res})
		}
		for i, t := range p.Topologies {
			next, assignment := *t, *t.Assignment
			assignment.WorkerResources = &all
			next.Assignment, next.PlanVersion = &assignment, t.PlanVersion+1
			p.Topologies[i] = &next
		}
	})
}

func TestLackOfMemoryIsToldWithTheLimit(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir, func(c *Config) {
		c.Conf = conf.Conf{isolationKey: "cgroup", "storm.cgroup.memory.enforcement.enable": true, "storm.worker.cgroup.memory.mb.limit": 64.0}
	})
	needGroups(t, s.log, "memory")
	n.submit("b-2-2", "good", s.NodeID(), s.Ports()[1])
	neighbour, _ := n.ready("b-2-2", s.Ports()[1])
	n.submit("a-1-1", "leaks", s.NodeID(), s.Ports()[0])
	n.hears("a-1-1", "__system", "was killed: out of memory, its limit is 64 MB (storm.worker.cgroup.memory.mb.limit)", "restart 1")
	if w := n.worker(s.Ports()[1]); w == nil || w.WorkerID != neighbour {
		t.Errorf("the neighbour was killed, too: %v", w)
	}
	n.remove("a-1-1")
	n.remove("b-2-2")
	eventually(t, "all groups are gone", func() bool { return len(groupsOf(t, s.NodeID())) == 0 })
}

func TestTooMuchMemoryIsEndedAndTold(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir, func(c *Config) {
		c.Conf = conf.Conf{isolationKey: "cgroup", "storm.worker.cgroup.memory.mb.limit": 0.1, "storm.supervisor.memory.limit.tolerance.margin.mb": 0.1,
			"storm.supervisor.hard.memory.limit.multiplier": 1.0, "storm.supervisor.hard.memory.limit.overage.mb": int64(0)}
	})
	n.submit("a-1-1", "good", s.NodeID(), s.Ports()[0])
	n.hears("a-1-1", "__system", "was killed: it used", "(storm.worker.cgroup.memory.mb.limit), and more than 0 MB is too much whatever is free", "restart 1")
}

func TestLimitsFollowThePlan(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir, func(c *Config) { c.Conf = conf.Conf{isolationKey: "auto"} })
	needGroups(t, s.log, "cpu")
	port := s.Ports()[0]
	n.store("a-1-1", conf.Conf{cpuCapKey: true})
	n.change(func(p *stormrpc.NodePlan) {
		p.Topologies = append(p.Topologies, planOf("a-1-1", p.Epoch, s.NodeID(), port))
	})
	worker, _ := n.ready("a-1-1", port)
	n.schedule(scheduled(150, 0, 0), s.NodeID(), port)
	eventually(t, "the worker has the new weight and cap", func() bool {
		weight, quota := weightOf(t, s.NodeID(), worker)
		return weight == "1536" && quota == "150000" || weight == "150" && quota == "150000 100000"
	})
	if again, _ := n.ready("a-1-1", port); again != worker {
		t.Error("the worker was started again")
	}
}

// A plan may change the limits of a worker while its process starts.
func TestLimitsOfAPlanThatComesWithTheLaunch(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	procs := &lateProcesses{changed: make(chan isolate.Limits, 1)}
	s := live(t, n, dir, func(c *Config) { c.Processes = procs })
	port := s.Ports()[0]
	procs.launched = func() {
		inForce := s.plans.next()
		n.schedule(scheduled(150, 0, 0), s.NodeID(), port)
		<-inForce
	}
	n.submit("a-1-1", "good", s.NodeID(), port)
	select {
	case l := <-procs.changed:
		if l.CPU != 150 {
			t.Errorf("limits are %+v", l)
		}
	case <-time.After(time.Minute):
		t.Error("the worker keeps the limits of the plan before")
	}
}

// lateProcesses calls launched once a process was launched, and before the supervisor hears of it.
type lateProcesses struct {
	systemProcesses
	launched func()
	changed  chan isolate.Limits
}

func (p *lateProcesses) Launch(l isolate.Launch) (Process, error) {
	proc, err := p.systemProcesses.Launch(l)
	p.launched()
	return &limited{proc, p.changed}, err
}

// limited tells of its limits.
type limited struct {
	Process
	changed chan isolate.Limits
}

func (p *limited) SetLimits(l isolate.Limits) error {
	select {
	case p.changed <- l:
	default:
	}
	return p.Process.SetLimits(l)
}

// Workers outlive a supervisor that is killed, in their groups, and those that should not run are swept with everything in
// them by the next one.
func TestGroupsOutliveTheSupervisorAndAreSwept(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	r := remote{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(dir, "logs"), Nimbus: n.addr, Ports: []int{0, 0},
		Conf: conf.Conf{isolationKey: "auto"}}
	p := startProcess(t, r)
	needGroups(t, p.err)
	n.submit("a-1-1", "good", p.node, p.ports[0])
	n.submit("b-2-2", "good", p.node, p.ports[1])
	kept, keptPid := n.ready("a-1-1", p.ports[0])
	swept, sweptPid := n.ready("b-2-2", p.ports[1])
	p.kill()
	if !alive(keptPid) || !alive(sweptPid) {
		t.Fatal("workers ended with their supervisor")
	}
	// One is unknown to the next supervisor: its record and its directory are gone. Only its group knows it.
	for _, path := range []string{filepath.Join("supervisor", "slots", fmt.Sprint(p.ports[1], ".json")), filepath.Join("workers", swept)} {
		if err := os.RemoveAll(filepath.Join(r.LocalDir, path)); err != nil {
			t.Fatal(err)
		}
	}
	n.schedule(scheduled(150, 0, 0), p.node, p.ports[0])
	q := startProcess(t, r)
	eventually(t, "the worker that goes on has the weight it was given meanwhile", func() bool {
		weight, _ := weightOf(t, p.node, kept)
		return weight == "1536" || weight == "150"
	})
	eventually(t, "the unknown worker is gone", func() bool { return !alive(sweptPid) })
	eventually(t, "its groups are gone", func() bool { return len(groupsOf(t, p.node+"/"+swept)) == 0 })
	if again, pid := n.ready("a-1-1", p.ports[0]); again != kept || pid != keptPid {
		t.Errorf("worker %s (%d), was %s (%d)", again, pid, kept, keptPid)
	}
	n.remove("a-1-1")
	n.remove("b-2-2")
	eventually(t, "all groups are gone", func() bool { return len(groupsOf(t, p.node)) == 0 && !alive(keptPid) })
	q.terminate(t)
}

func TestWorkersRunAsTheOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root")
	}
	dir, err := os.MkdirTemp("", "gearstorm-owner-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary := filepath.Join(dir, "test")
	data, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(binary, data, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := newFakeNimbus(t)
	s := live(t, n, filepath.Join(dir, "s"), func(c *Config) {
		c.Conf, c.Binary = conf.Conf{isolationKey: "auto", asUserKey: true}, binary
	})
	owned := func(id, owner string, port int) {
		n.store(id, conf.Conf{"topology.environment": map[string]any{roleVar: "good"}})
		n.change(func(p *stormrpc.NodePlan) {
			plan := planOf(id, p.Epoch, s.NodeID(), port)
			plan.Owner = &owner
			p.Topologies = append(p.Topologies, plan)
		})
	}
	owned("b-2-2", "gearstorm-no-such-user", s.Ports()[1])
	n.hears("b-2-2", `"gearstorm-no-such-user"`)
	owned("a-1-1", "nobody", s.Ports()[0])
	_, pid := n.ready("a-1-1", s.Ports()[0])
	st, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil || st.Sys().(*syscall.Stat_t).Uid == 0 {
		t.Errorf("the worker runs as root: %v", err)
	}
	n.remove("a-1-1")
	n.remove("b-2-2")
	eventually(t, "the worker is gone", func() bool { return !alive(pid) })
	s.stop()
	if st, err := os.Stat(filepath.Join(dir, "s", "local", "supervisor", "id")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the node's own files: %v, %v", st.Mode(), err)
	}
}

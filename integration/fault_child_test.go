package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/multilang/clients"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// childTopology is the one with a Python bolt, childTimeout its topology.subprocess.timeout.secs, childRate what it carries a second.
const (
	childTopology = "verify-child"
	childTimeout  = 3 * time.Second
	childRate     = 500
)

// 17. A child of a multilang bolt hangs, exits, or prints what is no message. It is noticed, started again and told of; no
// other process is touched. The line has the sums and the longest recovery.
func badChild(f *faultRun) {
	program(f.T, "python3")
	order := filepath.Join(f.TempDir(), "misbehave")
	script, err := os.ReadFile(filepath.Join("testdata", "chaos", "pass.py"))
	f.must("read the script", err)
	files := map[string]string{"pass.py": string(script)}
	for _, name := range []string{clients.Python, clients.PythonState} {
		module, err := clients.Source(name)
		f.must("read our module", err)
		files[name] = string(module)
	}
	topo := chaos.Topology{
		Run: rand.Uint64(), Dir: f.TempDir(), Rate: childRate, Sources: 2, Pending: 200, Workers: 1, Timeout: 10 * time.Second,
		Shell: []string{"python3", "pass.py", order},
	}
	topo.Conf = map[string]any{"topology.subprocess.timeout.secs": int(childTimeout.Seconds())}
	w := submitChaos(f.T, f.c, childTopology, topo, files)
	ours := func() []chaos.Worker {
		return f.workersOf(func(topology string) bool { return strings.HasPrefix(topology, childTopology+"-") })
	}
	f.Cleanup(func() { f.killed(childTopology, ours) })
	were := slices.Concat(f.workers(), ours())
	lost, duplicated, longest := 0, uint64(0), time.Duration(0)
	for _, b := range []struct{ what, told string }{
		{"hang", "taken for hung"}, {"exit", "exit status 3"}, {"garbage", "this is no message"},
	} {
		f.must("a steady rate before the fault", w.Steady(f.ctx))
		before := f.c.Children(filepath.Base(order))
		m := w.Begin()
		// A child that finds it takes it away, and has to find all of it.
		f.must("write the order", os.WriteFile(order+".new", []byte(b.what), 0o600))
		f.must("give the order", os.Rename(order+".new", order))
		waitFor(f.T, 30*time.Second, "another child", func() bool {
			now := f.c.Children(filepath.Base(order))
			return len(now) == len(before) && !slices.Equal(now, before)
		})
		f.within(time.Since(m.Began()), childTimeout+2*time.Second, b.what+": another child")
		res := chaos.Result{N: 17, Name: "child", Seed: f.seed}
		m.End(f.ctx, &res, m.Began(), topo.InFlight())
		f.Logf("%s: %v", b.what, res)
		lost, duplicated, longest = lost+*res.Lost, duplicated+*res.Duplicated, max(longest, res.Recovery)
		f.result.Failed = append(f.result.Failed, res.Failed...)
		f.tells(b.told)
	}
	if err := chaos.Untouched(were, slices.Concat(f.workers(), ours())); err != nil {
		f.result.Failf("%v", err)
	}
	f.result.Lost, f.result.Duplicated, f.result.Recovery = &lost, &duplicated, longest
}

// tells waits until Nimbus has an error of the children that says so.
func (f *faultRun) tells(what string) {
	f.Helper()
	var last string
	defer func() {
		if f.Failed() {
			f.Logf("errors at Nimbus: %s", last)
		}
	}()
	waitFor(f.T, 20*time.Second, fmt.Sprintf("the error %q at Nimbus", what), func() bool {
		var info *stormrpc.TopologyInfo
		_, err := f.c.Leader(f.ctx) // masters change, on a busy machine also by themselves
		if err == nil {
			info, err = f.c.Client().Nimbus().GetTopologyInfoByName(f.ctx, childTopology)
		}
		if err != nil {
			last = err.Error()
			return false
		}
		last = fmt.Sprint(info.Errors["shell"])
		return strings.Contains(last, what)
	})
}

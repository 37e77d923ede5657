package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
)

// childTimeout is topology.subprocess.timeout.secs of the topology with a Python bolt, childRate what it carries a second.
const (
	childTimeout = 3 * time.Second
	childRate    = 500
)

// 17. A child of a multilang bolt hangs, exits, or prints what is no message. It is noticed, started again and told of; no
// other process is touched. The line has the sums and the longest recovery.
func badChild(f *faultRun) {
	program(f.T, "python3")
	order := filepath.Join(f.TempDir(), "misbehave")
	script, err := os.ReadFile(filepath.Join("testdata", "chaos", "pass.py"))
	f.must("read the script", err)
	module, err := os.ReadFile(filepath.Join("..", "multilang", "clients", "python", "gearstorm.py"))
	f.must("read our module", err)
	topo := chaos.Topology{
		Run: rand.Uint64(), Dir: f.TempDir(), Rate: childRate, Sources: 2, Pending: 200, Workers: 1, Timeout: 10 * time.Second,
		Shell: []string{"python3", "pass.py", order},
	}
	topo.Conf = map[string]any{"topology.subprocess.timeout.secs": int(childTimeout.Seconds())}
	w := submitChaos(f.T, f.c, "verify-child", topo, map[string]string{"pass.py": string(script), "gearstorm.py": string(module)})
	defer func() {
		f.must("kill the topology", chaos.Kill(context.WithoutCancel(f.ctx), f.c.Client(), "verify-child"))
	}()
	were := f.workers()
	lost, duplicated, longest := 0, uint64(0), time.Duration(0)
	for _, b := range []struct{ what, told string }{
		{"hang", "taken for hung"}, {"exit", "exit status 3"}, {"garbage", "this is no message"},
	} {
		f.must("a steady rate before the fault", w.Steady(f.ctx))
		before := f.c.Children(filepath.Base(order))
		m := w.Begin()
		f.must("give the order", os.WriteFile(order, []byte(b.what), 0o600))
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
		waitFor(f.T, 20*time.Second, "the error at Nimbus", func() bool {
			info, err := f.c.Client().Nimbus().GetTopologyInfoByName(f.ctx, "verify-child")
			return err == nil && strings.Contains(fmt.Sprint(info.Errors["shell"]), b.told)
		})
	}
	f.untouched(were)
	f.result.Lost, f.result.Duplicated, f.result.Recovery = &lost, &duplicated, longest
}

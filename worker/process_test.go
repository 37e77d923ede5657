package worker

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// TestMain makes the test binary a worker when a supervisor's launch starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv(isolate.EnvWorker) == "" || len(os.Args) < 2 || os.Args[1] != "worker" {
		os.Exit(m.Run())
	}
	err := Main(context.Background(), func(c conf.Conf) (Registry, error) {
		if c.Has(spreadKey) {
			topo, err := spread(&meter{}, &atomic.Int64{})
			if err != nil {
				return nil, err
			}
			return topo.Components, nil
		}
		r, err := buildRelay(0, holding)
		if err != nil {
			return nil, err
		}
		return r.topo.Components, nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// launch starts a worker as a process of its own.
func (c *cluster) launch(port int, lifeline bool) (*isolate.Process, isolate.WorkerSpec) {
	c.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	spec := c.spec(port)
	spec.Lifeline = lifeline
	p, err := isolate.Launch{Spec: spec, Binary: binary, By: isolate.None{}}.Start()
	if err != nil {
		c.t.Fatal(err)
	}
	released := sync.OnceFunc(func() {
		p.Kill(context.Background(), 0)
		p.Release()
	})
	c.t.Cleanup(func() {
		released()
		if c.t.Failed() {
			log, _ := os.ReadFile(spec.LogPath)
			out, _ := os.ReadFile(spec.LogPath + ".err")
			c.t.Logf("log of process %s:\n%s%s", spec.Worker, log, out)
		}
	})
	return p, spec
}

// TestKilledProcessLosesNoMessage runs the bolts in a process that is killed with SIGKILL under load.
func TestKilledProcessLosesNoMessage(t *testing.T) {
	const n = 4000
	r := newRelay(t, n, soon)
	ports := freePorts(t, 2)
	c := newCluster(t, r.topo, twoSlots(ports))
	c.start(ports[0])
	p, _ := c.launch(ports[1], false)
	await(t, "messages go through", func() bool { return r.spout.done() > n/4 })
	if err := syscall.Kill(p.Identity().Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	p, spec := c.launch(ports[1], true)
	await(t, "every message is acked", func() bool { return r.spout.done() == n })
	await(t, "the process is ready", func() bool { return c.sup.isReady(spec.Worker) })
	if got := c.sup.report(spec.Worker).GetPid(); int(got) != p.Identity().Pid {
		t.Errorf("the worker reports pid %d, it is %d", got, p.Identity().Pid)
	}
	if err := p.Kill(t.Context(), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if e := p.Exit(); e.Code != 0 {
		t.Errorf("on SIGTERM the worker ends with %+v", e)
	}
}

// holding adds a bolt that never settles what it gets.
func holding(b *storm.TopologyBuilder) {
	b.MessageTimeout(time.Hour)
	b.SetBolt("hold", storm.BoltFactory(func() storm.Bolt { return holder{} }), 1).ShuffleGrouping("words")
}

type holder struct{}

func (holder) Prepare(ctx *storm.Context, _ *storm.Collector) error {
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	ctx.Log.Info("collector", slog.Int("percent", percent))
	return nil
}
func (holder) Execute(storm.Tuple, *storm.Collector) error { return nil }

// TestProcessHasItsHeapFloor: a worker around a small heap is collected when it has grown by far more than Go would let it.
func TestProcessHasItsHeapFloor(t *testing.T) {
	t.Setenv("GOGC", "")
	r := newRelay(t, 1, holding)
	ports := freePorts(t, 2)
	// Numbered: __acker 1 and 2, echo 3, hold 4, sink 5, words 6.
	c := newCluster(t, r.topo, map[int][][2]int64{ports[0]: {{1, 1}, {6, 6}}, ports[1]: {{2, 2}, {3, 3}, {4, 4}, {5, 5}}})
	c.start(ports[0])
	_, spec := c.launch(ports[1], false)
	said := regexp.MustCompile(`msg=collector .*percent=(\d+)`)
	await(t, "the bolt says how the collector is set", func() bool {
		log, _ := os.ReadFile(spec.LogPath)
		m := said.FindSubmatch(log)
		if m == nil {
			return false
		}
		if p, err := strconv.Atoi(string(m[1])); err != nil || p < 4*minGCPercent {
			t.Errorf("the collector of a worker runs at %s %%", m[1])
		}
		return true
	})
}

// TestKilledProcessFailsItsTuplesAtOnce kills a process that has received tuples and not acked them: the spout is told
// soon, long before the message timeout, whether another process takes over or not.
func TestKilledProcessFailsItsTuplesAtOnce(t *testing.T) {
	const pending = 200
	r := newRelay(t, 1<<30, holding)
	ports := freePorts(t, 2)
	// Numbered: __acker 1 and 2, echo 3, hold 4, sink 5, words 6.
	c := newCluster(t, r.topo, map[int][][2]int64{ports[0]: {{1, 1}, {6, 6}}, ports[1]: {{2, 2}, {3, 3}, {4, 4}, {5, 5}}})
	a := c.start(ports[0])
	failed := func() int { r.spout.mu.Lock(); defer r.spout.mu.Unlock(); return r.spout.failed }
	for round, again := range []bool{false, true} {
		p, spec := c.launch(ports[1], false)
		await(t, "the bolt holds all that may be pending", func() bool {
			rep := c.sup.report(spec.Worker)
			if rep == nil {
				return false
			}
			s := statOf(rep, 4)
			if s == nil || len(s.Specific.Bolt.Executed[":all-time"]) == 0 {
				return false
			}
			return s.Specific.Bolt.Executed[":all-time"][0].Value >= pending
		})
		if n := r.spout.done(); n != 0 {
			t.Fatalf("%d tuples are acked", n)
		}
		was := failed()
		began := time.Now()
		if err := syscall.Kill(p.Identity().Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		if again {
			c.launch(ports[1], false)
		}
		await(t, "what was received fails", func() bool { return failed() >= was+pending })
		t.Logf("round %d: %d tuples failed %v after the kill", round, pending, time.Since(began).Round(time.Millisecond))
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("round %d: the spout was told after %v", round, d)
		}
	}
	if err := a.stop(); err != nil {
		t.Error(err)
	}
}

func TestLifelineEndsTheProcess(t *testing.T) {
	r := newRelay(t, 0, nil)
	ports := freePorts(t, 1)
	c := newCluster(t, r.topo, map[int][][2]int64{ports[0]: {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}}})
	p, spec := c.launch(ports[0], true)
	await(t, "the process is ready", func() bool { return c.sup.isReady(spec.Worker) })
	p.Release()
	var status syscall.WaitStatus
	await(t, "the worker ends", func() bool {
		pid, err := syscall.Wait4(p.Identity().Pid, &status, syscall.WNOHANG, nil)
		return err == nil && pid == p.Identity().Pid
	})
	if log, _ := os.ReadFile(spec.LogPath); status.ExitStatus() != 0 || !bytes.Contains(log, []byte("supervisor is gone")) {
		t.Errorf("the worker ends with %v and logs\n%s", status, log)
	}
}

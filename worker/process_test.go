package worker

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// TestMain makes the test binary a worker when a supervisor's launch starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv(isolate.EnvWorker) == "" || len(os.Args) < 2 || os.Args[1] != "worker" {
		os.Exit(m.Run())
	}
	err := Main(context.Background(), func(conf.Conf) (Registry, error) {
		r, err := buildRelay(0, nil)
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

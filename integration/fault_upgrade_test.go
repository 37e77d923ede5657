package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// nextBinary builds gearstorm as another version of itself; $GEARSTORM_NEXT names one that is really another.
func nextBinary(f *faultRun) string {
	f.Helper()
	if next := os.Getenv("GEARSTORM_NEXT"); next != "" {
		return next
	}
	path, err := filepath.Abs("../cmd/gearstorm/version.go")
	f.must("find the version", err)
	b, err := os.ReadFile(path)
	f.must("read the version", err)
	const from = "	version = \""
	if strings.Count(string(b), from) != 1 {
		f.Fatalf("%s does not say the version as it did", path)
	}
	return builtWith(f.t, f.t.TempDir(), map[string]string{path: strings.Replace(string(b), from, from+"next-after-", 1)})
}

// 19. All daemons go over to another version under load, one after the other: the masters that follow, the one that leads, each supervisor and
// then its workers. What acks loses nothing, what counts once counts once, and clients hardly notice.
func rollingUpgrade(f *faultRun) {
	next := nextBinary(f)
	o := f.beside(exact.Topology{Sinks: 2})
	p := f.probe()
	leader := f.leader()
	masters := slices.DeleteFunc(slices.Clone(f.c.Nimbuses()), func(n *chaos.Node) bool { return n == leader })
	for _, n := range append(masters, leader) {
		were := slices.Concat(f.workers(), o.workers())
		f.upgrade(n, next)
		f.must("a leading Nimbus", f.c.LeadingNimbus(f.ctx))
		if err := chaos.Untouched(were, slices.Concat(f.workers(), o.workers())); err != nil {
			f.result.Failf("%s: %v", n.Name, err)
		}
	}
	restarts := 0
	for _, s := range f.c.Supervisors() {
		if !s.Running() {
			continue // that of fault 13, whose disk is gone
		}
		were, err := s.Workers()
		f.must("list workers", err)
		f.upgrade(s, next)
		f.must("all supervisors", f.c.Registered(f.ctx))
		are, err := s.Workers()
		f.must("list workers", err)
		if err := chaos.Untouched(were, are); err != nil {
			f.result.Failf("%s: %v", s.Name, err)
		}
		for _, w := range were {
			began := time.Now()
			f.must("end a worker", w.Signal(syscall.SIGTERM))
			f.follows(s, w)
			if w.Topology == o.id {
				o.recovered(began)
			} else {
				restarts++
				f.must("a steady rate with the new worker", f.w.Steady(f.ctx))
			}
		}
	}
	away := p.stop()
	f.allRun(next)
	f.m.End(f.ctx, &f.result, f.m.Began(), restarts*f.topo.InFlight())
	o.wentOn(f.m.Began(), 20*time.Second)
	f.Logf("%d workers of the topology that acks ended", restarts)
	f.within(away, 8*time.Second, "time without an answer of Nimbus")
}

// upgrade ends a daemon in order and starts the other version in its place.
func (f *faultRun) upgrade(n *chaos.Node, binary string) {
	f.Helper()
	f.must("end "+n.Name, n.Signal(syscall.SIGTERM))
	n.SetBinary(binary)
	f.must("start "+n.Name, f.c.Start(n))
}

// follows waits until another worker of the topology is in the place of one.
func (f *faultRun) follows(s *chaos.Node, w chaos.Worker) {
	f.Helper()
	waitFor(f.T, time.Minute, "the worker after "+w.String(), func() bool {
		now, err := s.Workers()
		f.must("list workers", err)
		return slices.ContainsFunc(now, func(n chaos.Worker) bool { return n.Port == w.Port && n.Topology == w.Topology && n.Pid != w.Pid })
	})
}

// allRun checks that all daemons and workers are processes of that binary.
func (f *faultRun) allRun(binary string) {
	f.Helper()
	pids := map[string]int{}
	for _, n := range f.running() {
		pids[n.Name] = n.Pid()
	}
	workers, err := f.c.Workers()
	f.must("list workers", err)
	for _, w := range workers {
		pids[w.String()] = w.Pid
	}
	for name, pid := range pids {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || exe != binary {
			f.result.Failf("%s runs %s instead of %s (%v)", name, exe, binary, err)
		}
	}
}

// probe asks Nimbus for the state of the cluster again and again, as a client does.
type probe struct {
	nc     *client.Client
	cancel func()
	wg     sync.WaitGroup
	away   time.Duration
}

// slowAnswer is how long an answer may take that counts as one.
const slowAnswer = 500 * time.Millisecond

func (f *faultRun) probe() *probe {
	f.Helper()
	nc, err := client.New(client.Options{Seeds: f.c.Seeds()})
	f.must("make a client", err)
	ctx, cancel := context.WithCancel(f.ctx)
	p := &probe{nc: nc, cancel: cancel}
	p.wg.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			_, err := nc.Nimbus().GetClusterInfo(ctx)
			if took := time.Since(began); ctx.Err() == nil && (err != nil || took > slowAnswer) {
				p.away += took
			}
			if sleepOrEnd(ctx, 20*time.Millisecond) {
				return
			}
		}
	})
	return p
}

// sleepOrEnd says whether ctx has ended before d was over.
func sleepOrEnd(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return true
	case <-time.After(d):
		return false
	}
}

// stop returns how long there was no answer, in all.
func (p *probe) stop() time.Duration {
	p.cancel()
	p.wg.Wait()
	p.nc.Close()
	return p.away
}

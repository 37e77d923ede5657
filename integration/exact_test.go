package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// exactRun is the topology that checks itself, in a cluster.
type exactRun struct {
	*daemons
	topo exact.Topology
	name string
	nc   *client.Client
}

// submitExact starts the topology, with checkpoints every 200 ms where they are kept by default: on the node.
func submitExact(t *testing.T, d *daemons, name string, topo exact.Topology, conf map[string]any) *exactRun {
	t.Helper()
	topo.Dir = t.TempDir()
	topo.Conf = map[string]any{"gearstorm.checkpoint.interval.ms": 200}
	for k, v := range conf {
		topo.Conf[k] = v
	}
	built, err := topo.Build()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := client.New(client.Options{Seeds: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(d.nimbus))}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := chaos.Submit(t.Context(), nc, name, built, nil); err != nil {
		t.Fatal(err)
	}
	return &exactRun{d, topo, name, nc}
}

// visible waits until that many records are, and fails if anything is wrong.
func (e *exactRun) visible(t *testing.T, n int) exact.Result {
	t.Helper()
	var r exact.Result
	waitFor(t, 2*time.Minute, fmt.Sprintf("%d visible records", n), func() bool {
		var err error
		if r, err = exact.Check(e.topo); err != nil {
			t.Fatal(err)
		}
		return r.Visible >= n || len(r.Wrong) > 0
	})
	if len(r.Wrong) > 0 {
		t.Fatalf("wrong:\n%s", strings.Join(r.Wrong, "\n"))
	}
	return r
}

// workerOf returns the worker that has a component's first task, or the other one.
func (e *exactRun) workerOf(t *testing.T, component string, itself bool) (process, bool) {
	t.Helper()
	ti, err := e.nc.Nimbus().GetTopologyInfoByName(t.Context(), e.name)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range ti.Executors {
		if x.ComponentID != component {
			continue
		}
		for _, p := range e.workers(t) {
			if (p.port(t) == int(x.Port)) == itself {
				return p, true
			}
		}
	}
	return process{}, false
}

// timing is what `gearstorm checkpoints` says; nothing while the worker with the clock, just started, has not said anything.
func (e *exactRun) timing(t *testing.T) (v struct {
	State       string
	Generation  int
	Watermark   any
	Checkpoints []struct {
		Epoch      int
		State      string
		Components []struct {
			Component string
			Notes     []string
		}
	}
}) {
	t.Helper()
	out, err := e.gearstorm(t, "checkpoints", e.name, "-o", "json")
	if err != nil {
		t.Log(out)
		return v
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return v
}

// Workers, daemons and the worker with the clock are killed at random moments: every record is counted once, and at each checkpoint the
// counts are those of the records before the sources' positions.
func TestCountsOnceThroughKills(t *testing.T) {
	t.Parallel()
	const rounds, each, rate = 8, 3000, 4000
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 7))
	d := startDaemons(t, 2)
	e := submitExact(t, d, "exact", exact.Topology{Records: rounds * each / 2, Rate: rate / 2, Sources: 2, Counters: 3, Sinks: 2, Workers: 2}, nil)
	kinds := []string{"worker", "clock", "supervisor", "nimbus", "clock", "worker", "both daemons", "clock"}
	for i, kind := range kinds {
		e.visible(t, i*each+1)
		time.Sleep(time.Duration(rnd.Int64N(int64(300 * time.Millisecond)))) // the moment is the point
		began := time.Now()
		switch kind {
		case "worker", "clock":
			if p, ok := e.workerOf(t, "__clock", kind == "clock"); ok {
				p.signal(t, syscall.SIGKILL)
			}
		case "supervisor":
			d.supervisord.kill(t)
			d.startSupervisor(t)
		case "nimbus":
			d.nimbusd.kill(t)
			d.startNimbus(t)
		default:
			d.nimbusd.kill(t)
			d.supervisord.kill(t)
			d.startSupervisor(t)
			d.startNimbus(t)
		}
		before := e.visible(t, 0).Visible
		e.visible(t, min(before+1, rounds*each))
		t.Logf("%s killed: more records after %v", kind, time.Since(began).Round(time.Millisecond))
	}
	r := e.visible(t, rounds*each)
	t.Logf("%d records, %d checkpoints looked at, the last is %d", r.Visible, r.Epochs, r.Last)
	if r.Epochs < 2*rounds {
		t.Errorf("only %d checkpoints could be looked at", r.Epochs)
	}
	waitFor(t, 30*time.Second, "the end of the clock", func() bool {
		v := e.timing(t)
		return v.State == "running" && v.Watermark == "end" && len(v.Checkpoints) > 0 && v.Checkpoints[0].State == "committed"
	})
	if kept, err := filepath.Glob(filepath.Join(d.dir, "state", "checkpoints", "topologies", "*", "manifests", "*")); len(kept) < 2 || err != nil {
		t.Errorf("the node keeps %v (%v)", kept, err)
	}
	d.must(t, "kill", "exact", "-w", "0")
	waitFor(t, 20*time.Second, "the end of the topology's processes", func() bool { return len(e.workers(t)) == 0 })
	if kept, err := filepath.Glob(filepath.Join(d.dir, "state", "checkpoints", "topologies", "*", "*", "*")); len(kept) > 0 || err != nil {
		t.Errorf("a topology that was killed leaves %v (%v)", kept, err)
	}
}

// A savepoint is made while the topology runs, and another topology begins with it when that one is gone.
func TestTopologyFromASavepoint(t *testing.T) {
	t.Parallel()
	const records = 40_000
	d := startDaemons(t, 2)
	e := submitExact(t, d, "first", exact.Topology{Records: records, Rate: 4000, Workers: 2}, nil)
	e.visible(t, 2000)
	if out := d.must(t, "savepoint", "first", "half"); !strings.Contains(out, "Savepoint half of first: epoch ") || !strings.Contains(out, "-c gearstorm.checkpoint.from=half") {
		t.Errorf("savepoint says\n%s", out)
	}
	if out, err := d.gearstorm(t, "savepoint", "first", "half"); err == nil || !strings.Contains(out, "half") {
		t.Errorf("a name that is taken: %v\n%s", err, out)
	}
	if out := d.must(t, "savepoint", "first"); !strings.Contains(out, "half") {
		t.Errorf("the list is\n%s", out)
	}
	d.must(t, "kill", "first", "-w", "0")
	waitFor(t, 20*time.Second, "the end of the topology's processes", func() bool { return len(e.workers(t)) == 0 })
	had := e.visible(t, 2000).Visible
	next := submitExact(t, d, "second", exact.Topology{Records: records, Workers: 1}, map[string]any{"gearstorm.checkpoint.from": "half"})
	waitFor(t, time.Minute, "the end of the records", func() bool {
		out, err := d.gearstorm(t, "checkpoints", "second", "-o", "json")
		return err == nil && strings.Contains(out, fmt.Sprintf("\"offset %d\"", records))
	})
	r, err := exact.Check(next.topo)
	if err != nil {
		t.Fatal(err)
	}
	if r.Visible >= records || r.Visible < records-had {
		t.Errorf("the first topology made %d records visible, the one from its savepoint %d of %d", had, r.Visible, records)
	}
	if out := d.must(t, "savepoint", "--delete", "second", "half"); !strings.Contains(out, "Deleted savepoint half") {
		t.Errorf("delete says\n%s", out)
	}
}

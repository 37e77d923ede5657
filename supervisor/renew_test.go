package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// recode gives the first topology of the plan newer code.
func (n *fakeNimbus) recode(version int64) {
	n.change(func(p *stormrpc.NodePlan) {
		next := *p.Topologies[0]
		next.PlanVersion++
		next.CodeVersion = version
		p.Topologies[0] = &next
	})
}

func TestNewerCodeStartsWorkersAgainOneByOne(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	n.submit("a-1-1", "good", s.NodeID(), s.Ports()...)
	w0, _ := n.ready("a-1-1", s.Ports()[0])
	w1, _ := n.ready("a-1-1", s.Ports()[1])
	n.recode(1) // the same code
	n.store("a-1-1", conf.Conf{"topology.debug": true})
	n.mu.Lock()
	n.fewest = 2
	n.mu.Unlock()
	n.recode(2)
	n.until("both are new and ready", func() bool {
		a, b := n.workers[int32(s.Ports()[0])], n.workers[int32(s.Ports()[1])]
		return a != nil && b != nil && a.Ready && b.Ready && a.WorkerID != w0 && b.WorkerID != w1
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fewest < 1 {
		t.Error("both were missing at once")
	}
	for _, w := range n.workers {
		if w.GetRestarts() > 0 {
			t.Errorf("counted as %d restarts", w.GetRestarts())
		}
	}
	if len(n.errors) > 0 {
		t.Errorf("errors %q", n.errors)
	}
}

func TestBlobsFollowNimbus(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir, func(c *Config) { c.BlobInterval = 20 * time.Millisecond })
	port := s.Ports()[0]
	n.put("words", "one")
	n.put("model", "one")
	n.store("a-1-1", conf.Conf{"topology.blobstore.map": map[string]any{
		"words": map[string]any{"localname": "words.txt"},
		"model": map[string]any{"localname": "model.bin", "workerRestart": true},
	}})
	n.change(func(p *stormrpc.NodePlan) {
		p.Topologies = append(p.Topologies, planOf("a-1-1", p.Epoch, s.NodeID(), port))
	})
	worker, _ := n.ready("a-1-1", port)
	read := func(worker, name string) string {
		data, err := os.ReadFile(filepath.Join(dir, "local", "workers", worker, name))
		return fmt.Sprint(string(data), err)
	}
	if a, b := read(worker, "words.txt"), read(worker, "model.bin"); a != "one<nil>" || b != a {
		t.Errorf("in the worker's directory: %s, %s", a, b)
	}
	n.put("words", "two")
	eventually(t, "the file changes", func() bool { return read(worker, "words.txt") == "two<nil>" })
	if got, _ := n.ready("a-1-1", port); got != worker {
		t.Error("the worker was started again")
	}
	n.put("model", "two")
	n.until("the worker is started again", func() bool {
		w := n.workers[int32(port)]
		return w != nil && w.Ready && w.WorkerID != worker
	})
	next, _ := n.ready("a-1-1", port)
	if got := read(next, "model.bin"); got != "two<nil>" {
		t.Error(got)
	}
}

func TestBlobThatCannotBeUsedIsToldOnceAndLeavesTheOldOne(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir, func(c *Config) { c.BlobInterval = 10 * time.Millisecond })
	port := s.Ports()[0]
	n.put("words.tar", "")
	n.store("a-1-1", conf.Conf{"topology.blobstore.map": map[string]any{"words.tar": map[string]any{"localname": "words", "uncompress": true}}})
	n.change(func(p *stormrpc.NodePlan) {
		p.Topologies = append(p.Topologies, planOf("a-1-1", p.Epoch, s.NodeID(), port))
	})
	worker, _ := n.ready("a-1-1", port)
	n.put("words.tar", strings.Repeat("no archive", 1000))
	n.hears("a-1-1", "words.tar", "archive refused", "go on with what is here")
	began := time.Now()
	eventually(t, "it was tried some times more", func() bool { return time.Since(began) > 200*time.Millisecond })
	if errs := n.told(); len(errs) != 1 {
		t.Errorf("errors %q", errs)
	}
	if got, _ := n.ready("a-1-1", port); got != worker {
		t.Error("the worker was started again")
	}
}

// TestRollGoesOnAfterARestart has code change while no supervisor runs.
func TestRollGoesOnAfterARestart(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	r := remote{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(dir, "logs"), Nimbus: n.addr, Ports: []int{0, 0}}
	p := startProcess(t, r)
	n.submit("a-1-1", "good", p.node, p.ports...)
	w0, _ := n.ready("a-1-1", p.ports[0])
	w1, _ := n.ready("a-1-1", p.ports[1])
	p.kill()
	n.store("a-1-1", conf.Conf{"topology.debug": true})
	n.recode(2)
	q := startProcess(t, r)
	n.until("both are new and ready", func() bool {
		a, b := n.workers[int32(p.ports[0])], n.workers[int32(p.ports[1])]
		return a != nil && b != nil && a.Ready && b.Ready && a.WorkerID != w0 && b.WorkerID != w1
	})
	n.remove("a-1-1")
	n.until("no worker is reported", func() bool { return len(n.workers) == 0 })
	q.terminate(t)
}

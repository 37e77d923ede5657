package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
	"github.com/gearstorm/gearstorm/internal/exact"
)

// statedYAML is a topology without checkpoints that counts by key in Python and in Node, on two workers. The first argument is the number of tasks.
const (
	statedYAML = `
name: stated
config: {topology.workers: 2, topology.acker.executors: 1}
spouts:
  - {id: keys, className: org.apache.storm.flux.wrappers.spouts.FluxShellSpout, constructorArgs: [["python3", "keys.py"], ["key"]]}
bolts:
  - {id: count, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [["python3", "count.py"], ["key"]], parallelism: %[1]d}
  - {id: nodes, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [["node", "nodes.js"], []], parallelism: %[1]d}
  - {id: plain, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [["python3", "plain.py"], []]}
streams:
  - {from: keys, to: count, grouping: {type: KEY_GROUPS, args: [key]}}
  - {from: count, to: nodes, grouping: {type: KEY_GROUPS, args: [key]}}
  - {from: count, to: plain, grouping: {type: SHUFFLE}}
`
	statedKeys = `
import gearstorm
class Keys(gearstorm.Spout):
    def initialize(self, conf, context):
        self.n = 0
    def next_tuple(self):
        if self.n < 400:
            self.emit(["key%d" % (self.n % 20)], id=self.n)
            self.n += 1
Keys().run()
`
	statedCount = `
import gearstorm
class Count(gearstorm.BasicBolt):
    total = gearstorm.Value(0)
    last = gearstorm.List()
    bell = gearstorm.Timers(clock=True)
    def process(self, tup):
        self.total.set(self.total.get() + 1)
        self.last.append(self.total.get())
        self.bell.set(1 << 52)
        self.emit([tup[0]])
    def on_timer(self, timer): pass
Count().run()
`
	statedNodes = `
const { BasicBolt, value, map } = require('./gearstorm');
class Nodes extends BasicBolt {
  static states = { total: value(0, { ttlMs: 3_600_000 }), seen: map() };
  process(tuple) {
    const { total, seen } = this.state(tuple);
    total.set(total.get() + 1);
    seen.set('n', total.get());
  }
}
new Nodes().run();
`
	statedPlain = `
import gearstorm
class Plain(gearstorm.BasicBolt):
    def process(self, tup): pass
Plain().run()
`
)

// stateRows is what state get and list say with -o json.
type stateRows struct {
	Rows []struct {
		Task        int32
		State, Kind string
		Value       json.RawMessage
		Error       string
	}
	Silent []int32
}

// state asks by the command, which has to succeed.
func (c *cluster) state(t *testing.T, args ...string) (s stateRows) {
	t.Helper()
	out := c.must(t, append(append([]string{"state"}, args...), "-o", "json")...)
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}

// tasks are the tasks that have a state, in order.
func (s stateRows) tasks() (tasks []int32) {
	for _, r := range s.Rows {
		tasks = append(tasks, r.Task)
	}
	slices.Sort(tasks)
	return slices.Compact(tasks)
}

// says runs a command that has to exit with a status and to say something.
func (c *cluster) says(t *testing.T, status int, want string, args ...string) {
	t.Helper()
	out, err := c.gearstorm(t, args...)
	got := 0
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		got = e.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != status || !strings.Contains(out, want) {
		t.Errorf("%s exits with %d and says\n%s\nwant %d and %q", strings.Join(args, " "), got, out, status, want)
	}
}

// startStated submits statedYAML and waits until all is counted.
func startStated(t *testing.T, c *cluster) {
	t.Helper()
	program(t, "python3")
	program(t, "node")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"stated.yaml": fmt.Sprintf(statedYAML, 3), "resources/keys.py": statedKeys, "resources/count.py": statedCount, "resources/nodes.js": statedNodes, "resources/plain.py": statedPlain,
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	c.must(t, "submit", filepath.Join(dir, "stated.yaml"))
	waitFor(t, time.Minute, "all to be counted", func() bool {
		out, err := c.gearstorm(t, "state", "get", "stated", "nodes", "key19", "--state", "total")
		return err == nil && strings.Contains(out, " 20\n")
	})
}

// A key's state is shown by the task that it belongs to, on whichever worker that is; whatever cannot be shown is told, with an exit status.
func TestStateOfACluster(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 2)
	startStated(t, d.cluster)
	if n := len(d.workers(t)); n != 2 {
		t.Fatalf("%d workers, want 2", n)
	}
	d.says(t, 0, "bell   timers  3\nlast   list    3\ntotal  value   3\n", "state", "list", "stated", "count")
	d.says(t, 0, "count      bell   timers  3\n", "state", "list", "stated")
	for component, want := range map[string]map[string]string{
		"count": {"total": "20", "last": "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]"}, "nodes": {"total": "20", "seen": `{"n":20}`},
	} {
		tasks := d.state(t, "list", "stated", component).tasks()
		for i := range 20 {
			key := fmt.Sprint("key", i)
			owner := slices.IndexFunc(tasks, func(id int32) bool {
				first, last := gearcore.KeyGroupRange(slices.Index(tasks, id), len(tasks))
				group := state.GroupOf(gearcore.HashByValue, gearcore.Str(key))
				return first <= group && group <= last
			})
			got := map[string]string{}
			for _, r := range d.state(t, "get", "stated", component, key).Rows {
				var value any
				if err := json.Unmarshal(r.Value, &value); err != nil || r.Task != tasks[owner] {
					t.Errorf("%s: %s is in task %d of %v, want %d; %v", key, r.State, r.Task, tasks, tasks[owner], err)
				}
				text, _ := json.Marshal(value)
				got[r.State] = string(text)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s of %s: %v, want %v", key, component, got, want)
			}
		}
	}
	d.says(t, 0, "[4503599627370496]", "state", "get", "stated", "count", "key3", "--state", "bell")
	d.says(t, 1, `component count of stated has nothing for key "nosuch"`, "state", "get", "stated", "count", "nosuch")
	d.says(t, 1, "component count of stated: there is no state \"nosuch\": there are bell, last, total\n", "state", "get", "stated", "count", "key1", "--state", "nosuch")
	d.says(t, 1, "nosuch is not alive", "state", "get", "nosuch", "count", "key1")
	d.says(t, 1, "nosuch is not alive", "state", "list", "nosuch")
	d.says(t, 1, `topology stated has no component "nosuch": it has count, keys, nodes, plain`, "state", "get", "stated", "nosuch", "key1")
	d.says(t, 1, "component plain of stated: it keeps no state that can be looked at", "state", "get", "stated", "plain", "key1")
	d.says(t, 1, "component keys of stated: it keeps no state that can be looked at", "state", "list", "stated", "keys")
	d.must(t, "deactivate", "stated")
	d.says(t, 0, " 20\n", "state", "get", "stated", "count", "key7", "--state", "total")
	d.must(t, "activate", "stated")

	// Nobody answers for a worker that is gone; the next one does.
	task := d.state(t, "get", "stated", "count", "key7").Rows[0].Task
	ti, err := d.dial(t).Nimbus().GetTopologyInfoByName(t.Context(), "stated")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.supervisord.cmd.Process.Signal(syscall.SIGSTOP); err != nil { // it starts no other
		t.Fatal(err)
	}
	killed := 0
	for _, x := range ti.Executors {
		for _, p := range d.workers(t) {
			if x.ComponentID == "count" && x.ExecutorInfo.TaskStart <= task && task <= x.ExecutorInfo.TaskEnd && p.port(t) == int(x.Port) {
				p.signal(t, syscall.SIGKILL)
				killed++
			}
		}
	}
	if killed != 1 {
		t.Fatalf("%d workers have task %d", killed, task)
	}
	d.says(t, 1, "did not answer within 300ms: they are starting, restarting or busy", "state", "get", "stated", "count", "key7", "-w", "300ms")
	if err := d.supervisord.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "the next worker to answer", func() bool {
		out, err := d.gearstorm(t, "state", "list", "stated", "count", "-o", "json")
		var s stateRows
		return err == nil && json.Unmarshal([]byte(out), &s) == nil && len(s.Silent) == 0 && len(s.tasks()) == 3
	})
	d.must(t, "kill", "stated", "-w", "0")
	d.says(t, 1, "stated is not alive", "state", "get", "stated", "count", "key7")
}

// What a bolt in Go keeps in checkpoints is shown too, and comes back with its worker.
func TestStateInCheckpoints(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 2)
	const records = 700
	e := submitExact(t, d, "exact", exact.Topology{Records: records, Keys: 7, Counters: 3, Workers: 2}, nil)
	e.visible(t, records)
	count := func(key string) (n int, err error) {
		out, err := d.gearstorm(t, "state", "get", "exact", "counter", key, "-o", "json")
		if err != nil {
			return 0, errors.New(out)
		}
		var s stateRows
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			return 0, err
		}
		return strconv.Atoi(string(s.Rows[0].Value))
	}
	all := func() (sum int) {
		for i := range 7 {
			n, err := count(fmt.Sprint("k", i))
			if err != nil {
				t.Logf("k%d: %v", i, err)
				return 0
			}
			sum += n
		}
		return sum
	}
	if n := all(); n != records {
		t.Errorf("%d records are counted, want %d", n, records)
	}
	if p, ok := e.workerOf(t, "counter", true); ok {
		p.signal(t, syscall.SIGKILL)
	}
	waitFor(t, time.Minute, "the counts to be back", func() bool { return all() == records })
	d.says(t, 1, `component counter of exact has nothing for key "k7"`, "state", "get", "exact", "counter", "k7")
	d.says(t, 1, "component source of exact: it keeps no state that can be looked at", "state", "get", "exact", "source", "k1")
	d.must(t, "kill", "exact", "-w", "0")
}

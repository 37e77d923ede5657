package worker

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/raced"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// upgrade tells of another version of the topology, in which those components are replaced too: executors that stay keep their
// places, what comes is placed by at, but where nothing else stays: a worker without tasks ends. change may alter the plan and what is
// on disk for it.
func (c *cluster) upgrade(topo *storm.Topology, replaced []string, at func(gearcore.TaskID) int, change func(*stormrpc.TopologyPlan)) {
	c.t.Helper()
	dir, fresh := codeDir(c.t, topo)
	fresh.Graph.Version = c.plan.Graph.Version + 1
	next, highest, err := c.plan.Next(fresh.Graph, c.highest, nil, replaced...)
	must(c.t, err)
	places := map[gearcore.TaskID]int{}
	for _, e := range *c.sup.plan.Assignment.ExecutorNodePort {
		for id := e.Key[0]; id <= e.Key[1]; id++ {
			places[gearcore.TaskID(id)] = int(e.Value.Port[0])
		}
	}
	byPort := map[int][][2]int64{}
	var come []gearcore.TaskID
	for _, id := range slices.Sorted(maps.Keys(next.Numbering)) {
		if port, stays := places[id]; stays {
			byPort[port] = append(byPort[port], [2]int64{int64(id), int64(id)})
		} else {
			come = append(come, id)
		}
	}
	var bare []int
	for _, port := range slices.Sorted(maps.Values(places)) {
		if len(byPort[port]) == 0 && !slices.Contains(bare, port) {
			bare = append(bare, port)
		}
	}
	for _, id := range come {
		port := at(id)
		if len(bare) > 0 {
			port, bare = bare[0], bare[1:]
		}
		byPort[port] = append(byPort[port], [2]int64{int64(id), int64(id)})
	}
	from := c.plan.Graph.Version
	c.sup.change(func(p *stormrpc.TopologyPlan) {
		c.setRegistry(topo.Components)
		c.dir, c.plan, c.highest = dir, next, highest
		p.DagVersion, p.InPlaceFrom, p.CodeDir = fresh.Graph.Version, from, &dir
		p.TaskComponents, p.GoneTasks = numbers(next.Numbering), numbers(next.Layout.Gone)
		p.Streams = nil
		for _, s := range next.Layout.Streams {
			p.Streams = append(p.Streams, &stormrpc.PlanStream{Component: s.Component, Name: s.Name, Fields: s.Fields, Direct: s.Direct})
		}
		p.AssignmentID, p.Assignment = fmt.Sprint("1-v", p.DagVersion), assignment(byPort)
		if change != nil {
			change(p)
		}
	})
}

// evenly places tasks on ports in turn.
func evenly(ports []int) func(gearcore.TaskID) int {
	return func(id gearcore.TaskID) int { return ports[int(id)%len(ports)] }
}

// allRun waits until all workers say that they run the newest version.
func (c *cluster) allRun(procs ...*process) {
	c.t.Helper()
	want := c.plan.Graph.Version
	for _, p := range procs {
		await(c.t, fmt.Sprintf("%s runs version %d", p.id, want), func() bool {
			r := c.sup.report(p.id)
			return r != nil && r.GetDagVersion() == want && r.Ready
		})
	}
}

// alive fails the test if one of them has ended.
func (c *cluster) alive(procs ...*process) {
	c.t.Helper()
	for _, p := range procs {
		select {
		case err := <-p.end:
			c.t.Fatalf("%s has ended: %v", p.id, err)
		default:
		}
	}
}

// lives counts the tasks of a component that were opened and closed.
type lives struct{ opened, closed atomic.Int64 }

func (l *lives) Prepare(*storm.Context, *storm.Collector) error { l.opened.Add(1); return nil }
func (l *lives) Close()                                         { l.closed.Add(1) }

// passer passes numbers on.
type passer struct{ *lives }

func (p passer) Execute(in storm.Tuple, c *storm.Collector) error {
	c.EmitAnchored(in, in.Value(0))
	c.Ack(in)
	return nil
}

// tallier notes which numbers came from which component, and how often.
type tallier struct {
	*lives
	mu   *sync.Mutex
	seen map[string][]int
}

func newTallier(n int, from ...string) tallier {
	t := tallier{&lives{}, &sync.Mutex{}, map[string][]int{}}
	for _, name := range from {
		t.seen[name] = make([]int, n)
	}
	return t
}

func (t tallier) Execute(in storm.Tuple, c *storm.Collector) error {
	t.mu.Lock()
	t.seen[in.Component()][in.Int(0)]++
	t.mu.Unlock()
	c.Ack(in)
	return nil
}

func (t tallier) of(from string) []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.seen[from])
}

// line is words -> pass (4 tasks) -> tally (2), and extra beside pass if there are tasks of it.
func line(t *testing.T, words storm.SpoutSpec, pass, extra int, lives *lives, tally tallier, ackers int) *storm.Topology {
	t.Helper()
	b := storm.NewTopologyBuilder().Ackers(ackers).MaxSpoutPending(1000).MessageTimeout(time.Minute)
	b.SetSpout("words", words, 1).Fields("n", "word")
	passers := storm.BoltFactory(func() storm.Bolt { return passer{lives} })
	b.SetBolt("pass", passers, pass).Fields("n").ShuffleGrouping("words")
	d := b.SetBolt("tally", storm.BoltFactory(func() storm.Bolt { return tally }), 2).FieldsGrouping("pass", "n")
	if extra > 0 {
		b.SetBolt("extra", passers, extra).Fields("n").ShuffleGrouping("words")
		d.FieldsGrouping("extra", "n")
	}
	topo, err := b.Build()
	must(t, err)
	return topo
}

// numberSpout is counter whose number comes first.
type numberSpout struct{ *counter }

func (s numberSpout) Next(c *storm.Collector) error {
	i, ok := s.take()
	if !ok {
		return storm.ErrIdle
	}
	c.EmitID(gearcore.Long(int64(i)), i, fmt.Sprint("m", i))
	return nil
}

// startLine places the tasks of a line on workers: the spout alone on the first, all others in turn.
func startLine(t *testing.T, topo *storm.Topology, n int) (c *cluster, ports []int, procs []*process) {
	t.Helper()
	ports = freePorts(t, n)
	_, plan := codeDir(t, topo)
	byPort := map[int][][2]int64{}
	for id, name := range plan.Numbering {
		port := evenly(ports)(id)
		if name == "words" {
			port = ports[0]
		}
		byPort[port] = append(byPort[port], [2]int64{int64(id), int64(id)})
	}
	c = newCluster(t, topo, byPort)
	for _, p := range ports {
		procs = append(procs, c.start(p))
	}
	return c, ports, procs
}

// TestVersionsInPlaceUnderLoad rescales, adds, replaces and removes bolts while tuples are under way: no worker ends, no tuple is
// lost, and the tasks of other components do not notice.
func TestVersionsInPlaceUnderLoad(t *testing.T) {
	const n = 60_000 / raced.Fewer
	spout := numberSpout{newCounter(n)}
	words := storm.SpoutFactory(func() storm.Spout { return spout })
	tally := newTallier(n, "pass", "extra")
	var passers lives
	c, ports, procs := startLine(t, line(t, words, 4, 0, &passers, tally, 3), 3)
	for i, v := range []struct {
		pass, extra int
		replaced    []string
	}{{6, 0, nil}, {6, 2, nil}, {6, 2, []string{"pass"}}, {6, 2, []string{"extra"}}, {2, 2, nil}, {2, 0, nil}, {5, 0, nil}} {
		await(t, "tuples go through", func() bool { return spout.done() >= (i+1)*n/9 })
		c.upgrade(line(t, words, v.pass, v.extra, &passers, tally, 3), v.replaced, evenly(ports), nil)
		c.allRun(procs...)
	}
	await(t, "every tuple is acked", func() bool { return spout.done() == n })
	c.alive(procs...)
	spout.mu.Lock()
	failed := spout.failed
	if spout.opened != 1 {
		t.Errorf("the spout was opened %d times", spout.opened)
	}
	spout.mu.Unlock()
	again := 0
	for i, times := range tally.of("pass") {
		if times == 0 {
			t.Fatalf("number %d was never seen", i)
		}
		again += times - 1
	}
	t.Logf("%d of %d tuples failed, %d were seen again", failed, n, again)
	if again > failed {
		t.Errorf("%d tuples were seen again, but %d failed", again, failed)
	}
	if tally.opened.Load() != 2 || tally.closed.Load() != 0 {
		t.Errorf("of two tasks that stay %d were opened and %d closed", tally.opened.Load(), tally.closed.Load())
	}
	const came, stay = 4 + 6 + 2 + 6 + 2 + 2 + 5, 5
	await(t, "tasks that are gone are closed", func() bool { return passers.closed.Load() == came-stay })
	if passers.opened.Load() != came {
		t.Errorf("%d of %d tasks were opened", passers.opened.Load(), came)
	}
	await(t, "reports are of the tasks that there are", func() bool {
		var ids []int
		for _, p := range procs {
			for _, e := range c.sup.report(p.id).ExecutorStats {
				ids = append(ids, int(e.Key.TaskStart))
			}
		}
		slices.Sort(ids)
		var want []int
		for id := range c.plan.Numbering {
			want = append(want, int(id))
		}
		slices.Sort(want)
		return slices.Equal(ids, want)
	})
}

// TestUntrackedTuplesSurviveVersions is for rescales and replacements without ackers: nobody would send again what is lost.
func TestUntrackedTuplesSurviveVersions(t *testing.T) {
	const n, most = 200_000 / raced.Fewer, 40_000 / raced.Fewer
	var sent atomic.Int64
	var limit atomic.Int64
	words := storm.SpoutFunc(func(c *storm.Collector) error {
		i := sent.Load()
		if i >= limit.Load() {
			return storm.ErrIdle
		}
		sent.Add(1)
		c.Emit(i, "m")
		return nil
	})
	tally := newTallier(n, "pass")
	var passers lives
	c, ports, procs := startLine(t, line(t, words, 3, 0, &passers, tally, 0), 3)
	seen := func() (sum int64) {
		for _, times := range tally.of("pass") {
			sum += int64(times)
		}
		return sum
	}
	for _, pass := range []int{5, 5, 2, 4} {
		limit.Add(most)
		await(t, "tuples go through", func() bool { return seen() >= limit.Load()-most/2 })
		c.upgrade(line(t, words, pass, 0, &passers, tally, 0), []string{"pass"}, evenly(ports), nil)
		c.allRun(procs...)
	}
	limit.Store(n)
	await(t, "all are there", func() bool { return seen() >= n })
	c.alive(procs...)
	for i, times := range tally.of("pass") {
		if times != 1 {
			t.Fatalf("number %d was seen %d times", i, times)
		}
	}
}

// TestWorkerEndsInTheMiddleOfAVersion ends one of the workers while the others go over, and starts it again with the new version.
func TestWorkerEndsInTheMiddleOfAVersion(t *testing.T) {
	const n, rounds = 30_000, 4
	spout := numberSpout{newCounter(n)}
	words := storm.SpoutFactory(func() storm.Spout { return spout })
	tally := newTallier(n, "pass", "extra")
	var passers lives
	c, ports, procs := startLine(t, line(t, words, 4, 0, &passers, tally, 3), 3)
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range rounds {
		await(t, "tuples go through", func() bool { return spout.done() >= (round+1)*n/(rounds+2) })
		c.upgrade(line(t, words, 3+round%2, round%2, &passers, tally, 3), nil, evenly(ports), nil)
		victim := 1 + rnd.IntN(2) // not the one with the spout
		if err := procs[victim].stop(); err != nil {
			t.Errorf("%s ends with %v", procs[victim].id, err)
		}
		procs[victim] = c.start(ports[victim])
		c.allRun(procs...)
	}
	await(t, "every tuple is acked", func() bool { return spout.done() == n })
	c.alive(procs...)
	for i, times := range tally.of("pass") {
		if times == 0 {
			t.Fatalf("number %d was never seen", i)
		}
	}
	if spout.opened != 1 {
		t.Errorf("the spout was opened %d times", spout.opened)
	}
}

const pidScript = `import os
import gearstorm

class Echo(gearstorm.BasicBolt):
    def process(self, tup):
        self.emit([tup["word"] + MARK, str(os.getpid())])

Echo().run()
`

// TestPythonIsReplacedInPlace gives one Python component another script, and then other numbers of tasks, while another one goes on in
// the same process.
func TestPythonIsReplacedInPlace(t *testing.T) {
	const n = 8000
	spout := newCounter(n)
	var mu sync.Mutex
	texts, pids := map[string]bool{}, map[string]map[string]bool{} // the latter by the script's mark
	build := func(echo int) *storm.Topology {
		b := storm.NewTopologyBuilder().Ackers(2).MaxSpoutPending(200).MessageTimeout(time.Minute)
		b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return spout }), 1).Fields("word", "n")
		b.SetBolt("stays", storm.ShellBolt("python3", "stays.py"), 1).Fields("word", "pid").ShuffleGrouping("words")
		b.SetBolt("echo", storm.ShellBolt("python3", "pid.py"), echo).Fields("word", "pid").ShuffleGrouping("words")
		sink := storm.BoltFunc(func(in storm.Tuple, _ storm.Emitter) error {
			mu.Lock()
			defer mu.Unlock()
			text := in.String(0)
			texts[text] = true
			mark := text[len(text)-1:]
			if pids[mark] == nil {
				pids[mark] = map[string]bool{}
			}
			pids[mark][in.String(1)] = true
			return nil
		})
		b.SetBolt("sink", sink, 1).ShuffleGrouping("stays").ShuffleGrouping("echo")
		topo, err := b.Build()
		must(t, err)
		return topo
	}
	script := func(dir, name, mark string) {
		must(t, os.WriteFile(filepath.Join(dir, "resources", name), []byte(strings.Replace(pidScript, "MARK", fmt.Sprintf("%q", mark), 1)), 0o644))
	}
	scripts := func(mark string) func(*stormrpc.TopologyPlan) {
		return func(p *stormrpc.TopologyPlan) {
			script(*p.CodeDir, "pid.py", mark)
			script(*p.CodeDir, "stays.py", "=")
		}
	}
	// __acker 1 and 2, echo 3, sink 4, stays 5, words 6.
	ports := freePorts(t, 2)
	c := newCluster(t, build(1), map[int][][2]int64{ports[0]: {{1, 1}, {3, 3}, {6, 6}}, ports[1]: {{2, 2}, {4, 4}, {5, 5}}})
	script(c.dir, "pid.py", "1")
	script(c.dir, "stays.py", "=")
	procs := []*process{c.start(ports[0]), c.start(ports[1])}
	for i, echo := range []int{1, 3, 2} {
		await(t, "messages go through", func() bool { return spout.done() >= (i+1)*n/5 })
		c.upgrade(build(echo), []string{"echo"}, evenly(ports), scripts(fmt.Sprint(i+2)))
		c.allRun(procs...)
	}
	await(t, "every message is acked", func() bool { return spout.done() == n })
	c.alive(procs...)
	mu.Lock()
	defer mu.Unlock()
	first, last := texts["m01"], texts[fmt.Sprint("m", n-1, "4")]
	if len(pids) != 5 || len(pids["="]) != 1 || !first || !last || texts[fmt.Sprint("m", n-1, "1")] {
		t.Errorf("processes by script: %v; the first one wrote the first message: %v, the last one the last: %v", pids, first, last)
	}
	for _, mark := range []string{"1", "2", "3"} {
		for pid := range pids[mark] {
			await(t, "processes of tasks that are gone end", func() bool {
				args, err := os.ReadFile("/proc/" + pid + "/cmdline")
				return err != nil || !strings.Contains(string(args), "pid.py")
			})
		}
	}
}

// TestWhatCannotBeTakenOver ends the worker in order, so that it is started again.
func TestWhatCannotBeTakenOver(t *testing.T) {
	const n = 1000
	for _, v := range []struct {
		name   string
		change func(*stormrpc.TopologyPlan)
		conf   map[string]any
		want   string
	}{
		{"no code", func(p *stormrpc.TopologyPlan) { dir := t.TempDir(); p.CodeDir = &dir }, nil, "read stored topology"},
		{"another timeout", nil, map[string]any{"topology.message.timeout.secs": 17}, "settings of the whole topology differ"},
		{"other ackers", nil, map[string]any{"topology.acker.executors": 2}, "__acker has other tasks"},
		{"event time", nil, map[string]any{"gearstorm.event.time": true}, "event time or checkpoints are set differently"},
		{"by Nimbus", func(p *stormrpc.TopologyPlan) { p.InPlaceFrom = 0 }, nil, "the DAG has changed"},
		{"by Nimbus, for so old a version", func(p *stormrpc.TopologyPlan) { p.InPlaceFrom = p.DagVersion }, nil, "the DAG has changed"},
	} {
		t.Run(v.name, func(t *testing.T) {
			spout := numberSpout{newCounter(n)}
			words := storm.SpoutFactory(func() storm.Spout { return spout })
			tally := newTallier(n, "pass")
			var passers lives
			c, ports, procs := startLine(t, line(t, words, 1, 0, &passers, tally, 1), 1)
			await(t, "every tuple is acked", func() bool { return spout.done() == n })
			next := line(t, words, 2, 0, &passers, tally, 1)
			maps.Copy(next.Conf, v.conf)
			c.upgrade(next, nil, evenly(ports), v.change)
			await(t, "the worker ends", func() bool {
				select {
				case err := <-procs[0].end:
					if log := c.logs.(*lines).text(); err != nil || !strings.Contains(log, v.want) {
						t.Errorf("it ends with %v, and said\n%s", err, log)
					}
					return true
				default:
					return false
				}
			})
		})
	}
}

// TestJudgeOfVersions: what Nimbus and the supervisor have to say before a version is taken over in place.
func TestJudgeOfVersions(t *testing.T) {
	dir := "/code"
	cur := &stormrpc.TopologyPlan{DagVersion: 3}
	for _, c := range []struct {
		dag, from int64
		dir       *string
		want      bool
	}{{4, 3, &dir, true}, {4, 1, &dir, true}, {9, 3, &dir, true}, {4, 4, &dir, false}, {4, 0, &dir, false}, {4, 3, nil, false}, {2, 1, &dir, false}} {
		next := &stormrpc.TopologyPlan{DagVersion: c.dag, InPlaceFrom: c.from, CodeDir: c.dir}
		if got := inPlace(cur, next); got != c.want {
			t.Errorf("from %d, version %d: %v", c.from, c.dag, got)
		}
	}
}

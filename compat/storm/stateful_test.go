package storm_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// keep counts words in its state.
type keep struct {
	state storm.KeyValueState[string, int]
	calls []string
}

func (k *keep) Prepare(*storm.Context, *storm.Collector) error { return nil }
func (k *keep) InitState(s storm.KeyValueState[string, int]) error {
	k.state = s
	k.calls = append(k.calls, "init")
	return nil
}
func (k *keep) Execute(t storm.Tuple, c *storm.Collector) error {
	n, _ := k.state.Get(t.String(0))
	k.state.Put(t.String(0), n+1)
	c.Ack(t)
	return nil
}
func (k *keep) PrePrepare(int64) { k.calls = append(k.calls, "prepare") }
func (k *keep) PreCommit(int64)  { k.calls = append(k.calls, "commit") }
func (k *keep) PreRollback()     { k.calls = append(k.calls, "rollback") }

// checkpointedTask is what the engine needs of a task in a topology with checkpoints.
type checkpointedTask interface {
	gearcore.Task
	gearcore.Checkpointed
	gearcore.Committer
}

func TestStatefulBoltsInCheckpoints(t *testing.T) {
	bolt := &keep{}
	made, ctx := taskOf(t, storm.Stateful(func() storm.StatefulBolt[string, int] { return bolt }), map[string]any{"gearstorm.checkpoint.interval.ms": int64(1000)})
	task, ok := made.(checkpointedTask)
	if !ok {
		t.Fatalf("the task is a %T", made)
	}
	ctx.Tasks = []gearcore.TaskID{1, 2}
	c := gearcore.NewCollector(&recorder{})
	word := func(w string) {
		if err := task.Execute(gearcore.NewTuple(ctx.Layout, 0, 1, gearcore.Str(w), gearcore.Long(0)), c); err != nil {
			t.Error(err)
		}
	}
	vault := checkpoint.NewVault(&checkpoint.Memory{}, "t", 1)
	recovery := &gearcore.Recovery{Tasks: 2, Last: gearcore.KeyGroups/2 - 1, Vault: vault}
	if err := task.Open(ctx, c); err != nil {
		t.Fatal(err)
	}
	if err := task.Restore(recovery); err != nil {
		t.Fatal(err)
	}
	word("a")
	word("b")
	word("a")
	f, err := task.Freeze(1)
	if err != nil {
		t.Fatal(err)
	}
	word("a")
	part, err := f.Save(context.Background(), vault)
	if err != nil {
		t.Fatal(err)
	}
	task.Commit(1)
	recovery.Epoch, recovery.Parts = 1, []gearcore.TaskPart{{Part: part}, {Index: 1}}
	if err := task.Restore(recovery); err != nil {
		t.Fatal(err)
	}
	if n, _ := bolt.state.Get("a"); n != 2 {
		t.Errorf("a is %d after the rollback, want 2", n)
	}
	if got := strings.Join(bolt.calls, " "); got != "init prepare commit rollback init" {
		t.Errorf("the bolt was told %s", got)
	}
	recovery.Tasks = 3
	if err := task.Restore(recovery); err == nil || !strings.Contains(err.Error(), "kept by 2 tasks, and there are 3 now") {
		t.Errorf("another number of tasks: %v", err)
	}
	task.Close()
}

func TestStatefulTopologiesThatCannotWork(t *testing.T) {
	stateful := storm.Stateful(func() storm.StatefulBolt[string, int] { return &keep{} })
	b := storm.NewTopologyBuilder()
	b.SetSpout("in", storm.SpoutFunc(idle), 1).Fields("n")
	b.SetBolt("keep", stateful, 1).ShuffleGrouping("in").Fields("n")
	b.SetBolt("shell", storm.ShellBolt("python3", "x.py"), 1).ShuffleGrouping("keep")
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "component shell: only a bolt written in Go") {
		t.Errorf("got %v", err)
	}
	top, err := b.AddConfig("gearstorm.checkpoint.interval.ms", 1000).Build()
	if err != nil || top.Thrift.Spouts["$checkpointspout"] != nil {
		t.Errorf("with checkpoints of the engine: %v", err)
	}
	b.SetBolt("windows", storm.WindowedBy(noWindow).Tumbling(storm.Count(3)).Persistent(), 1).ShuffleGrouping("in")
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "component windows: only a windowed bolt with a state is Persistent") {
		t.Errorf("persistent windows without a state: %v", err)
	}
	type hidden struct{ n int }
	_ = hidden{}.n
	b = storm.NewTopologyBuilder()
	b.SetSpout("in", storm.SpoutFunc(idle), 1).Fields("n")
	b.SetBolt("keep", storm.Stateful(func() storm.StatefulBolt[string, hidden] { return nil }), 1).ShuffleGrouping("in")
	if top, err = b.Build(); err != nil {
		t.Fatal(err)
	}
	if _, err := top.Components.Task("keep"); err == nil {
		t.Error("a factory may return nil")
	}
}

// A failed step begins a recovery: what was being prepared is rolled back, what was being committed is committed again.
func TestStepsOfStatesAfterFailures(t *testing.T) {
	b := storm.NewTopologyBuilder().AddConfig("topology.state.checkpoint.interval.ms", 100)
	b.SetSpout("in", storm.SpoutFunc(idle), 1).Fields("n")
	b.SetBolt("keep", storm.Stateful(func() storm.StatefulBolt[string, int] { return &keep{} }), 1).ShuffleGrouping("in")
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	src, err := top.Components.Source("$checkpointspout")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	c := gearcore.NewCollector(r)
	if err := src.Open(&gearcore.Context{Conf: map[string]any{"topology.state.checkpoint.interval.ms": int64(100)}}, c); err != nil {
		t.Fatal(err)
	}
	var steps []string
	step := func(acked bool) {
		if err := src.Next(c); err != nil {
			t.Fatal(err)
		}
		sent := r.emitted[len(r.emitted)-1]
		steps = append(steps, sent[1].Str()+" "+sent[0].Text())
		if acked {
			src.Ack(sent[0], c)
		} else {
			src.Fail(sent[0], c)
		}
	}
	step(true)  // INITSTATE
	step(false) // PREPARE 0
	step(true)  // ROLLBACK 0
	step(true)  // INITSTATE
	awaitNext(t, src, c, r)
	src.Ack(gearcore.Long(0), c) // PREPARE 0
	step(false)                  // COMMIT 0
	step(true)                   // COMMIT 0
	step(true)                   // INITSTATE
	want := "INITSTATE -1,PREPARE 0,ROLLBACK 0,INITSTATE -1,COMMIT 0,COMMIT 0,INITSTATE 0"
	if got := strings.Join(steps, ","); got != want {
		t.Errorf("steps %s\nwant  %s", got, want)
	}
}

// awaitNext calls Next until it emits, which takes an interval of checkpoints.
func awaitNext(t *testing.T, src gearcore.Source, c *gearcore.Collector, r *recorder) {
	t.Helper()
	for n := len(r.emitted); len(r.emitted) == n; {
		if err := src.Next(c); err != nil && err != gearcore.ErrIdle {
			t.Fatal(err)
		}
	}
}

// looked is what a task shows for a key, as "name kind json".
func looked(t *testing.T, task gearcore.Task, q storm.StateQuery) string {
	t.Helper()
	i, ok := task.(gearcore.Inspected)
	if !ok {
		t.Fatalf("a %T shows nothing", task)
	}
	found, err := i.Inspect(q)
	if err != nil {
		return err.Error()
	}
	said := ""
	for _, e := range found {
		said += e.State + " " + e.Kind + " " + string(e.JSON)
	}
	return said
}

// Streams that a task of inTransactions hears of.
const (
	wordStream gearcore.StreamID = iota
	stepStream
	ticks
)

// keeperOf builds the topology and returns a task of its bolt "keep".
func keeperOf(t *testing.T, b *storm.TopologyBuilder) gearcore.Task {
	t.Helper()
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	task, err := top.Components.Task("keep")
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// inTransactions returns the task of a bolt whose state goes through Storm's transactions, and what sends it tuples.
func inTransactions(t *testing.T, bolt *keep) (gearcore.Task, func(stream gearcore.StreamID, vals ...gearcore.Value)) {
	t.Helper()
	b := storm.NewTopologyBuilder()
	b.SetSpout("in", storm.SpoutFunc(idle), 1).Fields("n")
	b.SetBolt("keep", storm.Stateful(func() storm.StatefulBolt[string, int] { return bolt }), 1).ShuffleGrouping("in")
	task := keeperOf(t, b)
	layout := &gearcore.Layout{
		Streams: []gearcore.Stream{{Component: "in", Name: "default", Fields: []string{"n"}},
			{Component: "$checkpointspout", Name: "$checkpoint", Fields: []string{"txid", "action"}},
			{Component: gearcore.SystemComponent, Name: gearcore.TickStream, Fields: []string{"rate_secs"}},
			{Component: "keep", Name: "$checkpoint", Fields: []string{"txid", "action"}}},
		Components: map[gearcore.TaskID]string{1: "$checkpointspout", 2: "in", 3: "keep"},
	}
	c := gearcore.NewCollector(&recorder{})
	if err := task.Open(&gearcore.Context{Component: "keep", Layout: layout}, c); err != nil {
		t.Fatal(err)
	}
	return task, func(stream gearcore.StreamID, vals ...gearcore.Value) {
		t.Helper()
		if err := task.Execute(gearcore.NewTuple(layout, stream, 1, vals...), c); err != nil {
			t.Fatal(err)
		}
	}
}

// A bolt gets nothing before its state, ticks neither, and its state again when that went back.
func TestStateInMemoryIsGivenFirst(t *testing.T) {
	bolt := &keep{}
	_, send := inTransactions(t, bolt)
	step := func(tx int64, action string) { send(stepStream, gearcore.Long(tx), gearcore.Str(action)) }
	send(ticks, gearcore.Long(1))
	send(wordStream, gearcore.Str("a"))
	step(-1, "INITSTATE")
	send(wordStream, gearcore.Str("a"))
	step(0, "PREPARE")
	step(0, "COMMIT")
	send(wordStream, gearcore.Str("a"))
	step(1, "PREPARE")
	step(1, "ROLLBACK")
	step(0, "INITSTATE")
	if n, _ := bolt.state.Get("a"); n != 2 {
		t.Errorf("a is %d after the rollback, want 2", n)
	}
	if got := strings.Join(bolt.calls, " "); got != "init prepare commit prepare rollback init" {
		t.Errorf("the bolt was told %s", got)
	}
}

// The state of a stateful bolt is shown whether the engine has it in its checkpoints or Storm's protocol goes round.
func TestStateInMemoryIsShown(t *testing.T) {
	task, send := inTransactions(t, &keep{})
	send(stepStream, gearcore.Long(-1), gearcore.Str("INITSTATE"))
	for _, w := range []string{"a", "b", "a"} {
		send(wordStream, gearcore.Str(w))
	}
	for q, want := range map[storm.StateQuery]string{
		{}: "state value ", {Key: "a", HasKey: true}: "state value 2", {Key: "c", HasKey: true}: "", {State: "other", Key: "a", HasKey: true}: `there is no state "other": there are state`,
	} {
		if got := looked(t, task, q); got != want {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
}

// opaque is a bolt that makes checkpoints by itself; shown is one that shows them.
type opaque struct{ plain }

func (*opaque) Freeze(uint64) (gearcore.Frozen, error) { return nil, nil }
func (*opaque) Restore(*gearcore.Recovery) error       { return nil }

type shown struct{ opaque }

func (*shown) Inspect(q storm.StateQuery) ([]storm.StateEntry, error) {
	return []storm.StateEntry{{State: "own", Kind: "value", JSON: []byte(q.Key)}}, nil
}

// What a bolt's own code keeps is shown if it can, behind whatever wraps it.
func TestOwnStateIsShown(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() storm.Bolt
		want string
	}{
		{"shown", func() storm.Bolt { return &shown{} }, "own value 7"},
		{"not shown", func() storm.Bolt { return &opaque{} }, "known to its own code alone: a *storm_test.opaque has no method Inspect"},
		{"none", func() storm.Bolt { return &plain{} }, "keeps no state"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := storm.NewTopologyBuilder()
			b.SetSpout("in", storm.SpoutFunc(idle), 1).Fields("n")
			b.SetBolt("keeping", storm.BoltFactory(c.make), 1).ShuffleGrouping("in")
			b.SetBolt("frugal", storm.BoltFactory(c.make), 1).ShuffleGrouping("in").NoRetain()
			top, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"keeping", "frugal"} {
				task, err := top.Components.Task(name)
				if err != nil {
					t.Fatal(err)
				}
				if got := looked(t, task, storm.StateQuery{Key: "7", HasKey: true}); !strings.Contains(got, c.want) {
					t.Errorf("%T says %q, want %q", task, got, c.want)
				}
			}
		})
	}
}

type plain struct{}

func (*plain) Prepare(*storm.Context, *storm.Collector) error { return nil }
func (*plain) Execute(storm.Tuple, *storm.Collector) error    { return nil }

// A change in place gives the component before a stateful bolt another number of tasks: a step is there once it came from all that there are now.
func TestStepsAfterARescale(t *testing.T) {
	bolt := &keep{}
	b := storm.NewTopologyBuilder()
	b.SetSpout("in", storm.SpoutFunc(idle), 1).Fields("n")
	b.SetBolt("mid", storm.BoltFactory(func() storm.Bolt { return &plain{} }), 3).ShuffleGrouping("in").Fields("n")
	b.SetBolt("keep", storm.Stateful(func() storm.StatefulBolt[string, int] { return bolt }), 1).ShuffleGrouping("mid")
	task := keeperOf(t, b)
	with := func(tasks int) *gearcore.Layout {
		l := &gearcore.Layout{Streams: []gearcore.Stream{{Component: "mid", Name: "$checkpoint", Fields: []string{"txid", "action"}},
			{Component: "keep", Name: "$checkpoint", Fields: []string{"txid", "action"}}}, Components: map[gearcore.TaskID]string{1: "keep"}}
		for i := range tasks {
			l.Components[gearcore.TaskID(2+i)] = "mid"
		}
		return l
	}
	c := gearcore.NewCollector(&recorder{})
	if err := task.Open(&gearcore.Context{Component: "keep", Layout: with(3)}, c); err != nil {
		t.Fatal(err)
	}
	for i, s := range []struct {
		tasks  int
		tx     int64
		action string
	}{{3, -1, "INITSTATE"}, {3, 0, "PREPARE"}, {2, 0, "COMMIT"}, {2, 1, "PREPARE"}, {4, 1, "COMMIT"}, {4, 2, "PREPARE"}} {
		l := with(s.tasks)
		for n := range s.tasks {
			if len(bolt.calls) != i {
				t.Errorf("%s %d was done with tuples of %d of %d tasks", s.action, s.tx, n, s.tasks)
			}
			if err := task.Execute(gearcore.NewTuple(l, 0, gearcore.TaskID(2+n), gearcore.Long(s.tx), gearcore.Str(s.action)), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := strings.Join(bolt.calls, " "); got != "init prepare commit prepare commit prepare" {
		t.Errorf("the bolt was told %s", got)
	}
}

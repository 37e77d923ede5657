package nimbus

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// changes calls the calls that change what runs.
func (c *testCluster) changes() *stormrpc.GearstormClient {
	c.t.Helper()
	return stormrpc.NewGearstormClient(c.dial())
}

// changeText is a change in one line.
func changeText(c *stormrpc.TopologyChange) string {
	var parts []string
	for _, r := range c.Rows {
		part := fmt.Sprintf("%s %s: %s", r.Kind, r.Component, r.Text)
		if r.Restarts != nil {
			part += " (restarts)"
		}
		parts = append(parts, part)
	}
	for _, r := range c.Refused {
		parts = append(parts, "refused: "+r)
	}
	return fmt.Sprintf("%d>%d %s", c.BaseVersion, c.Version, strings.Join(parts, " | "))
}

// wordsWith is words after an edit.
func wordsWith(edit func(*stormrpc.StormTopology)) *stormrpc.StormTopology {
	t := words()
	edit(t)
	return t
}

// sink is a bolt that hears count.
func sink(command string) *stormrpc.Bolt {
	return &stormrpc.Bolt{BoltObject: shell(command), Common: &stormrpc.ComponentCommon{
		Inputs: []wire.MapEntry[*stormrpc.GlobalStreamId, *stormrpc.Grouping]{{
			Key: &stormrpc.GlobalStreamId{ComponentId: "count", StreamId: "default"}, Value: &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}}}},
		Streams: map[string]*stormrpc.StreamInfo{}}}
}

func TestPlanChange(t *testing.T) {
	c := start(t, nil)
	c.node("a", 6700)
	c.submitWords("words", `{"topology.workers": 1, "topology.acker.executors": 1}`)
	for _, tt := range []struct {
		name, conf, want string
		edit             func(*stormrpc.StormTopology)
		options          *stormrpc.ChangeOptions
	}{
		{name: "nothing", want: "1>1 "},
		{name: "the base that runs", options: &stormrpc.ChangeOptions{BaseVersion: ref(int64(1))}, want: "1>1 "},
		{name: "another base", options: &stormrpc.ChangeOptions{BaseVersion: ref(int64(7))}, want: "1>1 refused: the plan was made against version 7, version 1 runs: plan again"},
		{name: "add", edit: func(t *stormrpc.StormTopology) { t.Bolts["sink"] = sink("python3") },
			want: "1>2 add sink: bolt python3 script.py, 1 task, from count by SHUFFLE"},
		{name: "remove", edit: func(t *stormrpc.StormTopology) { delete(t.Bolts, "count") }, want: "1>2 remove count: is no more"},
		{name: "replace", edit: func(t *stormrpc.StormTopology) { t.Bolts["count"].BoltObject = shell("python3.9") },
			want: "1>2 replace count: python3.9 script.py instead of python3 script.py"},
		{name: "replace because of its version", edit: func(t *stormrpc.StormTopology) {
			t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 4, "gearstorm.component.version": "2"}`)
		}, want: "1>2 replace count: gearstorm.component.version: 2, was not set"},
		{name: "replace by word", options: &stormrpc.ChangeOptions{Replace: map[string]string{"count": "asked for"}}, want: "1>2 replace count: asked for"},
		{name: "rescale", edit: func(t *stormrpc.StormTopology) {
			t.Bolts["count"].Common.JSONConf, t.Bolts["count"].Common.ParallelismHint = ref(`{"topology.tasks": 6}`), ref(int32(2))
		}, want: "1>2 rescale count: 4 -> 6 tasks, 3 -> 2 executors"},
		{name: "edge", edit: func(t *stormrpc.StormTopology) {
			t.Bolts["count"].Common.Inputs[0].Value = &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}}
		}, want: "1>2 replace count: other inputs, which its program is told when it starts | edge count: from words by SHUFFLE instead of FIELDS[word]"},
		{name: "conf", conf: `{"topology.workers": 1, "topology.acker.executors": 1, "topology.debug": true, "my.key": 7}`,
			want: "1>2 conf : my.key: 7, was not set (restarts) | conf : topology.debug: false -> true (restarts)"},
		{name: "workers", conf: `{"topology.workers": 3, "topology.acker.executors": 1}`,
			want: "1>2 conf : topology.workers: 1 -> 3 | rescale : 1 -> 3 workers"},
		{name: "workers, whose number those of ackers does not follow", conf: `{"topology.workers": 3}`, want: "1>2 conf : topology.workers: 1 -> 3 | rescale : 1 -> 3 workers"},
		{name: "files", options: &stormrpc.ChangeOptions{JarSha256: ref("0f")}, want: "1>2 replace count: files that go along with it are others | replace words: files that go along with it are others | code : the program, scripts or jar that go along are others"},
		{name: "hash mode", conf: `{"topology.workers": 1, "topology.acker.executors": 1, "gearstorm.hash.mode": "java"}`,
			want: "1>2 conf : gearstorm.hash.mode: value -> java | refused: the hash of fields groupings (gearstorm.hash.mode) cannot change while the topology runs: every key would move"},
		{name: "a spout becomes a bolt", edit: func(t *stormrpc.StormTopology) {
			t.Bolts["words"] = sink("python3")
			t.Bolts["words"].Common.Streams = stream("word")
			t.Spouts["new"] = t.Spouts["words"]
			delete(t.Spouts, "words")
		}, want: "1>2 add new: spout python3 script.py, 2 tasks | replace words: other inputs, which its program is told when it starts; a spout becomes a bolt; topology.tick.tuple.freq.secs: 30 is not set any more | rescale words: 2 -> 1 task, 2 -> 1 executor | edge words: also from count by SHUFFLE | " +
			"refused: component words is a spout and cannot become a bolt: give it another id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code := words()
			if tt.edit != nil {
				tt.edit(code)
			}
			if tt.conf == "" {
				tt.conf = `{"topology.workers": 1, "topology.acker.executors": 1}`
			}
			got, err := c.changes().PlanChange(t.Context(), "words", tt.conf, code, tt.options)
			must(t, err)
			if text := changeText(got); text != tt.want {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
	if top, _ := c.named("words"); top.GraphVersion != 1 || len(c.blobs.Keys("", 10)) != 3 {
		t.Errorf("planning changed something: version %d", top.GraphVersion)
	}
}

// State and windows of tasks cannot be divided: where checkpoints have them, that is said before anything is done.
func TestPlanChangeOfUndividedState(t *testing.T) {
	topology := func(tasks int) *storm.Topology {
		b := storm.NewTopologyBuilder().AddConfig("gearstorm.checkpoint.interval.ms", 1000)
		b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return nil }), 1).Fields("word")
		add := func(id string, spec storm.BoltSpec) {
			if tasks > 0 {
				b.SetBolt(id, spec, tasks).ShuffleGrouping("words")
			}
		}
		add("keep", storm.Stateful(func() storm.StatefulBolt[string, int] { return nil }))
		add("both", storm.StatefulWindowed(func() storm.StatefulWindowedBolt[string, int] { return nil }).Tumbling(storm.Count(5)))
		add("windows", storm.WindowedBy(nil).Tumbling(storm.Count(5)))
		add("pass", storm.BoltFunc(nil))
		topo, err := b.Build()
		must(t, err)
		return topo
	}
	c := start(t, nil)
	c.node("a", 6700)
	jsonConf := func(topo *storm.Topology) string {
		text, err := topo.Conf.JSON()
		must(t, err)
		return string(text)
	}
	first := topology(2)
	must(t, c.client.SubmitTopology(t.Context(), "state", c.upload(jar(t, "resources/script.py")), jsonConf(first), first.Thrift))
	for tasks, want := range map[int]string{
		3: "1>2 rescale both: 2 -> 3 tasks, 2 -> 3 executors | rescale keep: 2 -> 3 tasks, 2 -> 3 executors | rescale pass: 2 -> 3 tasks, 2 -> 3 executors | rescale windows: 2 -> 3 tasks, 2 -> 3 executors | " +
			"refused: component both has state that belongs to each of its 2 tasks and cannot be divided among 3: give it another id, or keep state by key | " +
			"refused: component keep has state that belongs to each of its 2 tasks and cannot be divided among 3: give it another id, or keep state by key | " +
			"refused: component windows has state that belongs to each of its 2 tasks and cannot be divided among 3: give it another id, or keep state by key",
		0: "1>2 remove both: is no more | remove keep: is no more | remove pass: is no more | remove windows: is no more | " +
			"refused: component both has state, which would be lost with it; say so with --drop-state | " +
			"refused: component keep has state, which would be lost with it; say so with --drop-state | " +
			"refused: component windows has state, which would be lost with it; say so with --drop-state",
	} {
		next := topology(tasks)
		got, err := c.changes().PlanChange(t.Context(), "state", jsonConf(next), next.Thrift, nil)
		must(t, err)
		if text := changeText(got); text != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
	}
}

// What a stateful bolt in Java keeps is for such a bolt alone.
func TestObjectsOfJavaStayWithJava(t *testing.T) {
	graph := func(i dag.Impl) *dag.Graph {
		return &dag.Graph{Processors: []*dag.Processor{{Name: "count", Kind: dag.Bolt, Tasks: 1, Impl: i}}}
	}
	stateful := dag.Impl{Kind: dag.ImplJava, Name: compat.StatefulBoltClass}
	plain := dag.Impl{Kind: dag.ImplJava, Name: "org.apache.storm.topology.BasicBoltExecutor"}
	shell, ours := dag.Impl{Kind: dag.ImplShell, Command: []string{"python3", "count.py"}}, dag.Impl{Kind: dag.ImplGo, Name: "count"}
	for _, c := range []struct {
		old, next dag.Impl
		refused   bool
	}{
		{stateful, stateful, false}, {stateful, shell, true}, {stateful, ours, true}, {stateful, plain, true}, {plain, shell, false}, {shell, stateful, false}, {shell, ours, false},
	} {
		d := &delta{old: graph(c.old), next: graph(c.next)}
		d.diff = dag.DiffOf(d.old, d.next, map[string]string{"count": "its code is new"})
		if why := unreadable(d); (len(why) == 1) != c.refused || c.refused && !strings.HasPrefix(why[0], "component count has state that consists of objects of Java") {
			t.Errorf("%v becomes %v: %q", c.old, c.next, why)
		}
	}
}

// A change by which a topology would lose all that is in its checkpoints is refused, unless that is what is wanted.
func TestPlanChangeKeepsCheckpoints(t *testing.T) {
	build := func(keys map[string]any) (jsonConf string, code *stormrpc.StormTopology) {
		b := storm.NewTopologyBuilder()
		for k, v := range keys {
			b.AddConfig(k, v)
		}
		b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return nil }), 1).Fields("word")
		topo, err := b.Build()
		must(t, err)
		text, err := topo.Conf.JSON()
		must(t, err)
		return string(text), topo.Thrift
	}
	const interval, store = "gearstorm.checkpoint.interval.ms", "gearstorm.checkpoint.store"
	c := start(t, nil)
	c.node("a", 6700)
	jsonConf, code := build(map[string]any{interval: 1000, store: "file:///a"})
	must(t, c.client.SubmitTopology(t.Context(), "words", c.upload(jar(t, "resources/script.py")), jsonConf, code))
	for _, tt := range []struct {
		keys map[string]any
		want string // is refused for; "" for nothing
	}{
		{map[string]any{interval: 500, store: "file:///a"}, ""},
		{map[string]any{store: "file:///a"}, "no checkpoints any more (" + interval + ")"},
		{map[string]any{interval: 0, store: "file:///a", "gearstorm.event.time": true}, "no checkpoints any more (" + interval + ")"},
		{map[string]any{interval: 1000, store: "file:///b"}, "(" + store + ")"},
		{map[string]any{interval: 1000}, "(" + store + ")"},
	} {
		jsonConf, code := build(tt.keys)
		for _, drop := range []bool{false, true} {
			got, err := c.changes().PlanChange(t.Context(), "words", jsonConf, code, &stormrpc.ChangeOptions{DropState: &drop})
			must(t, err)
			why := strings.Join(got.Refused, "; ")
			if refused := tt.want != "" && !drop; refused != (why != "") || refused && !strings.Contains(why, tt.want) {
				t.Errorf("%v, drop %t: refused for %q, want %q", tt.keys, drop, why, tt.want)
			}
		}
	}
}

func TestPlanChangeIsCheckedAsASubmission(t *testing.T) {
	c := start(t, nil)
	c.submitWords("words", "{}")
	for name, tt := range map[string]struct {
		topology, conf, want string
		code                 *stormrpc.StormTopology
	}{
		"nobody":        {"nobody", "{}", "NotAlive nobody is not alive", words()},
		"no code":       {"words", "{}", "Invalid topology words is null", nil},
		"bad conf":      {"words", "{", "Invalid topology configuration", words()},
		"unknown key":   {"words", `{"gearstorm.nonsense": 1}`, "Invalid", words()},
		"broken stream": {"words", "{}", "Invalid Component: [sink] subscribes from", wordsWith(func(t *stormrpc.StormTopology) { delete(t.Bolts, "count"); t.Bolts["sink"] = sink("x") })},
		"blob":          {"words", `{"topology.blobstore.map": {"nowhere": {}}}`, "Invalid Key not found: nowhere", words()},
	} {
		_, err := c.changes().PlanChange(t.Context(), tt.topology, tt.conf, tt.code, nil)
		if got := answer(err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	o := &stormrpc.ChangeOptions{Replace: map[string]string{"nobody": ""}}
	if got := answer(second(c.changes().PlanChange(t.Context(), "words", "{}", words(), o))); !strings.HasPrefix(got, "Invalid component nobody cannot be replaced") {
		t.Errorf("replace of what is not there: %s", got)
	}
}

func TestPlanChangeKeepsARebalance(t *testing.T) {
	c := start(t, nil)
	c.node("a", 6700, 6701, 6702)
	c.submitWords("words", `{"topology.acker.executors": 1}`)
	c.rebalance("words", &stormrpc.RebalanceOptions{NumWorkers: ref(int32(3)), NumExecutors: map[string]int32{"count": 4}})
	got, err := c.changes().PlanChange(t.Context(), "words", `{"topology.acker.executors": 1}`, wordsWith(func(t *stormrpc.StormTopology) {
		t.Spouts["words"].Common.ParallelismHint = ref(int32(1))
	}), nil)
	must(t, err)
	if want := "1>2 rescale words: 2 -> 1 task, 2 -> 1 executor"; changeText(got) != want {
		t.Errorf("got %s, want %s", changeText(got), want)
	}
	must(t, c.client.Rebalance(t.Context(), "words", &stormrpc.RebalanceOptions{WaitSecs: ref(int32(600)), NumWorkers: ref(int32(2))}))
	got, err = c.changes().PlanChange(t.Context(), "words", "{}", words(), nil)
	must(t, err)
	if !strings.Contains(changeText(got), "refused: topology words waits for its rebalance") {
		t.Error(changeText(got))
	}
	must(t, c.client.KillTopologyWithOpts(t.Context(), "words", &stormrpc.KillOptions{WaitSecs: ref(int32(600))}))
	got, err = c.changes().PlanChange(t.Context(), "words", "{}", words(), nil)
	must(t, err)
	if !strings.Contains(changeText(got), "refused: topology words is being killed") {
		t.Error(changeText(got))
	}
}

// Another number of workers is taken over in place also where the number of ackers, which is that of workers, was never set; and back.
func TestPlanChangeKeepsAckers(t *testing.T) {
	c := start(t, nil)
	c.node("a", 6700, 6701)
	c.submitWords("words", `{"topology.workers": 1}`)
	for _, step := range []struct{ conf, want string }{
		{`{"topology.workers": 2}`, "1>2 conf : topology.acker.executors: 1, was not set | conf : topology.workers: 1 -> 2 | rescale : 1 -> 2 workers"},
		{`{"topology.workers": 1}`, "2>3 conf : topology.workers: 2 -> 1 | rescale : 2 -> 1 workers"},
		{`{"topology.workers": 1, "topology.acker.executors": 2}`, "3>4 conf : topology.acker.executors: 1 -> 2 | rescale __acker: another number of tasks (restarts)"},
		{`{"topology.workers": 1, "topology.acker.executors": 0}`, "3>4 conf : topology.acker.executors: 1 -> 0 | rescale __acker: another number of tasks (restarts)"},
	} {
		got, err := c.changes().PlanChange(t.Context(), "words", step.conf, words(), nil)
		must(t, err)
		if text := changeText(got); text != step.want || got.GetRestarts() != strings.Contains(step.want, "restarts") {
			t.Errorf("%s: got  %s (restarts: %v)\nwant %s", step.conf, text, got.GetRestarts(), step.want)
		}
		if !got.GetRestarts() {
			c.applyWords(step.conf, words(), nil)
		}
	}
	if top := mustNamed(t, c, "words"); ackersOf(top.conf) != 1 {
		t.Errorf("%d ackers, want 1", ackersOf(top.conf))
	}
}

// Where nothing can be made in place each line says so, also that of a key which no worker reads.
func TestPlanChangeOfAKeyRestarts(t *testing.T) {
	c := start(t, nil)
	c.node("a", 6700, 6701)
	const timed = `"gearstorm.event.time": true, "topology.acker.executors": 1`
	c.submitWords("words", `{"topology.workers": 1, `+timed+`}`)
	got, err := c.changes().PlanChange(t.Context(), "words", `{"topology.workers": 2, `+timed+`}`, words(), nil)
	must(t, err)
	if want := "1>2 conf : topology.workers: 1 -> 2 (restarts) | rescale : 1 -> 2 workers (restarts)"; changeText(got) != want || !got.GetRestarts() {
		t.Errorf("got %s (restarts: %v), want %s", changeText(got), got.GetRestarts(), want)
	}
}

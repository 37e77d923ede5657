package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// tracked is a script that emits with ids and notes what it is told of them.
type tracked struct {
	script
	acked, failed []int64
	status        []string
	pause         bool
}

func (s *tracked) Next(c *gearcore.Collector) error {
	if s.pause {
		c.Pause()
		return nil
	}
	if s.at == len(s.values) {
		return gearcore.ErrIdle
	}
	s.at++
	c.EmitID(gearcore.Long(s.values[s.at-1]), s.values[s.at-1])
	return nil
}
func (s *tracked) Ack(id gearcore.Value, _ *gearcore.Collector) { s.acked = append(s.acked, id.Int()) }
func (s *tracked) Fail(id gearcore.Value, _ *gearcore.Collector) {
	s.failed = append(s.failed, id.Int())
}
func (s *tracked) Activate(*gearcore.Collector)   { s.status = append(s.status, "on") }
func (s *tracked) Deactivate(*gearcore.Collector) { s.status = append(s.status, "off") }

// keepsAll is a bolt that keeps its tuples and settles them when the test says so.
type keepsAll struct {
	kept  []gearcore.Tuple
	async *gearcore.Async
}

func (b *keepsAll) Open(_ *gearcore.Context, c *gearcore.Collector) error {
	b.async = c.Async()
	return nil
}
func (b *keepsAll) Close() {}
func (b *keepsAll) Execute(t gearcore.Tuple, _ *gearcore.Collector) error {
	b.kept = append(b.kept, t)
	return nil
}

// A rollback forgets trees without a word to the source, and closures that were posted before.
func TestRollbackForgetsTreesAndClosures(t *testing.T) {
	src, keep := &tracked{script: script{values: []int64{1, 2, 3}}}, &keepsAll{}
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("keep", dag.Bolt, 1, 1, func(dag.Task) any { return keep }, from("src", dag.Shuffle))
	s := drive(t, top, func(cfg *Config) { cfg.MessageTimeout = time.Hour })
	s.begin(checkpoint.Order{Generation: 1})
	s.settle(time.Second)
	if len(keep.kept) != 3 || s.PendingRoots() != 3 {
		t.Fatalf("%d tuples are kept, %d in flight", len(keep.kept), s.PendingRoots())
	}
	ran := 0
	keep.async.Do(1, func(*gearcore.Collector) { ran++ })
	src.values = nil
	s.Obey(checkpoint.Order{Generation: 2})
	s.settle(time.Second)
	if ran > 0 || s.PendingRoots() > 0 || len(src.failed)+len(src.acked) > 0 {
		t.Errorf("%d closures ran, %d are in flight, %v failed, %v were acked", ran, s.PendingRoots(), src.failed, src.acked)
	}
	old := keep.kept
	keep.kept = nil
	src.values = []int64{7}
	s.Obey(checkpoint.Order{Generation: 2, Go: true})
	s.settle(time.Second)
	keep.async.Do(1, func(c *gearcore.Collector) {
		for _, tp := range slices.Concat(old, keep.kept) {
			c.Ack(tp)
		}
	})
	s.settle(time.Second)
	if !slices.Equal(src.acked, []int64{7}) || len(src.failed) > 0 {
		t.Errorf("%v were acked and %v failed, want 7 and none", src.acked, src.failed)
	}
}

// Sources cut whatever they are doing.
func TestSourcesCutAlways(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *bench, src *tracked)
	}{
		{"idle", func(*bench, *tracked) {}},
		{"deactivated", func(s *bench, _ *tracked) { s.Deactivate() }},
		{"paused", func(_ *bench, src *tracked) { src.pause = true }},
		{"held by its bound of tuples in flight", func(_ *bench, src *tracked) { src.values = []int64{1, 2, 3, 4, 5} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, end := &tracked{}, &adder{}
			top := newTopology(1)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			top.add("end", dag.Bolt, 1, 1, func(dag.Task) any { return end }, from("src", dag.Shuffle))
			s := drive(t, top, func(cfg *Config) { cfg.MaxSpoutPending = func(string) int { return 2 } })
			s.begin(checkpoint.Order{Generation: 1})
			c.do(s, src)
			s.settle(time.Minute)
			s.Obey(checkpoint.Order{Generation: 1, Cut: 9})
			s.settle(0)
			if len(s.saved(9)) != 2 || !slices.Equal(end.frozen, []uint64{9}) {
				t.Errorf("the report is %+v", s.Report())
			}
		})
	}
}

// A source is not asked before everybody is restored, and neither Activate nor Next comes before Restore.
func TestSourcesWaitForGo(t *testing.T) {
	src, end := &tracked{script: script{values: []int64{1}}}, &adder{}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("end", dag.Bolt, 1, 1, func(dag.Task) any { return end }, from("src", dag.Shuffle))
	s := drive(t, top, nil)
	s.Obey(checkpoint.Order{Generation: 1})
	s.settle(time.Minute)
	if src.at > 0 || !s.Report().Restored {
		t.Errorf("%d tuples were emitted, the report is %+v", src.at, s.Report())
	}
	s.Obey(checkpoint.Order{Generation: 1, Go: true})
	s.settle(time.Second)
	if src.at != 1 || len(end.seen) != 1 || !slices.Equal(src.status, []string{"on"}) {
		t.Errorf("%d tuples were emitted, %v came, it was %v", src.at, end.seen, src.status)
	}
}

// A task that comes by a change of the executors has no part in the generation under way.
func TestTaskThatComesAsksForAGeneration(t *testing.T) {
	l := alone(t, nil)
	l.begin(checkpoint.Order{Generation: 1})
	var d dag.Executor
	for _, x := range l.plan().Executors {
		if x.Processor.Name == "d" {
			d = x
		}
	}
	if _, err := l.Apply(Change{Version: 1, Add: []dag.Executor{d}}); err != nil {
		t.Fatal(err)
	}
	l.settle(time.Second)
	if r := l.Report(); r.Restored || len(r.Tasks) != 2 || !strings.Contains(r.Broken, "task 4 of d has come") {
		t.Errorf("the report is %+v", r)
	}
	l.begin(checkpoint.Order{Generation: 2})
	if r := l.Report(); r.Broken != "" {
		t.Errorf("the report is %+v", r)
	}
}

// A sender that is quiet in one direction sends few batches without rows there, and tells what is new.
func TestQuietEdgesGetFewBatches(t *testing.T) {
	src, sent := &script{values: []int64{1}}, &recorder{}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("end", dag.Bolt, 3, 3, func(dag.Task) any { return &adder{} }, from("src", dag.Fields, "a"))
	s := drive(t, top, func(cfg *Config) {
		plain(cfg)
		cfg.Local = slices.DeleteFunc(slices.Clone(cfg.Local), func(d dag.Executor) bool { return d.Processor.Name != "src" })
		cfg.Remote = func(gearcore.TaskID) Outlet { return sent }
	})
	for i := range 1000 {
		src.mark = gearcore.Watermark(i + 1)
		s.settle(time.Millisecond)
	}
	if n := len(sent.got); n < 3*15 || n > 3*25 {
		t.Errorf("%d batches went to 3 receivers in 1 s, want about 20 to each", n)
	}
	src.mark = 5000
	s.settle(100 * time.Millisecond) // the source is asked every 32 ms
	last := map[gearcore.TaskID]gearcore.Watermark{}
	for _, b := range sent.got {
		last[b.Target] = max(last[b.Target], b.Watermark)
	}
	if len(last) != 3 || slices.ContainsFunc([]gearcore.TaskID{1, 2, 3}, func(id gearcore.TaskID) bool { return last[id] != 5000 }) {
		t.Errorf("the receivers were told %v", last)
	}
	sent.got = nil
	s.settle(2500 * time.Millisecond)
	if n := len(sent.got); n != 6 {
		t.Errorf("%d batches repeat what is known to receivers in other workers within 2.5 s, want 2 to each", n)
	}
}

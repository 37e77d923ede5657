package clustersim

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/worker"
)

// shape is a topology before anybody builds it: every worker builds its own.
type shape struct {
	workers int
	spouts  []spoutShape
	bolts   []boltShape
}

type spoutShape struct {
	name    string
	sources []int // in the ledger, one a task
}

type boltShape struct {
	name        string
	parallelism int
	inputs      []inputShape
	sink        bool
	failEvery   int // of first attempts; 0: none
	rest        time.Duration
}

type inputShape struct{ from, grouping string }

// newTopology draws a topology and its ledger.
func newTopology(w *world) (*ledger, *storm.Topology) {
	r := rand.New(rand.NewPCG(w.seed, 3))
	l := &ledger{w: w, tasks: map[string]int{}, began: time.Now()}
	s := &shape{workers: 2 + r.IntN(2)}
	for i := range 1 + r.IntN(2) {
		sp := spoutShape{name: fmt.Sprintf("spout%d", i)}
		for range 1 + r.IntN(2) {
			sp.sources = append(sp.sources, l.addSource(sp.name, 40+r.IntN(40), time.Duration(150+r.IntN(250))*time.Millisecond))
		}
		s.spouts = append(s.spouts, sp)
	}
	before := make([]string, 0, 8)
	for _, sp := range s.spouts {
		before = append(before, sp.name)
	}
	layers := 1 + r.IntN(3)
	for i := range layers {
		b := boltShape{name: fmt.Sprintf("bolt%d", i), parallelism: 1 + r.IntN(3), sink: i == layers-1}
		if r.IntN(2) == 0 {
			b.failEvery = 7 + r.IntN(20)
		}
		if r.IntN(6) == 0 {
			b.rest = time.Duration(1+r.IntN(20)) * time.Millisecond
		}
		for j, from := range before {
			// The last ones are always heard, so that every component has a way to the sink.
			if j == len(before)-1 || i == layers-1 || r.IntN(2) == 0 {
				b.inputs = append(b.inputs, inputShape{from, [...]string{"shuffle", "shuffle", "fields", "local", "global"}[r.IntN(5)]})
			}
		}
		s.bolts = append(s.bolts, b)
		before = append(before, b.name)
	}
	l.paths = s.paths()
	w.shape = s
	t, err := s.build(w, nil)
	if err != nil {
		panic(err) // a topology of this test is well formed
	}
	w.journal.say("%s: topology %+v", w, *s)
	return l, t
}

// paths are all ways to the sink, "spout0>bolt0>bolt1".
func (s *shape) paths() (all []string) {
	ways := map[string][]string{}
	for _, sp := range s.spouts {
		ways[sp.name] = []string{sp.name}
	}
	for _, b := range s.bolts {
		for _, in := range b.inputs {
			for _, way := range ways[in.from] {
				ways[b.name] = append(ways[b.name], way+">"+b.name)
			}
		}
		if b.sink {
			all = append(all, ways[b.name]...)
		}
	}
	return all
}

func pathSource(path string) string {
	name, _, _ := strings.Cut(path, ">")
	return name
}

// components are the code of a worker.
func (w *world) components(p *process) worker.Registry {
	t, err := w.shape.build(w, p)
	if err != nil {
		panic(err) // it was built before
	}
	return t.Components
}

// build makes the topology for the worker p, nil for the description alone.
func (s *shape) build(w *world, p *process) (*storm.Topology, error) {
	b := storm.NewTopologyBuilder().Ackers(1).Workers(s.workers).MaxSpoutPending(50).MessageTimeout(messageTimeout)
	b.AddConfig("gearstorm.transport.unix", false)
	for _, sp := range s.spouts {
		b.SetSpout(sp.name, storm.SpoutFactory(func() storm.Spout { return &simSpout{w: w, p: p, shape: sp} }), len(sp.sources)).
			Fields("key", "attempt", "path")
	}
	for _, sh := range s.bolts {
		d := b.SetBolt(sh.name, storm.BoltFactory(func() storm.Bolt { return &simBolt{w: w, p: p, shape: sh} }), sh.parallelism)
		if !sh.sink {
			d.Fields("key", "attempt", "path")
		}
		for _, in := range sh.inputs {
			switch in.grouping {
			case "fields":
				d.FieldsGrouping(in.from, "key")
			case "local":
				d.LocalOrShuffleGrouping(in.from)
			case "global":
				d.GlobalGrouping(in.from)
			default:
				d.ShuffleGrouping(in.from)
			}
		}
	}
	return b.Build()
}

// simSpout emits what the ledger has for its task.
type simSpout struct {
	w     *world
	p     *process
	shape spoutShape
	from  *source
}

func (s *simSpout) Open(c *storm.Context, _ *storm.Collector) error {
	s.from = s.w.ledger.sources[s.shape.sources[c.Index]]
	s.w.ledger.opened(s.from, s)
	return nil
}

func (s *simSpout) Next(c *storm.Collector) error {
	a := s.w.ledger.emit(s.from, s)
	if a == nil {
		return storm.ErrIdle
	}
	c.EmitID(storm.Long(int64(a.id)), fmt.Sprintf("k%d", a.root%7), a.id, s.shape.name)
	return nil
}

func (s *simSpout) Ack(id storm.Value, _ *storm.Collector)  { s.w.ledger.acked(int(id.Int()), s) }
func (s *simSpout) Fail(id storm.Value, _ *storm.Collector) { s.w.ledger.failedAt(int(id.Int()), s) }

// simBolt passes tuples on, or is where they end.
type simBolt struct {
	w     *world
	p     *process
	shape boltShape
	task  int
	n     int
}

func (b *simBolt) Prepare(c *storm.Context, _ *storm.Collector) error {
	b.task = int(c.Task)
	return nil
}

func (b *simBolt) Execute(t storm.Tuple, c *storm.Collector) error {
	key, id, path := t.String(0), int(t.Int(1)), t.String(2)+">"+b.shape.name
	if b.shape.rest > 0 {
		time.Sleep(b.shape.rest)
	}
	for _, in := range b.shape.inputs {
		if in.from == t.Component() && in.grouping == "fields" {
			b.w.ledger.grouped(in.from+">"+b.shape.name, key, b.task, b.p)
		}
	}
	if b.n++; b.shape.failEvery > 0 && b.n%b.shape.failEvery == 0 {
		b.w.ledger.refused(id)
		c.Fail(t)
		return nil
	}
	switch {
	case !b.shape.sink:
		c.EmitAnchored(t, key, id, path)
		if b.w.bug.doubleRow && id == 30 {
			c.EmitAnchored(t, key, id, path)
		}
	case b.w.bug.loseDelivery && id == 30:
	default:
		b.w.ledger.delivered(id, path, b.p)
	}
	c.Ack(t)
	return nil
}

// emptyJar is the jar of a topology whose code needs none: a zip file has to have an entry.
func emptyJar() io.Reader {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	if f, err := z.Create("README"); err == nil {
		fmt.Fprintln(f, "the code is in the simulation")
	}
	z.Close()
	return &buf
}

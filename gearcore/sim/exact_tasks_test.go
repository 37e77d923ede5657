package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

func (m *exact) newTask(_ int, d dag.Task) any {
	base := exactTask{m: m, id: d.ID, name: d.Processor.Name}
	switch {
	case d.Processor.Kind == dag.Spout:
		return &exactSource{exactTask: base, index: d.Index}
	case base.name == "count":
		return &exactCount{exactTask: base}
	case base.name == "sink":
		return &exactSink{exactTask: base}
	}
	return &exactPass{base}
}

var errFlaky = errors.New("does not work today")

// exactTask is what all tasks have: a clock that may not go back, and records that may not be behind it.
type exactTask struct {
	m     *exact
	id    gearcore.TaskID
	name  string
	clock gearcore.Watermark
}

func (x *exactTask) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (x *exactTask) Close()                                            {}

func (x *exactTask) Advance(w gearcore.Watermark, _ *gearcore.Collector) (gearcore.Watermark, error) {
	if w < x.clock && x.clock != gearcore.Idle {
		x.m.err = fmt.Errorf("the clock of task %d of %s goes back from %d to %d", x.id, x.name, x.clock, w)
	}
	x.clock = w
	return w, nil
}

// begin begins to handle t: it may fail instead.
func (x *exactTask) begin(t gearcore.Tuple) error {
	if at := gearcore.Watermark(t.Int(2)); at <= x.clock {
		x.m.err = fmt.Errorf("a record of %d comes to task %d of %s, whose clock is at %d", at, x.id, x.name, x.clock)
	}
	if x.m.fails() {
		if x.m.rnd.IntN(2) == 0 {
			return errFlaky
		}
		panic(errFlaky)
	}
	return nil
}

// exactSource emits the records of a log. Its state is the position.
type exactSource struct {
	exactTask
	index int
	at    int64
}

func (s *exactSource) Next(c *gearcore.Collector) error {
	if s.at == s.m.limit || s.m.rnd.IntN(12) > 0 {
		return gearcore.ErrIdle
	}
	if s.m.fails() {
		panic(errFlaky)
	}
	for range min(1+s.m.rnd.Int64N(s.m.burst), s.m.limit-s.at) {
		s.at++
		c.Emit(keyOf(s.index, s.at-1, s.m.keys), int64(0), s.at*10)
	}
	return nil
}
func (s *exactSource) Ack(gearcore.Value, *gearcore.Collector)  {}
func (s *exactSource) Fail(gearcore.Value, *gearcore.Collector) {}
func (s *exactSource) Activate(*gearcore.Collector)             {}
func (s *exactSource) Deactivate(*gearcore.Collector)           {}
func (s *exactSource) Watermark() gearcore.Watermark {
	if s.at == s.m.limit {
		return gearcore.End
	}
	return gearcore.Watermark(s.at * 10)
}
func (s *exactSource) Freeze(uint64) (gearcore.Frozen, error) { return s.freeze(s.at) }
func (s *exactSource) Restore(r *gearcore.Recovery) error {
	s.at = 0
	return s.restore(r, func(p *gearcore.TaskPart, read func(any) error) error {
		if p.Index != s.index {
			return nil
		}
		return read(&s.at)
	})
}

// exactPass passes records on.
type exactPass struct{ exactTask }

func (p *exactPass) NoRetain() {}
func (p *exactPass) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	if err := p.begin(t); err != nil {
		return err
	}
	c.Forward(t)
	return nil
}
func (p *exactPass) Freeze(uint64) (gearcore.Frozen, error) { return nil, nil }
func (p *exactPass) Restore(*gearcore.Recovery) error {
	p.clock = 0
	return nil
}

// exactCount counts by key, and says how often each has come.
type exactCount struct {
	exactTask
	counts map[int64]int64
}

func (n *exactCount) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	if t.IsTick() {
		return nil
	}
	if err := n.begin(t); err != nil {
		return err
	}
	k := t.Int(0)
	n.counts[k]++
	c.Emit(k, n.counts[k], t.Int(2))
	return nil
}
func (n *exactCount) Freeze(uint64) (gearcore.Frozen, error) { return n.freeze(maps.Clone(n.counts)) }
func (n *exactCount) Restore(r *gearcore.Recovery) error {
	n.clock, n.counts = 0, map[int64]int64{}
	return n.restore(r, func(_ *gearcore.TaskPart, read func(any) error) error {
		counts := map[int64]int64{}
		if err := read(&counts); err != nil {
			return err
		}
		for k, count := range counts { // there may have been more or fewer tasks
			if g := gearcore.KeyGroup(gearcore.FieldsHash([]gearcore.Value{gearcore.Long(k)}, []int{0}, n.m.graph.Hash)); r.First <= g && g <= r.Last {
				n.counts[k] = count
			}
		}
		return nil
	})
}

// exactSink holds effects back until the checkpoint that they are in counts.
type exactSink struct {
	exactTask
	effects []effect
	held    map[uint64][]effect // frozen, not shown
}

func (s *exactSink) Execute(t gearcore.Tuple, _ *gearcore.Collector) error {
	if err := s.begin(t); err != nil {
		return err
	}
	s.effects = append(s.effects, effect{t.Int(0), t.Int(1)})
	return nil
}
func (s *exactSink) Freeze(epoch uint64) (gearcore.Frozen, error) {
	s.held[epoch] = s.effects
	s.effects = nil
	out := map[uint64][][2]int64{}
	for k, es := range s.held {
		for _, e := range es {
			out[k] = append(out[k], [2]int64{e.key, e.n})
		}
	}
	return s.freeze(out)
}
func (s *exactSink) Commit(epoch uint64) {
	for _, k := range slices.Sorted(maps.Keys(s.held)) {
		if k <= epoch {
			s.m.commit(s.id, k, s.held[k])
			delete(s.held, k)
		}
	}
}
func (s *exactSink) Restore(r *gearcore.Recovery) error {
	s.clock, s.effects, s.held = 0, nil, map[uint64][]effect{}
	return s.restore(r, func(p *gearcore.TaskPart, read func(any) error) error {
		if p.Index%r.Tasks != r.Index {
			return nil
		}
		held := map[uint64][][2]int64{}
		if err := read(&held); err != nil {
			return err
		}
		for _, k := range slices.Sorted(maps.Keys(held)) {
			var es []effect
			for _, e := range held[k] {
				es = append(es, effect{e[0], e[1]})
			}
			s.m.commit(p.Task, k, es)
		}
		return nil
	})
}

// commit shows effects, unless that was done before.
func (m *exact) commit(task gearcore.TaskID, epoch uint64, es []effect) {
	if m.show[exactCommit{task, epoch}] {
		return
	}
	m.show[exactCommit{task, epoch}] = true
	for _, e := range es {
		if m.shown[e]++; m.shown[e] > 1 {
			m.err = fmt.Errorf("count %d of key %d was shown twice", e.n, e.key)
		}
	}
}

// freeze returns state, which nobody changes any more.
func (x *exactTask) freeze(state any) (gearcore.Frozen, error) {
	if x.m.faulty > 0 && x.m.rnd.IntN(200) == 0 {
		return nil, errFlaky
	}
	b, err := json.Marshal(state)
	return exactFrozen{x.name, b}, err
}

// exactFrozen keeps small state in the part, and else in a file.
type exactFrozen struct {
	name string
	b    []byte
}

func (f exactFrozen) Drop() {}
func (f exactFrozen) Save(ctx context.Context, to gearcore.Vault) (gearcore.Part, error) {
	if len(f.b) < 20 {
		return gearcore.Part{Inline: f.b}, nil
	}
	file, err := to.Put(ctx, f.name, bytes.NewReader(f.b))
	return gearcore.Part{Files: []gearcore.File{file}}, err
}

// restore calls each with every part, and a function that reads the state in it.
func (x *exactTask) restore(r *gearcore.Recovery, each func(p *gearcore.TaskPart, read func(any) error) error) error {
	x.clock = 0
	for i := range r.Parts {
		p := &r.Parts[i]
		if err := each(p, func(to any) error {
			b := p.Inline
			if len(p.Files) > 0 {
				f, err := r.Vault.Get(context.Background(), p.Files[0])
				if err != nil {
					return err
				}
				defer f.Close()
				if b, err = io.ReadAll(f); err != nil {
					return err
				}
			}
			return json.Unmarshal(b, to)
		}); err != nil {
			return err
		}
	}
	return nil
}

// flakyVault is a Vault that fails now and then, in one way or another.
type flakyVault struct {
	gearcore.Vault
	m     *exact
	flaky float64
}

func (v flakyVault) Put(ctx context.Context, name string, content io.Reader) (gearcore.File, error) {
	if v.m.rnd.Float64() < v.flaky {
		if v.m.rnd.IntN(3) == 0 {
			panic(errFlaky)
		}
		return gearcore.File{}, errFlaky
	}
	return v.Vault.Put(ctx, name, content)
}

func (v flakyVault) Get(ctx context.Context, f gearcore.File) (io.ReadCloser, error) {
	if v.m.rnd.Float64() < v.flaky {
		return nil, errFlaky
	}
	return v.Vault.Get(ctx, f)
}

package dynamic

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

// forward passes records on.
type forward struct{ probe }

func (f *forward) Open(ctx *gearcore.Context, _ *gearcore.Collector) error { return f.open(ctx) }

func (f *forward) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	now := f.run(t.Int(3))
	c.EmitAnchored(t, t.String(0), t.Int(1), t.Int(2), now)
	c.Ack(t)
	return nil
}

func (f *forward) Close() { f.close() }

// tap gets records or counts, and does nothing with them.
type tap struct{ probe }

func (p *tap) Open(ctx *gearcore.Context, _ *gearcore.Collector) error { return p.open(ctx) }

func (p *tap) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	p.run(t.Int(t.Len() - 1))
	c.Ack(t)
	return nil
}

func (p *tap) Close() { p.close() }

// counter counts by key.
type counter struct {
	probe
	pad    int
	store  *state.Store
	counts *state.Value[string, int64]
	pads   *state.Value[string, []byte] // nil without pads
}

func (k *counter) Open(ctx *gearcore.Context, _ *gearcore.Collector) (err error) {
	if k.store, err = state.New(state.ConfigOf(ctx, ctx.Component)); err != nil {
		return err
	}
	k.counts = state.NewValue(k.store, "counts", state.Strings[string](), state.Codec[int64](state.Ints[int64]()))
	if k.pad > 0 {
		k.pads = state.NewValue(k.store, "pads", state.Strings[string](), state.Bytes())
	}
	return k.open(ctx)
}

func (k *counter) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	now := k.run(t.Int(3))
	key := t.String(0)
	n, _ := k.counts.Get(key)
	k.counts.Set(key, n+1)
	if k.pads != nil && n == 0 {
		k.pads.Set(key, padOf(key, k.pad))
	}
	c.EmitAnchored(t, key, n+1, t.Int(1), t.Int(2), now)
	c.Ack(t)
	return k.store.Trim()
}

// padOf is what is kept beside a key: bytes that are not all the same.
func padOf(key string, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = key[i%len(key)] ^ byte(i>>4)
	}
	return b
}

// Freeze implements gearcore.Checkpointed.
func (k *counter) Freeze(epoch uint64) (gearcore.Frozen, error) { return k.store.Freeze(epoch) }

// Restore implements gearcore.Checkpointed.
func (k *counter) Restore(r *gearcore.Recovery) error {
	k.restored()
	if err := k.store.Restore(r); err != nil || k.pads == nil {
		return err
	}
	var missing error
	k.counts.Each(func(key string, _ int64) bool {
		if k.pads.Has(key) {
			return true
		}
		missing = fmt.Errorf("key %s has a count and no pad", key)
		return false
	})
	return missing
}

// Commit implements gearcore.Committer.
func (k *counter) Commit(epoch uint64) { k.store.Commit(epoch) }

func (k *counter) Close() {
	k.close()
	if k.store != nil {
		k.store.Close() // what it says of files that were to be removed is nobody's concern here
	}
}

// kept are the parts of package exact's components that the engine looks for.
type kept interface {
	gearcore.Checkpointed
	gearcore.Committer
}

// sink is package exact's with a probe.
type sink struct {
	probe
	inner gearcore.Task
	kept
}

func newSink(p probe, inner gearcore.Task) (*sink, error) {
	k, ok := inner.(kept)
	if !ok {
		return nil, fmt.Errorf("%T holds nothing back", inner)
	}
	return &sink{p, inner, k}, nil
}

func (s *sink) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.inner.Open(ctx, c)
}

func (s *sink) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	s.run(t.Int(4))
	return s.inner.Execute(t, c)
}

// Restore implements gearcore.Checkpointed.
func (s *sink) Restore(r *gearcore.Recovery) error {
	s.restored()
	return s.kept.Restore(r)
}

func (s *sink) Close() {
	s.close()
	s.inner.Close()
}

// source is package exact's with a probe.
type source struct {
	gearcore.Source
	gearcore.Timed
	kept
	probe probe
}

func newSource(p probe, inner gearcore.Source) (*source, error) {
	k, ok := inner.(kept)
	timed, also := inner.(gearcore.Timed)
	if !ok || !also {
		return nil, fmt.Errorf("%T has no position or no time", inner)
	}
	return &source{inner, timed, k, p}, nil
}

func (s *source) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	if err := s.probe.open(ctx); err != nil {
		return err
	}
	return s.Source.Open(ctx, c)
}

func (s *source) Next(c *gearcore.Collector) error {
	s.probe.run(0)
	return s.Source.Next(c)
}

// Restore implements gearcore.Checkpointed.
func (s *source) Restore(r *gearcore.Recovery) error {
	s.probe.restored()
	return s.kept.Restore(r)
}

// Deactivate ends what is measured: an inactive source has nothing to do.
func (s *source) Deactivate(c *gearcore.Collector) {
	s.probe.pause()
	s.Source.Deactivate(c)
}

func (s *source) Close() {
	s.probe.close()
	s.Source.Close()
}

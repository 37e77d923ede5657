package main

import "github.com/gearstorm/gearstorm/compat/storm"

// identity emits what it gets. Its twin is Identity.java.
type identity struct{ *shape }

// frugalIdentity is an identity that says that it keeps no tuple.
type frugalIdentity struct{ identity }

func (frugalIdentity) NoRetain() {}

func newIdentity(s *shape) storm.Bolt {
	if s.Kept {
		return &identity{s}
	}
	return &frugalIdentity{identity{s}}
}

func (b *identity) Prepare(ctx *storm.Context, _ *storm.Collector) error {
	_, err := b.join(ctx.Component)
	return err
}

func (b *identity) Execute(t storm.Tuple, c *storm.Collector) error {
	c.EmitAnchored(t, t.String(0))
	c.Ack(t)
	return nil
}

// sink counts what it gets and, if the shape says read, adds up every byte of it. Its twin is Sink.java.
type sink struct {
	*shape
	tally  *tally
	n, sum int64
}

// frugalSink is a sink that says that it keeps no tuple.
type frugalSink struct{ sink }

func (frugalSink) NoRetain() {}

func newSink(s *shape) storm.Bolt {
	if s.Kept {
		return &sink{shape: s}
	}
	return &frugalSink{sink{shape: s}}
}

func (b *sink) Prepare(ctx *storm.Context, _ *storm.Collector) (err error) {
	b.tally, err = b.join(ctx.Component)
	return err
}

func (b *sink) Execute(t storm.Tuple, c *storm.Collector) error {
	if b.Read {
		text, sum := t.String(0), b.sum
		for i := range len(text) {
			sum += int64(text[i])
		}
		b.sum = sum
	}
	b.n++
	if b.n&(publishEvery-1) == 1 {
		b.tally.arrived(b.n, b.sum)
	}
	c.Ack(t)
	return nil
}

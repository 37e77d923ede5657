package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/gearstorm/gearstorm/compat/storm"
)

// source emits one string for ever.
type source struct {
	address string
	tracked bool
	payload string
	n       int64
}

func (s *source) Open(ctx *storm.Context, _ *storm.Collector) error {
	_, err := join(s.address, ctx.Component)
	return err
}

func (s *source) Next(c *storm.Collector) error {
	if s.tracked {
		s.n++
		c.EmitID(storm.Long(s.n), s.payload)
	} else {
		c.Emit(s.payload)
	}
	return nil
}

// words emits 10,000 different words in an order without a pattern.
type words struct {
	words []string
	i     int
}

func (s *words) Open(*storm.Context, *storm.Collector) error {
	r := rand.New(rand.NewPCG(1, 2))
	s.words = make([]string, 1<<16)
	for i := range s.words {
		s.words[i] = fmt.Sprintf("word%05d", r.IntN(10_000))
	}
	return nil
}

func (s *words) Next(c *storm.Collector) error {
	c.Emit(s.words[s.i&(len(s.words)-1)])
	s.i++
	return nil
}

// identity emits what it gets. It keeps no tuple.
type identity struct{ address string }

func (b *identity) Prepare(ctx *storm.Context, _ *storm.Collector) error {
	_, err := join(b.address, ctx.Component)
	return err
}

func (b *identity) Execute(t storm.Tuple, c *storm.Collector) error {
	c.EmitAnchored(t, t.String(0))
	c.Ack(t)
	return nil
}

func (b *identity) NoRetain() {}

// sink counts what it gets. It keeps no tuple.
type sink struct {
	address string
	tally   *tally
	n       int64
}

func (b *sink) Prepare(ctx *storm.Context, _ *storm.Collector) (err error) {
	b.tally, err = join(b.address, ctx.Component)
	return err
}

func (b *sink) Execute(t storm.Tuple, c *storm.Collector) error {
	if len(t.String(0)) > 0 {
		b.n++
	}
	if b.n&(publishEvery-1) == 1 {
		b.tally.publish(b.n)
	}
	c.Ack(t)
	return nil
}

func (b *sink) NoRetain() {}

// counter is a sink that also counts by word.
type counter struct {
	sink
	words map[string]*int64
}

func (b *counter) Execute(t storm.Tuple, c *storm.Collector) error {
	word := t.String(0)
	n := b.words[word]
	if n == nil {
		if b.words == nil {
			b.words = map[string]*int64{}
		}
		n = new(int64)
		b.words[word] = n
	}
	*n++
	return b.sink.Execute(t, c)
}

package main

import (
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
)

// walk is the direct stream of a ring.
const walk = "walk"

// tokenEvery is how many nodes of a ring there are for each token.
const tokenEvery = 100

// tokens sends one token to every hundredth node of a ring and then nothing.
type tokens struct {
	*shape
	first storm.TaskID // of the nodes
	n     int
}

func (s *tokens) Open(ctx *storm.Context, _ *storm.Collector) error {
	for id, name := range ctx.Layout.Components {
		if name == sinkName && (s.first == 0 || id < s.first) {
			s.first = id
		}
	}
	_, err := s.join(ctx.Component)
	return err
}

func (s *tokens) Next(c *storm.Collector) error {
	if s.n >= s.Tasks {
		return storm.ErrIdle
	}
	c.Stream(walk).EmitDirect(s.first+storm.TaskID(s.n), storm.Tuple{}, int64(0))
	s.n += tokenEvery
	return nil
}

// node hands tokens on to the next node, the last one to the first.
type node struct {
	*shape
	tally *tally
	next  storm.TaskID
	walk  gearcore.Output
	n     int64
}

func (b *node) Prepare(ctx *storm.Context, c *storm.Collector) (err error) {
	b.next, b.walk = ctx.Tasks[(ctx.Index+1)%len(ctx.Tasks)], c.Stream(walk)
	b.tally, err = b.join(ctx.Component)
	return err
}

func (b *node) Execute(t storm.Tuple, c *storm.Collector) error {
	b.walk.EmitDirect(b.next, t, t.Int(0)+1)
	b.n++
	if b.n&(publishEvery-1) == 1 {
		b.tally.arrived(b.n, 0)
	}
	c.Ack(t)
	return nil
}

func (b *node) NoRetain() {}

package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/gearstorm/gearstorm/compat/storm"
)

// keyCount is how many different keys there are.
const keyCount = 100_000

// keys emits pairs of a key and the payload, with all keys in an order without a pattern.
type keys struct {
	*shape
	tally *tally
	text  string
	keys  []string
	n     int64
	i     int
}

func (s *keys) Open(ctx *storm.Context, _ *storm.Collector) (err error) {
	s.text = s.payload()
	s.keys = make([]string, keyCount)
	for i, n := range rand.New(rand.NewPCG(1, 2)).Perm(keyCount) {
		s.keys[i] = fmt.Sprintf("key%06d", n)
	}
	s.tally, err = s.join(ctx.Component)
	return err
}

func (s *keys) Next(c *storm.Collector) error {
	c.Emit(s.keys[s.i], s.text)
	if s.i++; s.i == keyCount {
		s.i = 0
	}
	if s.n++; s.n&(publishEvery-1) == 0 {
		s.tally.emitted.Store(s.n)
	}
	return nil
}

func (s *keys) Activate(*storm.Collector) {}

func (s *keys) Deactivate(*storm.Collector) { s.tally.emitted.Store(s.n) }

// counter counts by key. It keeps a copy of each key and no tuple.
type counter struct {
	*shape
	tally  *tally
	n      int64
	places map[string]int // in counts
	counts []int64
}

func (b *counter) Prepare(ctx *storm.Context, _ *storm.Collector) (err error) {
	b.places = map[string]int{}
	b.tally, err = b.join(ctx.Component)
	return err
}

func (b *counter) Execute(t storm.Tuple, c *storm.Collector) error {
	key := t.String(0)
	place, known := b.places[key]
	if !known {
		place = len(b.counts)
		b.places[strings.Clone(key)] = place
		b.counts = append(b.counts, 0)
	}
	b.counts[place]++
	b.n++
	if b.n&(publishEvery-1) == 1 {
		b.tally.arrived(b.n, 0)
	}
	c.Ack(t)
	return nil
}

func (b *counter) NoRetain() {}

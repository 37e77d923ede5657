package stormtest_test

import (
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/compat/storm/stormtest"
)

// lookup acks each tuple from another goroutine, and pauses its input meanwhile.
type lookup struct{ async *storm.Async }

func (b *lookup) Prepare(_ *storm.Context, c *storm.Collector) error {
	b.async = c.Async()
	return nil
}

func (b *lookup) Execute(t storm.Tuple, c *storm.Collector) error {
	c.Pause()
	go b.async.Do(0, func(c *storm.Collector) {
		c.EmitAnchored(t, "found "+t.String(0))
		c.Ack(t)
		c.Ack(t)
		c.Fail(t)
		c.Resume()
	})
	return nil
}

func TestAsyncBolt(t *testing.T) {
	b := stormtest.NewBolt(t, storm.BoltFactory(func() storm.Bolt { return &lookup{} }), func(d *storm.Declarer) { d.Fields("text") }, nil)
	b.Input("in", "default", "key")
	b.Send("in", "default", "k")
	b.Wait()
	if got := b.Values(); len(got) != 1 || got[0][0] != "found k" {
		t.Errorf("emits: %v", got)
	}
	if b.Paused() || len(b.Acked()) != 1 || len(b.Failed()) != 0 {
		t.Errorf("paused %v, acked %d, failed %d; the first settle counts", b.Paused(), len(b.Acked()), len(b.Failed()))
	}
}

func TestContextShowsTheConfiguration(t *testing.T) {
	var got any
	s := stormtest.NewSpout(t, storm.SpoutFactory(func() storm.Spout { return opener{&got} }), nil, map[string]any{"path": "x"})
	s.Next(1)
	if got != "x" || len(s.Errors()) != 0 {
		t.Errorf("path is %v, errors %v", got, s.Errors())
	}
}

type opener struct{ got *any }

func (o opener) Open(ctx *storm.Context, _ *storm.Collector) error {
	*o.got = ctx.Conf["path"]
	return nil
}

func (o opener) Next(*storm.Collector) error { return storm.ErrIdle }

package gearstorm_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/storm"
)

// sentences is a reliable spout: it emits each of its sentences with an id and counts the ones that are done.
type sentences struct {
	left    []string
	pending map[int64]string
	next    int64
	done    func() // called when all are acked
}

func (s *sentences) Open(*storm.Context, *storm.Collector) error {
	s.pending = map[int64]string{}
	return nil
}

func (s *sentences) Next(c *storm.Collector) error {
	if len(s.left) == 0 {
		return storm.ErrIdle
	}
	s.next++
	s.pending[s.next] = s.left[0]
	c.EmitID(storm.Long(s.next), s.left[0])
	s.left = s.left[1:]
	return nil
}

func (s *sentences) Ack(id storm.Value, _ *storm.Collector) {
	delete(s.pending, id.Int())
	if len(s.left) == 0 && len(s.pending) == 0 {
		s.done()
	}
}

func (s *sentences) Fail(id storm.Value, c *storm.Collector) {
	c.EmitID(id, s.pending[id.Int()]) // again
}

// counter is a bolt with state: one for each task, so it needs no lock.
type counter struct{ counts map[string]int }

func (b *counter) Prepare(*storm.Context, *storm.Collector) error {
	b.counts = map[string]int{}
	return nil
}

func (b *counter) Execute(t storm.Tuple, c *storm.Collector) error {
	word, err := storm.Field[string](t, "word")
	if err != nil {
		return err // reported, and t fails
	}
	b.counts[word]++
	if b.counts[word] == 3 {
		fmt.Println(word, "was seen three times")
	}
	c.Ack(t)
	return nil
}

// split is a bolt without state. What it emits is anchored to t, and t is acked when it returns.
func split(t storm.Tuple, out storm.Emitter) error {
	for word := range strings.FieldsSeq(t.String(0)) {
		out.Emit(word)
	}
	return nil
}

// A whole topology, run in this process until its spout has no more to do.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	text := []string{"the cow jumped", "over the moon", "and over the", "fence", "over"}

	program := gearstorm.Program{Name: "words", Define: func(b *storm.TopologyBuilder, args []string) error {
		b.SetSpout("sentences", storm.SpoutFactory(func() storm.Spout { return &sentences{left: text, done: cancel} }), 1).
			Fields("sentence")
		b.SetBolt("split", storm.BoltFunc(split), 2).
			ShuffleGrouping("sentences").Fields("word")
		b.SetBolt("count", storm.BoltFactory(func() storm.Bolt { return &counter{} }), 2).
			FieldsGrouping("split", "word")
		return nil
	}}
	if err := gearstorm.RunLocal(ctx, program, gearstorm.Options{}); err != nil {
		log.Fatal(err)
	}
	// Unordered output:
	// the was seen three times
	// over was seen three times
}

// Main gives the same program a command line: run, submit and worker.
func ExampleMain() {
	gearstorm.Main(gearstorm.Program{Name: "hello", Define: func(b *storm.TopologyBuilder, names []string) error {
		b.SetSpout("names", storm.SpoutFactory(func() storm.Spout { return &sentences{left: names, done: func() {}} }), 1).
			Fields("name")
		b.SetBolt("greet", storm.ShellBolt("python3", "greet.py"), 2).
			ShuffleGrouping("names").Fields("greeting")
		return nil
	}})
}

package gearstorm_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/storm"
)

// pages counts the words of pages, and all words before them in its state.
type pages struct {
	words storm.KeyValueState[string, int]
}

func (b *pages) Prepare(*storm.Context, *storm.Collector) error { return nil }

// InitState is called before the first window, and again when the state has gone back to an earlier one.
func (b *pages) InitState(s storm.KeyValueState[string, int]) error {
	b.words = s
	return nil
}

// Execute handles a window. Its tuples are read one after the other, since the bolt is Persistent.
func (b *pages) Execute(w storm.Window, out storm.WindowEmitter) error {
	before, _ := b.words.Get("all")
	words := 0
	for t := range w.All() {
		words += len(strings.Fields(t.String(0)))
	}
	b.words.Put("all", before+words)
	fmt.Println(words, "words after", before)
	return nil
}

// A bolt that works on windows and has a state, as Storm's IStatefulWindowedBolt. Here both go through Storm's transactions; with
// gearstorm.checkpoint.interval.ms and a source that has a position they are exact, whatever fails.
func Example_statefulWindows() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	text := []string{"the cow jumped", "over the moon", "and over the fence", "and away"}

	program := gearstorm.Program{Name: "pages", Define: func(b *storm.TopologyBuilder, _ []string) error {
		b.AddConfig("topology.state.checkpoint.interval.ms", 100)
		b.SetSpout("sentences", storm.SpoutFactory(func() storm.Spout { return &sentences{left: text, done: cancel} }), 1).
			Fields("sentence")
		b.SetBolt("pages", storm.StatefulWindowed(func() storm.StatefulWindowedBolt[string, int] { return &pages{} }).
			Tumbling(storm.Count(2)).Persistent(), 1).
			GlobalGrouping("sentences")
		return nil
	}}
	if err := gearstorm.RunLocal(ctx, program, gearstorm.Options{}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 6 words after 0
	// 6 words after 6
}

package main

import (
	"embed"
	"fmt"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/storm"
)

//go:embed resources
var resources embed.FS

// program is every topology that is measured. Its argument is the shape.
var program = gearstorm.Program{Name: "bench", Define: define, Resources: resources}

// Components are named so that even schedulers, which deal executors out by name, part neighbours: with two workers both
// edges of a line are remote. Main.java has the same names.
const (
	sourceName = "a-source"
	middleName = "b-middle"
	sinkName   = "c-sink"
)

func define(b *storm.TopologyBuilder, args []string) error {
	read, err := parseShape(args)
	if err != nil {
		return err
	}
	s := &read
	source := storm.SpoutFactory(func() storm.Spout { return newSource(s) })
	sink := storm.BoltFactory(func() storm.Bolt { return newSink(s) })
	switch s.Kind {
	case kindLine:
		b.SetSpout(sourceName, source, 1).Fields("text")
		identity := storm.BoltFactory(func() storm.Bolt { return newIdentity(s) })
		b.SetBolt(middleName, identity, 1).LocalOrShuffleGrouping(sourceName).Fields("text")
		b.SetBolt(sinkName, sink, 1).LocalOrShuffleGrouping(middleName)
	case kindScript:
		b.SetSpout(sourceName, source, 1).Fields("text")
		bolt := b.SetBolt(middleName, script(read), 1).Fields("text")
		if s.keyed() {
			bolt.FieldsGrouping(sourceName, "text")
		} else {
			bolt.ShuffleGrouping(sourceName)
		}
		b.SetBolt(sinkName, sink, 1).ShuffleGrouping(middleName)
	case kindPairs:
		b.SetSpout(sourceName, source, s.Tasks).Fields("text")
		b.SetBolt(sinkName, sink, s.Tasks).ShuffleGrouping(sourceName)
	case kindFields:
		b.SetSpout(sourceName, storm.SpoutFactory(func() storm.Spout { return &keys{shape: s} }), 1).Fields("key", "text")
		b.SetBolt(sinkName, storm.BoltFactory(func() storm.Bolt { return &counter{shape: s} }), s.Tasks).FieldsGrouping(sourceName, "key")
	case kindRing:
		b.SetSpout(sourceName, storm.SpoutFactory(func() storm.Spout { return &tokens{shape: s} }), 1).DirectStream(walk, "hops")
		b.SetBolt(sinkName, storm.BoltFactory(func() storm.Bolt { return &node{shape: s} }), s.Tasks).DirectStream(walk, "hops").
			Grouping(sourceName, walk, storm.Direct()).Grouping(sinkName, walk, storm.Direct())
	case kindIdle:
		b.SetSpout(sourceName, source, 1).Fields("text")
		b.SetBolt(sinkName, sink, s.Tasks-1).ShuffleGrouping(sourceName)
	case kindYahoo:
		yahooAcks(b, *s.Yahoo)
	case kindYahooExact:
		b.AddStream(yahooExact(*s.Yahoo))
	case kindCounted:
		b.AddStream(counts(s))
	case kindWindow:
		b.AddStream(windows(s))
	default:
		return fmt.Errorf("no shape %q", s.Kind)
	}
	return nil
}

// script is the bolt of kindScript.
func script(s shape) storm.Shell {
	command := []string{"python3", s.Script}
	if s.Python != "" {
		command[0] = s.Python
	}
	if s.Msgpack {
		command = append(command, "-s", "msgpack")
	}
	bolt := storm.ShellBolt(command...)
	if s.Path != "" {
		bolt = bolt.Env("PYTHONPATH", s.Path)
	}
	return bolt
}

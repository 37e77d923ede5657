// Command javago is a topology in Java (it.Changing) of which one bolt is in Java or in Go, as its argument says.
package main

import (
	"fmt"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/storm"
)

func main() {
	gearstorm.Main(gearstorm.Program{Name: "changing", Define: define})
}

func define(b *storm.TopologyBuilder, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want java or go, got %q", args)
	}
	var work storm.BoltSpec = storm.JavaBolt("it.Changing$Work", "java")
	if args[0] == "go" {
		work = storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
			out.Emit(t.String(0), "go/first")
			return nil
		})
	}
	b.Workers(1).Ackers(1).MaxSpoutPending(500)
	b.SetSpout("source", storm.JavaSpout("it.Changing$Source", args[0]), 1).Fields("n")
	b.SetBolt("work", work, 2).ShuffleGrouping("source").Fields("n", "from")
	b.SetBolt("keep", storm.JavaBolt("it.Changing$Keep", "kept"), 2).FieldsGrouping("work", "n")
	return nil
}

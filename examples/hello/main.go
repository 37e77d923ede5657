// Command hello is a first topology: a spout and a bolt in Go with a bolt in Python between them.
//
//	go run ./examples/hello run Ada Grace Edsger
package main

import (
	"embed"
	"fmt"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/storm"
)

//go:embed resources
var files embed.FS

func main() {
	gearstorm.Main(gearstorm.Program{Name: "hello", Define: define, Resources: files})
}

func define(b *storm.TopologyBuilder, names []string) error {
	if len(names) == 0 {
		names = []string{"world"}
	}
	b.SetSpout("names", storm.SpoutFunc(func(c *storm.Collector) error {
		if len(names) == 0 {
			return storm.ErrIdle
		}
		c.Emit(names[0])
		names = names[1:]
		return nil
	}), 1).Fields("name")
	b.SetBolt("greet", storm.ShellBolt("python3", "greet.py"), 1).ShuffleGrouping("names").Fields("greeting")
	b.SetBolt("print", storm.BoltFunc(func(t storm.Tuple, _ storm.Emitter) error {
		fmt.Println(t.String(0))
		return nil
	}), 1).ShuffleGrouping("greet")
	return nil
}

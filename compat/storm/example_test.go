package storm_test

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
)

func nothing(*storm.Collector) error { return storm.ErrIdle }

func drop(storm.Tuple, storm.Emitter) error { return nil }

// Streams with names, several subscriptions, and a bolt in Python.
func ExampleTopologyBuilder() {
	b := storm.NewTopologyBuilder().Workers(2).MessageTimeout(10 * time.Second)
	b.SetSpout("orders", storm.SpoutFunc(nothing), 1).
		Fields("customer", "amount").
		Stream("refunds", "customer", "amount")
	b.SetBolt("score", storm.ShellBolt("python3", "score.py"), 4).
		FieldsGrouping("orders", "customer").
		Grouping("orders", "refunds", storm.Fields("customer")).
		Fields("customer", "score")
	b.SetBolt("alert", storm.BoltFunc(drop), 1).
		GlobalGrouping("score").
		TickEvery(time.Minute)
	topology, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(topology.Thrift.Spouts), "spout,", len(topology.Thrift.Bolts), "bolts, workers:", topology.Conf["topology.workers"])
	// Output: 1 spout, 2 bolts, workers: 2
}

// Mistakes are found before anything is submitted.
func ExampleTopologyBuilder_Build() {
	b := storm.NewTopologyBuilder()
	b.SetSpout("words", storm.SpoutFunc(nothing), 1).Fields("word")
	b.SetBolt("count", storm.BoltFunc(drop), 2).FieldsGrouping("words", "wrd")
	b.SetBolt("print", storm.BoltFunc(drop), 1).ShuffleGrouping("cuont")
	_, err := b.Build()
	fmt.Println(err)
	// Output:
	// Component: [count] subscribes from stream: [default] of component [words] + with non-existent fields: [wrd]
	// Component: [print] subscribes from non-existent component [cuont]
}

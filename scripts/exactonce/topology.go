package main

import (
	"embed"
	"fmt"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore/connect/kafka"
)

// Names of components that the table asks for, and the script and the class in which victims are found.
const (
	sourceName  = "records"
	counterName = "count"
	script      = "pass.py"
	javaMain    = "gearstorm.jvmhost.storm.Main"
)

//go:embed resources
var resources embed.FS

// program is the topology: from Kafka through a bolt in Python, one in Java that counts by key and one in Go that does so, too, to Kafka. Everything goes by
// key, so the records of a key stay in their order, and the numbers that each gets follow from the input alone.
var program = gearstorm.Program{Name: "exactly-once", Resources: resources, Define: define}

// define takes three arguments: a broker, the topic to read and the one to write.
func define(b *storm.TopologyBuilder, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%d arguments, want a broker, the topic to read and the one to write", len(args))
	}
	cluster := kafka.Cluster{Brokers: args[:1]}
	source := kafka.SourceOptions{Cluster: cluster, Topics: args[1:2]}
	sink := kafka.SinkOptions{Cluster: cluster, Topic: args[2]}
	b.SetSpout(sourceName, storm.SourceFactory(kafka.Sources(source)), 2).Fields("key", "value", "topic", "partition", "offset", "timestamp")
	b.SetBolt("python", storm.ShellBolt("python3", script), 2).FieldsGrouping(sourceName, "key").Fields("key", "value")
	stateful(b, b.SetBolt("java", storm.JavaBolt("Count"), 1).FieldsGrouping("python", "key").Fields("key", "value"))
	b.SetBolt(counterName, storm.BoltFactory(newCounter), 2).FieldsGrouping("java", "key").Fields("key", "message")
	b.SetBolt("out", storm.TaskFactory(kafka.Sinks(sink)), 1).FieldsGrouping(counterName, "key")
	return nil
}

// stateful adds what Storm's own builder adds for a bolt with state: the spout of checkpoints and its stream.
func stateful(b *storm.TopologyBuilder, bolt *storm.Declarer) {
	const spout, stream = "$checkpointspout", "$checkpoint"
	b.SetSpout(spout, storm.JavaSpout(compat.CheckpointSpoutClass), 1).NumTasks(1).Stream(stream, "txid", "action")
	bolt.Grouping(spout, stream, storm.All()).Stream(stream, "txid", "action")
}

// settings is the topology's configuration, with its checkpoints in the folder store.
func settings(store string) conf.Conf {
	return conf.Conf{
		"topology.workers":                 2,
		"topology.acker.executors":         0,
		"topology.worker.childopts":        "-Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
		"gearstorm.checkpoint.interval.ms": 500,
		"gearstorm.checkpoint.keep":        1000,
		"gearstorm.checkpoint.store":       "file://" + store,
	}
}

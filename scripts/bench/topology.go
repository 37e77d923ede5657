package main

import (
	"embed"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/storm"
)

//go:embed resources
var resources embed.FS

// program is every topology that is measured. Its arguments are the shape, the address of the probes' listener, and
// where storm.py is.
var program = gearstorm.Program{Name: "bench", Define: define, Resources: resources}

// Shapes. All have a source and a sink with one executor each, unless said otherwise.
const (
	shapeLine   = "line"         // source -> identity -> sink, not tracked
	shapeAcked  = "line-acked"   // the same, tracked
	shapeFields = "fields"       // source of words -> 4 counters, fields grouping, not tracked
	shapePython = "python"       // source -> Python bolt with gearstorm.py -> sink, tracked
	shapeStorm  = "storm-python" // the same with storm.py
)

// Bounds of the tuples in flight where they are tracked.
const (
	linePending  = 10_000
	shellPending = 1000
)

func define(b *storm.TopologyBuilder, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want a shape, a listener and a storm.py, got %q", args)
	}
	shape, address, stormPy := args[0], args[1], args[2]
	tracked := shape != shapeLine && shape != shapeFields
	if !tracked {
		b.Ackers(0)
	} else if shape == shapeAcked {
		b.MaxSpoutPending(linePending)
	} else {
		b.MaxSpoutPending(shellPending)
	}
	src := func() storm.Spout {
		return &source{address: address, tracked: tracked, payload: strings.Repeat("x", 100)}
	}
	if shape == shapeFields {
		b.SetSpout("source", storm.SpoutFactory(func() storm.Spout { return &words{} }), 1).Fields("text")
		b.SetBolt("sink", storm.BoltFactory(func() storm.Bolt { return &counter{sink: sink{address: address}} }), 4).
			FieldsGrouping("source", "text")
		return nil
	}
	b.SetSpout("source", storm.SpoutFactory(src), 1).Fields("text")
	middle, err := identityOf(shape, address, stormPy)
	if err != nil {
		return err
	}
	b.SetBolt("identity", middle, 1).ShuffleGrouping("source").Fields("text")
	b.SetBolt("sink", storm.BoltFactory(func() storm.Bolt { return &sink{address: address} }), 1).ShuffleGrouping("identity")
	return nil
}

func identityOf(shape, address, stormPy string) (storm.BoltSpec, error) {
	switch shape {
	case shapeLine, shapeAcked:
		return storm.BoltFactory(func() storm.Bolt { return &identity{address: address} }), nil
	case shapePython:
		return storm.ShellBolt("python3", "identity.py"), nil
	case shapeStorm:
		return storm.ShellBolt("python3", "storm_identity.py").Env("PYTHONPATH", filepath.Dir(stormPy)), nil
	}
	return nil, fmt.Errorf("no shape %q", shape)
}

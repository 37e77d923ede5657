package exact

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Topology describes the topology.
type Topology struct {
	// Dir is the folder of the files, on a disk that all workers see. It must exist and be absolute.
	Dir string `json:"dir"`
	// Records is how many each source emits. Rate is how many a second; 0: as many as it can.
	Records int `json:"records"`
	Rate    int `json:"rate"`
	// Sources, Counters and Sinks are numbers of tasks; default 1, 2 and 1.
	Sources  int `json:"sources"`
	Counters int `json:"counters"`
	Sinks    int `json:"sinks"`
	// Keys is how many different keys there are; default 97.
	Keys int `json:"keys"`
	// Stamp has sources emit the moment, in nanoseconds since 1970, as a fourth field "sent".
	Stamp bool `json:"stamp,omitempty"`
	// Rewind has sources and sinks take back what is of later checkpoints than the one that they begin with, as output that can be replaced
	// allows. Without it that stays, and a topology that goes back further than to its newest checkpoint makes records visible twice.
	Rewind bool `json:"rewind,omitempty"`
	// Workers is topology.workers; default 1. Conf goes over the rest of the configuration; without gearstorm.checkpoint.interval.ms
	// nothing is ever made visible.
	Workers int            `json:"workers"`
	Conf    map[string]any `json:"-"`
}

// mark is the first of a worker's program arguments that say that its topology is ours.
const mark = "gearstorm-exact"

func (t Topology) checked() (Topology, error) {
	for _, d := range []struct {
		at    *int
		usual int
	}{{&t.Sources, 1}, {&t.Counters, 2}, {&t.Sinks, 1}, {&t.Keys, 97}, {&t.Workers, 1}} {
		if *d.at == 0 {
			*d.at = d.usual
		}
	}
	if !filepath.IsAbs(t.Dir) {
		return t, fmt.Errorf("the folder of a run is %q, it must be absolute", t.Dir)
	}
	if t.Records < 1 || t.Rate < 0 || t.Sources < 1 || t.Counters < 1 || t.Sinks < 1 || t.Keys < 1 || t.Workers < 1 {
		return t, errors.New("records and numbers of tasks, keys and workers must be above 0, the rate not below")
	}
	return t, nil
}

// Build makes the topology; its Components are nil, for they are not storm's: see Registry.
func (t Topology) Build() (*storm.Topology, error) {
	t, err := t.checked()
	if err != nil {
		return nil, err
	}
	c := conf.Conf{"topology.workers": t.Workers, "topology.acker.executors": 0}
	if err := c.Describe(mark, t); err != nil {
		return nil, err
	}
	for key, value := range t.Conf {
		c[key] = value
	}
	emitted := []string{"key", "source", "number"}
	if t.Stamp {
		emitted = append(emitted, "sent")
	}
	byKey := dag.Grouping{Kind: dag.Fields, Fields: []string{"key"}}
	topo, err := compat.Describe(&dag.Graph{Conf: c, Processors: []*dag.Processor{
		processor("counter", dag.Bolt, t.Counters, []string{"key", "count", "source", "number"}, dag.Input{Source: "source", Stream: gearcore.DefaultStream, Grouping: byKey}),
		processor("sink", dag.Bolt, t.Sinks, nil, dag.Input{Source: "counter", Stream: gearcore.DefaultStream, Grouping: byKey}),
		processor("source", dag.Spout, t.Sources, emitted),
	}})
	return &storm.Topology{Thrift: topo, Conf: c}, err
}

func processor(name string, kind dag.Kind, tasks int, fields []string, inputs ...dag.Input) *dag.Processor {
	p := &dag.Processor{Name: name, Kind: kind, Tasks: tasks, Executors: tasks, Impl: dag.Impl{Kind: dag.ImplGo, Name: name}, Inputs: inputs}
	if fields != nil {
		p.Outputs = []dag.Output{{Stream: gearcore.DefaultStream, Fields: fields}}
	}
	return p
}

// Registry makes the components of a Topology.
type Registry struct{ t Topology }

// RegistryOf is for a worker of a topology with that conf; nil if the topology is not one of ours.
func RegistryOf(c conf.Conf) (*Registry, error) {
	var t Topology
	if ours, err := c.Described(mark, &t); !ours || err != nil {
		return nil, err
	}
	t, err := t.checked()
	return &Registry{t}, err
}

// Registry makes the components for a topology that others describe to their workers.
func (t Topology) Registry() (*Registry, error) {
	t, err := t.checked()
	return &Registry{t}, err
}

// Task makes a bolt.
func (r *Registry) Task(name string) (gearcore.Task, error) {
	switch name {
	case "counter":
		return &counter{brake: brake{path: filepath.Join(r.t.Dir, slowFile)}}, nil
	case "pass":
		return passer{}, nil
	case "sink":
		return &sink{t: r.t}, nil
	}
	return nil, fmt.Errorf("no bolt %q", name)
}

// Source makes a spout.
func (r *Registry) Source(name string) (gearcore.Source, error) {
	if name != "source" {
		return nil, fmt.Errorf("no spout %q", name)
	}
	return &source{t: r.t}, nil
}

// Grouping makes none.
func (r *Registry) Grouping(name string) (gearcore.CustomGrouping, error) {
	return nil, fmt.Errorf("no grouping %q", name)
}

package chaos

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
)

// Topology describes the topology that checks itself.
type Topology struct {
	// Run tells runs apart; a record of another one counts as corrupt.
	Run uint64 `json:"run"`
	// Dir is the folder of the run's files, on a disk that all workers see. It must exist and be absolute.
	Dir string `json:"dir"`
	// Rate is what all sources together emit a second. Default 2,000, at most 100,000.
	Rate int `json:"rate"`
	// Sources is the number of tasks of each component. Default 2, at most 64.
	Sources int `json:"sources"`
	// Pending is how many records of one source may be under way (topology.max.spout.pending). Default 500.
	Pending int `json:"pending"`
	// Workers is topology.workers. Default 3.
	Workers int `json:"workers"`
	// Timeout is the message timeout, in whole seconds. Default 10 s.
	Timeout time.Duration `json:"timeout"`
	// Shell, if any, is the command of a multilang bolt through which all records go before the relays; it emits the four
	// values that it gets.
	Shell []string `json:"shell,omitempty"`
	// Conf goes over the topology's configuration.
	Conf map[string]any `json:"-"`
}

// mark is the first of a worker's program arguments that say that its topology is ours.
const mark = "gearstorm-verify"

func (t Topology) checked() (Topology, error) {
	setDefault(&t.Rate, 2000)
	setDefault(&t.Sources, 2)
	setDefault(&t.Pending, 500)
	setDefault(&t.Workers, 3)
	setDefault(&t.Timeout, 10*time.Second)
	switch {
	case !filepath.IsAbs(t.Dir):
		return t, fmt.Errorf("the folder of a run is %q, it must be absolute", t.Dir)
	case t.Rate < 1 || t.Rate > 100_000:
		return t, fmt.Errorf("a rate of %d records a second, allowed are 1 to 100000", t.Rate)
	case t.Sources < 1 || t.Sources > 64:
		return t, fmt.Errorf("%d sources, allowed are 1 to 64", t.Sources)
	case t.Pending < 1 || t.Workers < 1 || t.Timeout < time.Second:
		return t, errors.New("pending and workers must be above 0, the message timeout at least 1 s")
	}
	return t, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// InFlight is how many records may be under way at one moment: the bound on what one fault duplicates.
func (t Topology) InFlight() int { return t.Sources * t.Pending }

// Build makes the topology. Its components are found in workers by Registry.
func (t Topology) Build() (*storm.Topology, error) {
	t, err := t.checked()
	if err != nil {
		return nil, err
	}
	described := conf.Conf{}
	if err := described.Describe(mark, t); err != nil {
		return nil, err
	}
	b := storm.NewTopologyBuilder()
	b.AddConfig(conf.ProgramArgs, described[conf.ProgramArgs])
	b.Workers(t.Workers).Ackers(1).MaxSpoutPending(t.Pending).MessageTimeout(t.Timeout)
	for key, value := range t.Conf {
		b.AddConfig(key, value)
	}
	b.SetSpout("source", storm.SpoutFactory(func() storm.Spout { return &source{t: t} }), t.Sources).
		Fields("source", "number", "key", "text")
	before := "source"
	if len(t.Shell) > 0 {
		before = "shell"
		b.SetBolt("shell", storm.ShellBolt(t.Shell...), t.Sources).
			ShuffleGrouping("source").Fields("source", "number", "key", "text")
	}
	b.SetBolt("relay", storm.BoltFactory(func() storm.Bolt { return &relay{t: t} }), t.Sources).
		ShuffleGrouping(before).Fields("source", "number", "key", "text", "relay", "count")
	b.SetBolt("sink", storm.BoltFactory(func() storm.Bolt { return &sink{t: t} }), t.Sources).
		FieldsGrouping("relay", "key")
	return b.Build()
}

// Registry makes the Go components for a worker of a topology with that conf; nil if the topology is not one of ours.
func Registry(c conf.Conf) (*storm.Registry, error) {
	var t Topology
	if ours, err := c.Described(mark, &t); !ours || err != nil {
		return nil, err
	}
	built, err := t.Build()
	if err != nil {
		return nil, err
	}
	return built.Components, nil
}

package storm

import (
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
)

// hasState reports whether the topology has a stateful bolt.
func (b *TopologyBuilder) hasState() bool {
	return slices.ContainsFunc(b.components, func(d *Declarer) bool {
		return keeperOf(d.bolt) != nil
	})
}

// keeperOf returns what keeps the state of a bolt, nil if it has none.
func keeperOf(b BoltSpec) stateKeeper {
	if w, ok := b.(*WindowedSpec); ok {
		if w.stateful && w.task != nil {
			return w.task(w)
		}
		return nil
	}
	k, _ := b.(stateKeeper)
	return k
}

// checkpointSources are the components from which d, a bolt of a topology with state, gets Storm's checkpoint tuples: the spout of
// checkpoints for the spouts that it listens to, and its bolts.
func (b *TopologyBuilder) checkpointSources(d *Declarer) []string {
	var out []string
	for _, in := range d.inputs {
		source := in.component
		if i := slices.IndexFunc(b.components, func(o *Declarer) bool { return o.id == source }); i >= 0 && b.components[i].spout != nil {
			source = checkpointSpoutID
		}
		if !slices.Contains(out, source) {
			out = append(out, source)
		}
	}
	return out
}

// stateful returns the components of the topology as they run. If there is a stateful bolt and the engine makes no checkpoints, they have
// Storm's protocol of states: the spout of checkpoints, and a stream of them out of every bolt.
func (b *TopologyBuilder) stateful(own conf.Conf) ([]*Declarer, error) {
	interval, err := own.IntOr(keyEngineCheckpoints, 0)
	if err != nil {
		return nil, err
	}
	if interval > 0 || !b.hasState() {
		return b.components, nil
	}
	spout := &Declarer{b: b, id: checkpointSpoutID, spout: SpoutFactory(newCheckpointSpout), parallelism: 1, conf: map[string]any{keyTasks: 1}}
	spout.streams = []stream{{name: checkpointStream, fields: []string{"txid", "action"}}}
	out := []*Declarer{spout}
	for _, d := range b.components {
		if d.bolt == nil {
			out = append(out, d)
			continue
		}
		_, shell := d.shell()
		if _, isNamed := d.named(); isNamed || shell {
			return nil, fmt.Errorf("component %s: only a bolt written in Go lets checkpoints of states through; set %s, so that they are the engine's", d.id, keyEngineCheckpoints)
		}
		c := *d
		c.streams = append(slices.Clone(d.streams), spout.streams...)
		c.inputs = slices.Clone(d.inputs)
		for _, source := range b.checkpointSources(d) {
			c.inputs = append(c.inputs, input{source, checkpointStream, All()})
		}
		out = append(out, &c)
	}
	return out, nil
}

// ownInputs returns the streams that d listens to, those of checkpoint tuples aside.
func (d *Declarer) ownInputs() (out []streamID) {
	for _, in := range d.inputs {
		if in.stream != checkpointStream {
			out = append(out, streamID{in.component, in.stream})
		}
	}
	return out
}

// registered is the spec under which the bolt d is made in a topology with state. Whether it follows Storm's protocol shows
// when it is opened, since a worker knows the configuration only then.
func (b *TopologyBuilder) registered(d *Declarer, spec BoltSpec) BoltSpec {
	sources := b.checkpointSources(d)
	if k := keeperOf(spec); k != nil {
		return eitherState{spec, k, sources}
	}
	return forwarding{spec, sources}
}

// eitherState is the BoltSpec of a stateful bolt.
type eitherState struct {
	BoltSpec
	keeper  stateKeeper
	sources []string
}

func (s eitherState) newBolt() (gearcore.Task, error) {
	checkpointed, err := s.BoltSpec.newBolt()
	if err != nil {
		return nil, err
	}
	return &eitherTask{forwarder{Task: checkpointed}, s}, nil
}

// eitherTask is the task of a stateful bolt: that which follows the engine's checkpoints, until it is opened in a topology of
// Storm's protocol.
type eitherTask struct {
	forwarder
	spec eitherState
}

func (t *eitherTask) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	t.in.open(ctx)
	if t.in.active {
		txn, err := t.spec.keeper.inMemory(t.spec.sources)
		if err != nil {
			return err
		}
		t.Task, t.in.active = txn, false // it counts checkpoint tuples by itself
	}
	return t.Task.Open(ctx, c)
}

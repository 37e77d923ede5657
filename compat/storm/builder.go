package storm

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Keys of Storm's configuration that the builder writes.
const (
	keyTasks       = "topology.tasks"
	keyMaxPending  = "topology.max.spout.pending"
	keyTick        = "topology.tick.tuple.freq.secs"
	keyTimeout     = "topology.message.timeout.secs"
	keyWorkers     = "topology.workers"
	keyAckers      = "topology.acker.executors"
	keyOnHeap      = "topology.component.resources.onheap.memory.mb"
	keyOffHeap     = "topology.component.resources.offheap.memory.mb"
	keyCPU         = "topology.component.cpu.pcore.percent"
	defaultStream  = "default"
	reservedPrefix = "__"

	// keyEngineCheckpoints makes checkpoints of the engine's.
	keyEngineCheckpoints = "gearstorm.checkpoint.interval.ms"
	// keyUndivided says that what a component has in them belongs to its tasks, so that their number cannot change.
	keyUndivided = "gearstorm.state.undivided"
)

// TopologyBuilder collects the components of a topology. Mistakes are kept and reported by Build, all of them at once.
// It is not safe for concurrent use.
type TopologyBuilder struct {
	components []*Declarer // in the order of declaration
	conf       map[string]any
	errs       []error
}

// NewTopologyBuilder returns an empty builder.
func NewTopologyBuilder() *TopologyBuilder { return &TopologyBuilder{conf: map[string]any{}} }

// Declarer describes one component further. Its methods return it, so that calls can be chained.
type Declarer struct {
	b           *TopologyBuilder
	id          string
	spout       SpoutSpec // one of spout and bolt is set
	bolt        BoltSpec
	parallelism int
	streams     []stream
	inputs      []input
	conf        map[string]any
	noRetain    bool
}

type stream struct {
	name   string
	fields []string
	direct bool
}

type input struct {
	component, stream string
	grouping          Grouping
}

// SetSpout adds the spout id, run by parallelism executors.
func (b *TopologyBuilder) SetSpout(id string, s SpoutSpec, parallelism int) *Declarer {
	if s == nil {
		b.fail("spout %s: no component", id)
	}
	return b.add(&Declarer{id: id, spout: s, parallelism: parallelism})
}

// SetBolt adds the bolt id, run by parallelism executors.
func (b *TopologyBuilder) SetBolt(id string, s BoltSpec, parallelism int) *Declarer {
	if s == nil {
		b.fail("bolt %s: no component", id)
	}
	return b.add(&Declarer{id: id, bolt: s, parallelism: parallelism})
}

func (b *TopologyBuilder) add(d *Declarer) *Declarer {
	d.b, d.conf = b, map[string]any{}
	if n, ok := d.named(); ok {
		d.streams = n.streams
	}
	d.window()
	if _, isWindowed := d.bolt.(*WindowedSpec); isWindowed || keeperOf(d.bolt) != nil {
		d.conf[keyUndivided] = true
	}
	b.components = append(b.components, d)
	return d
}

func (b *TopologyBuilder) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

// AddConfig sets a key of the topology's configuration. The value is kept and must be one that JSON can express.
func (b *TopologyBuilder) AddConfig(key string, value any) *TopologyBuilder {
	b.conf[key] = value
	return b
}

// Workers sets the number of worker processes (topology.workers, default 1).
func (b *TopologyBuilder) Workers(n int) *TopologyBuilder { return b.AddConfig(keyWorkers, n) }

// Ackers sets the number of acker tasks (topology.acker.executors, default one for each worker). With 0 nothing is
// tracked: every tuple counts as acked when it is emitted.
func (b *TopologyBuilder) Ackers(n int) *TopologyBuilder { return b.AddConfig(keyAckers, n) }

// MaxSpoutPending bounds the tuples of one spout task that wait for their ack (topology.max.spout.pending, default no
// bound).
func (b *TopologyBuilder) MaxSpoutPending(n int) *TopologyBuilder {
	return b.AddConfig(keyMaxPending, n)
}

// MessageTimeout sets after what time a tuple that is not acked fails (topology.message.timeout.secs, default 30 s): at
// the earliest then, at the latest after twice that. It must be whole seconds.
func (b *TopologyBuilder) MessageTimeout(d time.Duration) *TopologyBuilder {
	return b.AddConfig(keyTimeout, b.seconds("message timeout", d))
}

// seconds returns d for a key that counts seconds.
func (b *TopologyBuilder) seconds(what string, d time.Duration) int {
	if d < time.Second || d%time.Second != 0 || d/time.Second > math.MaxInt32 {
		b.fail("%s %v: must be whole seconds, at least one", what, d)
		return 1
	}
	return int(d / time.Second)
}

// NumTasks sets the number of tasks, which is the parallelism unless it is set. Rebalancing changes how many executors
// share them.
func (d *Declarer) NumTasks(n int) *Declarer { return d.AddConfig(keyTasks, n) }

// MaxSpoutPending is TopologyBuilder.MaxSpoutPending for this spout.
func (d *Declarer) MaxSpoutPending(n int) *Declarer { return d.AddConfig(keyMaxPending, n) }

// TickEvery makes the engine send every task of this bolt a tick (Tuple.IsTick, Ticker) in that interval, whole seconds.
func (d *Declarer) TickEvery(interval time.Duration) *Declarer {
	return d.AddConfig(keyTick, d.b.seconds(fmt.Sprintf("tick interval of %s", d.id), interval))
}

// NoRetain promises for this bolt, a BoltFunc for example, what a Bolt promises with the interface NoRetain: it keeps no
// tuple, string, byte slice or value after it returned.
func (d *Declarer) NoRetain() *Declarer {
	d.noRetain = true
	return d
}

// MemoryLoad says how many megabytes one task needs on and off the heap. It is kept for Storm's tools; no scheduler here places by it.
func (d *Declarer) MemoryLoad(onHeapMB, offHeapMB float64) *Declarer {
	return d.AddConfig(keyOnHeap, onHeapMB).AddConfig(keyOffHeap, offHeapMB)
}

// CPULoad says how much of a core one task needs, in percent. It is kept for Storm's tools; no scheduler here places by it.
func (d *Declarer) CPULoad(percent float64) *Declarer { return d.AddConfig(keyCPU, percent) }

// AddConfig sets a key of the component's own configuration, which Context.Conf shows merged into the topology's. The
// value is kept and must be one that JSON can express.
func (d *Declarer) AddConfig(key string, value any) *Declarer {
	d.conf[key] = value
	return d
}

// Fields declares the default stream with the named fields.
func (d *Declarer) Fields(names ...string) *Declarer { return d.Stream(defaultStream, names...) }

// Stream declares the stream called name with the named fields.
func (d *Declarer) Stream(name string, fields ...string) *Declarer {
	return d.declare(stream{name: name, fields: append([]string{}, fields...)})
}

// DirectStream declares a stream whose emitter names the task that gets the tuple.
func (d *Declarer) DirectStream(name string, fields ...string) *Declarer {
	return d.declare(stream{name: name, fields: append([]string{}, fields...), direct: true})
}

// Streams returns what was declared so far, in order.
func (d *Declarer) Streams() []gearcore.Stream {
	out := make([]gearcore.Stream, 0, len(d.streams))
	for _, s := range d.streams {
		out = append(out, gearcore.Stream{Component: d.id, Name: s.name, Fields: slices.Clone(s.fields), Direct: s.direct})
	}
	return out
}

func (d *Declarer) declare(s stream) *Declarer {
	d.streams = append(d.streams, s)
	return d
}

// Grouping subscribes this bolt to a stream of a component. The methods below are short forms for default streams.
func (d *Declarer) Grouping(component, stream string, g Grouping) *Declarer {
	d.inputs = append(d.inputs, input{component, stream, g})
	return d
}

// ShuffleGrouping subscribes to component's default stream by Shuffle.
func (d *Declarer) ShuffleGrouping(component string) *Declarer {
	return d.Grouping(component, defaultStream, Shuffle())
}

// LocalOrShuffleGrouping subscribes to component's default stream by LocalOrShuffle.
func (d *Declarer) LocalOrShuffleGrouping(component string) *Declarer {
	return d.Grouping(component, defaultStream, LocalOrShuffle())
}

// FieldsGrouping subscribes to component's default stream by Fields.
func (d *Declarer) FieldsGrouping(component string, fields ...string) *Declarer {
	return d.Grouping(component, defaultStream, Fields(fields...))
}

// PartialKeyGrouping subscribes to component's default stream by PartialKey.
func (d *Declarer) PartialKeyGrouping(component string, fields ...string) *Declarer {
	return d.Grouping(component, defaultStream, PartialKey(fields...))
}

// CustomGrouping subscribes to component's default stream by Custom.
func (d *Declarer) CustomGrouping(component string, factory func() CustomGrouping) *Declarer {
	return d.Grouping(component, defaultStream, Custom(factory))
}

// AllGrouping subscribes to component's default stream by All.
func (d *Declarer) AllGrouping(component string) *Declarer {
	return d.Grouping(component, defaultStream, All())
}

// GlobalGrouping subscribes to component's default stream by Global.
func (d *Declarer) GlobalGrouping(component string) *Declarer {
	return d.Grouping(component, defaultStream, Global())
}

// NoneGrouping subscribes to component's default stream by None.
func (d *Declarer) NoneGrouping(component string) *Declarer {
	return d.Grouping(component, defaultStream, None())
}

// DirectGrouping subscribes to component's default stream by Direct.
func (d *Declarer) DirectGrouping(component string) *Declarer {
	return d.Grouping(component, defaultStream, Direct())
}

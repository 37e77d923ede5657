package compat

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Keys of a timed topology.
const (
	EventTimeKey          = "gearstorm.event.time"
	CheckpointIntervalKey = "gearstorm.checkpoint.interval.ms"
	CheckpointStoreKey    = "gearstorm.checkpoint.store"
	CheckpointFromKey     = "gearstorm.checkpoint.from"
	checkpointTimeoutKey  = "gearstorm.checkpoint.timeout.ms"
	checkpointAlignKey    = "gearstorm.checkpoint.align.limit.ms"
	checkpointKeepKey     = "gearstorm.checkpoint.keep"
	checkpointRetainKey   = "gearstorm.checkpoint.retain"

	// UndividedKey, true in the configuration of a component, says that what it has in checkpoints belongs to each of its tasks.
	UndividedKey = "gearstorm.state.undivided"
)

// Timing is what a topology's conf says about time and checkpoints.
type Timing struct {
	// Timed topologies have a clock: their edges carry watermarks, and markers if there are checkpoints.
	Timed bool
	// Interval is from the beginning of a checkpoint to that of the next; 0: none are made.
	Interval time.Duration
	// Store is the URL of where they are kept; "": a directory of the node's.
	Store string
	// Timeout is how long one may take, AlignLimit how long a task may wait for the last of its markers.
	Timeout, AlignLimit time.Duration
	// Keep is how many are kept, those with a name aside.
	Keep int
	// Retain has them stay when the topology is killed; else only those with a name do.
	Retain bool
	// From is what the topology starts with: the name of a savepoint, or id/epoch of a checkpoint of another topology; "": nothing.
	From string
}

// Checkpoints reports whether any are made.
func (t *Timing) Checkpoints() bool { return t.Interval > 0 }

// Defaults and bounds of the keys of checkpoints, in milliseconds but for keep.
const (
	leastInterval  = 100
	mostMillis     = 7 * 24 * 3600 * 1000
	usualTimeout   = 120_000
	usualAlign     = 30_000
	usualKeep      = 3
	mostKeep       = 1000
	mostStoreBytes = 1024
)

// TimingOf reads c, the whole conf of a topology. Errors are [*InvalidTopology] and name the key.
func TimingOf(c conf.Conf) (t Timing, err error) {
	if t.Timed, err = c.BoolOr(EventTimeKey, false); err != nil {
		return t, invalid("%v", err)
	}
	interval, err := c.IntOr(CheckpointIntervalKey, 0)
	if err != nil {
		return t, invalid("%v", err)
	}
	if interval != 0 && (interval < leastInterval || interval > mostMillis) {
		return t, invalid("%s is %d, want 0 (no checkpoints) or %d to %d", CheckpointIntervalKey, interval, leastInterval, mostMillis)
	}
	t.Interval = time.Duration(interval) * time.Millisecond
	t.Timed = t.Timed || interval > 0
	var timeout, align, keep int64
	for _, k := range []struct {
		key              string
		into             *int64
		usual, low, high int64
	}{
		{checkpointTimeoutKey, &timeout, usualTimeout, leastInterval, mostMillis},
		{checkpointAlignKey, &align, usualAlign, leastInterval, mostMillis},
		{checkpointKeepKey, &keep, usualKeep, 1, mostKeep},
	} {
		if *k.into, err = c.IntOr(k.key, k.usual); err != nil {
			return t, invalid("%v", err)
		}
		if *k.into < k.low || *k.into > k.high {
			return t, invalid("%s is %d, want %d to %d", k.key, *k.into, k.low, k.high)
		}
	}
	t.Timeout, t.AlignLimit, t.Keep = time.Duration(timeout)*time.Millisecond, time.Duration(align)*time.Millisecond, int(keep)
	if t.Retain, err = c.BoolOr(checkpointRetainKey, false); err != nil {
		return t, invalid("%v", err)
	}
	if t.Store, err = c.StringOr(CheckpointStoreKey, ""); err != nil {
		return t, invalid("%v", err)
	}
	if err := checkStore(t.Store); err != nil {
		return t, err
	}
	if t.From, err = c.StringOr(CheckpointFromKey, ""); err != nil {
		return t, invalid("%v", err)
	}
	if t.From == "" {
		return t, nil
	}
	if err := checkpoint.CheckStart(t.From); err != nil {
		return t, invalid("%s: %v", CheckpointFromKey, err)
	}
	if !t.Checkpoints() {
		return t, invalid("%s is %s, but the topology makes no checkpoints: set %s", CheckpointFromKey, t.From, CheckpointIntervalKey)
	}
	return t, nil
}

// storeForms are the schemes of checkpoint stores. What else is wrong with one is seen where it is opened.
var storeForms = []string{"file", "s3", "webhdfs", "swebhdfs"}

// checkStore holds the store of checkpoints to what a URL of one is. Errors do not show it: it may have a password where none belongs.
func checkStore(store string) error {
	if store == "" {
		return nil
	}
	const want = "want one as file:///path, s3://bucket/prefix or webhdfs://host:port/path"
	u, err := url.Parse(store)
	if len(store) > mostStoreBytes || err != nil || u.Scheme == "" {
		return invalid("%s is no URL; %s", CheckpointStoreKey, want)
	}
	switch _, password := u.User.Password(); {
	case !slices.Contains(storeForms, u.Scheme):
		return invalid("%s begins with %s://, which is no store for checkpoints; %s", CheckpointStoreKey, u.Scheme, want)
	case password:
		return invalid("%s has a password, which is no place for one: secrets of the store are credentials of the topology", CheckpointStoreKey)
	case u.Scheme == "file" && (u.Host != "" || u.Path == "") || u.Scheme != "file" && u.Host == "":
		return invalid("%s is no whole URL; %s", CheckpointStoreKey, want)
	}
	return nil
}

// timed makes a graph with a clock of g if its conf says so. Sources that cannot say where they are, and go back there, are refused
// where there are to be checkpoints; of those written in Go the worker knows.
func timed(g *dag.Graph, t Timing) error {
	g.Timed = t.Timed
	if !t.Timed {
		return nil
	}
	for _, p := range g.Processors {
		p.Executors = p.Tasks
		if t.Checkpoints() && p.Name == stormCheckpoints && p.Impl.Kind == dag.ImplJava {
			if err := statesInMemory(g.Conf); err != nil {
				return err
			}
			p.Impl = dag.Impl{Kind: dag.ImplNative, Name: CheckpointSpoutClass}
			continue
		}
		if t.Checkpoints() && p.Kind == dag.Spout && p.Impl.Kind != dag.ImplGo {
			return invalid("Component: [%s] is a spout %s, which has no position to go back to after a failure, so there can be no checkpoints: "+
				"write it in Go with Freeze and Restore (bolts may stay as they are), or set %s to 0", p.Name, writtenIn(p.Impl), CheckpointIntervalKey)
		}
	}
	return nil
}

// stormCheckpoints is the spout that Storm's client adds to topologies with stateful bolts. Where the engine makes checkpoints it has
// nothing to do: it keeps its task, so that tasks are numbered as by Storm, and emits nothing.
const stormCheckpoints = "$checkpointspout"

const (
	stateProviderKey = "topology.state.provider"
	memoryProvider   = "org.apache.storm.state.InMemoryKeyValueStateProvider"
)

// statesInMemory refuses states of Java bolts that would be elsewhere: what is there does not go back with the topology.
func statesInMemory(c conf.Conf) error {
	provider, err := c.StringOr(stateProviderKey, memoryProvider)
	if err != nil {
		return invalid("%v", err)
	}
	if provider != memoryProvider {
		return invalid("%s is %s, but with %s the checkpoints keep the states of bolts, and a state elsewhere does not go back with them: "+
			"remove the one or set the other to 0", stateProviderKey, provider, CheckpointIntervalKey)
	}
	return nil
}

// windowsWithState are Storm's executors of windowed bolts with a state.
var windowsWithState = []string{"org.apache.storm.topology.PersistentWindowedBoltExecutor", "org.apache.storm.topology.StatefulWindowedBoltExecutor"}

// noStateOfWindows refuses such bolts, the tuples of whose windows would be in no checkpoint. The names of classes stand as they are in
// what Java has serialized.
func noStateOfWindows(list []component) error {
	for _, c := range list {
		if c.object == nil {
			continue
		}
		for _, class := range windowsWithState {
			if bytes.Contains(c.object.SerializedJava, []byte(class)) {
				return invalid("Component: [%s] is a windowed bolt with a state of Storm's (%s), whose tuples would be in no checkpoint: "+
					"set %s to 0, or write it in Go (storm.StatefulWindowed), where windows are in checkpoints", c.id, class, CheckpointIntervalKey)
			}
		}
	}
	return nil
}

func writtenIn(i dag.Impl) string {
	switch i.Kind {
	case dag.ImplShell:
		return "in another process (" + strings.Join(i.Command, " ") + ")"
	case dag.ImplJava:
		return "in Java (" + i.Name + ")"
	}
	return "of class " + i.Name
}

// CheckPosition refuses a source in Go that cannot go back to a position, in a topology with checkpoints.
func CheckPosition(component string, source any) error {
	if _, ok := source.(gearcore.Checkpointed); !ok {
		return invalid("Component: [%s]: its spout has no Freeze and Restore (gearcore.Checkpointed), so it has no position to go back to after a failure; set %s to 0 to run it without checkpoints",
			component, CheckpointIntervalKey)
	}
	return nil
}

// CheckPositions does that for all spouts in Go of a topology with that conf. source makes one by its registered name.
func CheckPositions(topo *stormrpc.StormTopology, c conf.Conf, source func(name string) (gearcore.Source, error)) error {
	timing, err := TimingOf(c)
	if err != nil || !timing.Checkpoints() {
		return err
	}
	g, err := Compile(topo, c)
	if err != nil {
		return err
	}
	for _, p := range g.Processors {
		if p.Kind != dag.Spout || p.Impl.Kind != dag.ImplGo {
			continue
		}
		s, err := source(p.Impl.Name)
		if err != nil {
			return err
		}
		if err := CheckPosition(p.Name, s); err != nil {
			return err
		}
	}
	return nil
}

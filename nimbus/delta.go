package nimbus

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// version is what two versions of a topology are compared by.
type version struct {
	conf  conf.Conf
	code  *stormrpc.StormTopology
	graph *dag.Graph // with the executors that it has
	ship  shipment
}

// delta is what becomes of one version by another, and how.
type delta struct {
	old, next *dag.Graph
	diff      dag.Diff
	replace   map[string]string // components that are replaced though their graphs do not show it, with the reason
	files     bool              // what goes along is another, and no component is replaced for that
	how       dag.Restarts
}

// deltaOf compares two versions. asked are the components that a user wants replaced.
func deltaOf(was, will version, asked map[string]string) (*delta, error) {
	d := &delta{old: was.graph, next: will.graph, replace: rewritten(was.graph, will.graph, was.ship, will.ship)}
	around := dag.Around{Idle: idle}
	var some bool
	some, around.Program = will.ship.other(was.ship)
	classes := inOtherClasses(was, will, around.Program)
	jar := slices.Contains(slices.Collect(maps.Values(classes)), otherJar)
	d.files = some && !jar && (around.Program || len(d.replace) == 0)
	maps.Copy(d.replace, classes)
	maps.Copy(d.replace, argued(was, will))
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if was.graph.Processor(name) == nil || will.graph.Processor(name) == nil {
			return nil, invalid("component %s cannot be replaced: it is not in both versions of topology %s", name, was.graph.Name)
		}
		d.replace[name] = asked[name]
	}
	d.diff = dag.DiffOf(was.graph, will.graph, d.replace)
	around.Files = d.files
	had, err := compat.TimingOf(was.conf)
	if err != nil {
		return nil, asInvalid(err)
	}
	has, err := compat.TimingOf(will.conf)
	if err != nil {
		return nil, asInvalid(err)
	}
	around.Checkpoints = had.Checkpoints() && has.Checkpoints()
	d.how = d.diff.Restarts(was.graph, will.graph, around)
	if s, _ := will.conf.StringOr("gearstorm.sandbox", ""); s == "strict" && (d.files || !d.diff.Empty()) {
		d.how.Graph = "a worker in a strict sandbox can read no code that came after its start"
	}
	return d, nil
}

// componentVersionKey is what a user changes in a component's configuration to have it replaced.
const componentVersionKey = "gearstorm.component.version"

// argued are the components in Go that are replaced because their program has other arguments, which any of them may use; but for those of
// which the user says which version they are.
func argued(was, will version) map[string]string {
	out := map[string]string{}
	if reflect.DeepEqual(was.conf[conf.ProgramArgs], will.conf[conf.ProgramArgs]) {
		return out
	}
	for _, p := range will.graph.Processors {
		q := was.graph.Processor(p.Name)
		if q != nil && p.Impl.Kind == dag.ImplGo && q.Impl.Kind == dag.ImplGo && p.Conf[componentVersionKey] == nil {
			out[p.Name] = "the program has other arguments"
		}
	}
	return out
}

// devSourceKey is where the scripts of a topology lie on the machine from which it was submitted; who watches them reads it.
const devSourceKey = "gearstorm.dev.source"

// keepHash returns c so that keys stay where they are when the last component in Java goes, for which they are hashed as Java does.
func keepHash(base *topology, code *stormrpc.StormTopology, c conf.Conf) conf.Conf {
	was, err := compat.Compile(base.code, base.conf)
	if err != nil || was.Hash != gearcore.HashJava {
		return c
	}
	if will, err := compat.Compile(code, c); err != nil || will.Hash == was.Hash {
		return c
	}
	return conf.Merge(c, conf.Conf{compat.HashModeKey: "java"})
}

// keepAckers returns c with as many ackers as base has, where the submission does not say how many: by default they are as many as workers, or follow the
// memory under the resource-aware scheduler, and another number of them takes a restart of the workers. Whether there are any stays as c says.
func keepAckers(base *topology, submitted, c conf.Conf) conf.Conf {
	was, will := ackersOf(base.conf), ackersOf(c)
	if submitted.Has(ackersKey) || submitted.Has(ackersPerWorkerKey) || was < 1 || will < 1 || was == will && !base.conf.Has(ackersKey) {
		return c
	}
	return conf.Merge(c, conf.Conf{ackersKey: was})
}

// ackersOf is how many ackers a whole configuration means. What is no number is refused elsewhere.
func ackersOf(c conf.Conf) int64 {
	workers, _ := c.IntOr("topology.workers", 1)
	n, _ := c.IntOr(ackersKey, workers)
	return n
}

// idle says of a key of a topology's configuration that workers which run need not start again for its change: only Nimbus reads it, or, for the
// hash mode, another mode is refused, so that only where it is written down can change; of arguments components hear that are made anew (argued), and another
// number of ackers has a reason of its own (dag.Restarts.Ackers).
func idle(key string) bool {
	return slices.Contains([]string{"topology.workers", "topology.priority", "topology.scheduler.strategy", "topology.version", patienceKey, versionsKeptKey, devSourceKey,
		compat.HashModeKey, conf.ProgramArgs, ackersKey, ackersPerWorkerKey}, key)
}

func (d *delta) restarts() bool { return d.how.Any() }

// rows tells what differs.
func (d *delta) rows() []*stormrpc.ChangeRow {
	rows := rowsOf(&d.diff, d.next, &d.how)
	if d.how.Ackers != "" {
		rows = append(rows, &stormrpc.ChangeRow{Kind: "rescale", Component: gearcore.AckerComponent, Text: "another number of tasks", Restarts: &d.how.Ackers})
	}
	if d.files || d.how.Files != "" {
		rows = append(rows, &stormrpc.ChangeRow{Kind: "code", Text: "the program, scripts or jar that go along are others", Restarts: text(cmp.Or(d.how.Files, d.how.Graph))})
	}
	return rows
}

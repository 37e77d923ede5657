package nimbus

import (
	"maps"
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
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if was.graph.Processor(name) == nil || will.graph.Processor(name) == nil {
			return nil, invalid("component %s cannot be replaced: it is not in both versions of topology %s", name, was.graph.Name)
		}
		d.replace[name] = asked[name]
	}
	d.diff = dag.DiffOf(was.graph, will.graph, d.replace)
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
	if s, _ := will.conf.StringOr("gearstorm.sandbox", ""); s == "strict" && !d.diff.Empty() {
		d.how.Graph = "a worker in a strict sandbox can read no code that came after its start"
	}
	return d, nil
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

// idle says of a key of a topology's configuration that workers which run need not hear of its change: only Nimbus reads it, or, for the
// hash mode, another mode is refused, so that only where it is written down can change.
func idle(key string) bool {
	return slices.Contains([]string{"topology.workers", "topology.priority", "topology.scheduler.strategy", "topology.version", patienceKey, versionsKeptKey, devSourceKey,
		compat.HashModeKey}, key)
}

func (d *delta) restarts() bool { return d.how.Any() }

// rows tells what differs.
func (d *delta) rows() []*stormrpc.ChangeRow {
	rows := rowsOf(&d.diff, d.next, &d.how)
	if d.how.Ackers != "" {
		rows = append(rows, &stormrpc.ChangeRow{Kind: "rescale", Component: gearcore.AckerComponent, Text: "another number of tasks", Restarts: &d.how.Ackers})
	}
	if d.files || d.how.Files != "" {
		rows = append(rows, &stormrpc.ChangeRow{Kind: "code", Text: "the program, scripts or jar that go along are others", Restarts: text(d.how.Files)})
	}
	return rows
}

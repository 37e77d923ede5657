package nimbus

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// proposal is a new version of a running topology, worked out and not stored.
type proposal struct {
	base    *topology
	next    *topology
	rows    []*stormrpc.ChangeRow
	refused []string
	renewed []string  // components that are new or have other code, inputs or counts
	inPlace bool      // workers that run take it over
	own     conf.Conf // what was submitted, without the cluster's part
}

// answer is what a client is told of it. What changes nothing is no new version.
func (p *proposal) answer() *stormrpc.TopologyChange {
	c := &stormrpc.TopologyChange{BaseVersion: p.base.GraphVersion, Version: p.next.GraphVersion, Rows: p.rows, Refused: p.refused,
		Restarts: ref(!p.inPlace)}
	if len(p.rows) == 0 {
		c.Version = c.BaseVersion
	}
	return c
}

// propose checks what a client wants in the place of base as a submission of it would be checked, and works out the new version.
// With an upload the answer also depends on what is in it.
func (n *Nimbus) propose(ctx context.Context, base *topology, s submission, o *stormrpc.ChangeOptions) (*proposal, error) {
	if base.broken != nil {
		return nil, base.brokenError()
	}
	var err error
	if s.conf, err = parseConf(s.jsonConf); err != nil {
		return nil, err
	}
	if s.code == nil {
		return nil, invalid("topology %s is null", s.name)
	}
	if err := n.checkAgainstCluster(ctx, s); err != nil {
		return nil, err
	}
	code, whole, err := n.normalize(s, base.ID, base.Principal)
	if err != nil {
		return nil, err
	}
	if !s.conf.Has(compat.HashModeKey) {
		whole = keepHash(base, code, whole)
	}
	whole = keepAckers(base, s.conf, whole)
	ship := shipment{o.GetJarSha256(), o.GetJarContents()}
	if s.location != "" {
		if _, err := compat.Compile(code, whole); err != nil {
			return nil, asInvalid(err)
		}
		if code, err = n.checkJars(ctx, s.location, code); err != nil {
			return nil, err
		}
		if ship, err = n.upload(s.location); err != nil {
			return nil, err
		}
	}
	p, err := n.succeed(base, whole, code, ship, o)
	if err == nil {
		p.own = s.conf
	}
	return p, err
}

// succeed works out the version after base that has this configuration and code, and brings these files along.
func (n *Nimbus) succeed(base *topology, c conf.Conf, code *stormrpc.StormTopology, ship shipment, o *stormrpc.ChangeOptions) (*proposal, error) {
	old, err := base.expanded()
	if err != nil {
		return nil, err
	}
	graph, err := compat.Compile(code, c)
	if err != nil {
		return nil, asInvalid(err)
	}
	rec := base.Topology
	rec.GraphVersion++
	rec.CodeVersion++
	rec.Code, rec.Trial = "", nil
	rec.StormVersion, rec.JDKVersion = code.GetStormVersion(), code.GetJdkVersion()
	rec.Executors = keptExecutors(base, old.declared, graph)
	graph.Version = rec.GraphVersion
	showExecutors(graph, rec.Executors)
	was := version{base.conf, base.code, old.Graph, n.shipped(base.CodeID())}
	d, err := deltaOf(was, version{conf: c, code: code, graph: graph, ship: ship}, o.GetReplace())
	if err != nil {
		return nil, err
	}
	plan, highest, err := old.Next(graph, base.highest(), rec.Executors, slices.Collect(maps.Keys(d.replace))...)
	if err != nil {
		return nil, asInvalid(err)
	}
	rec.Numbering, rec.Highest = runs(plan.Numbering), int32(highest)
	if rec.InPlaceFrom, rec.Streams, rec.Gone = 0, nil, nil; !d.restarts() {
		rec.InPlaceFrom, rec.Streams, rec.Gone = takenOverFrom(&base.Topology), storedStreams(plan), goneSince(&base.Topology, plan)
	}
	next, err := newTopology(rec, c, code)
	if err != nil {
		return nil, asInvalid(err)
	}
	if err := next.describe(); err != nil {
		return nil, err
	}
	if declared, err := base.conf.IntOr("topology.workers", 1); err == nil && int(declared) == next.Workers {
		next.Workers = base.Workers // perhaps of a rebalance
	}
	next.orders, next.versions = base.orders, base.versions
	if err := n.checkWhole(next); err != nil {
		return nil, err
	}
	return compare(base, next, d, o)
}

// compare says what becomes of base, and why it may not.
func compare(base, next *topology, d *delta, o *stormrpc.ChangeOptions) (*proposal, error) {
	was, err := compat.TimingOf(base.conf)
	if err != nil {
		return nil, asInvalid(err)
	}
	will, err := compat.TimingOf(next.conf)
	if err != nil {
		return nil, asInvalid(err)
	}
	p := &proposal{base: base, next: next, rows: d.rows(), renewed: renewed(&d.diff), inPlace: !d.restarts(), refused: refusals(base, o)}
	if base.Workers != next.Workers {
		p.rows = append(p.rows, &stormrpc.ChangeRow{Kind: "rescale", Text: fmt.Sprintf("%d -> %d workers", base.Workers, next.Workers), Restarts: text(d.how.Graph)})
	}
	if why := leftBehind(was, will); why != "" && !o.GetDropState() {
		p.refused = append(p.refused, why)
	}
	p.refused = append(p.refused, d.diff.Refuse(d.old, d.next, guardsOf(was, will, d.old, o.GetDropState()))...)
	if was.Checkpoints() && will.Checkpoints() && !o.GetDropState() { // going back by itself says so
		p.refused = append(p.refused, unreadable(d)...)
	}
	return p, nil
}

// unreadable names the stateful bolts of Storm's in Java that would be something else: what they keep are objects of Java.
func unreadable(d *delta) (why []string) {
	for _, r := range d.diff.Replaced {
		if ofStorm(d.old.Processor(r.Component)) && !ofStorm(d.next.Processor(r.Component)) {
			why = append(why, fmt.Sprintf("component %s has state that consists of objects of Java (IStatefulBolt), which no other kind of component can read: give it another id",
				r.Component))
		}
	}
	return why
}

// ofStorm says whether p is a stateful bolt of Storm's in Java.
func ofStorm(p *dag.Processor) bool {
	return p.Impl.Kind == dag.ImplJava && p.Impl.Name == compat.StatefulBoltClass
}

// leftBehind says why a version would not begin with what is in the checkpoints of the one before, "" if it does.
func leftBehind(was, will compat.Timing) string {
	const lost = "so what components keep, and where sources are, would be lost: give the key as at submit (-c), or say so with --drop-state"
	switch {
	case !was.Checkpoints():
		return ""
	case !will.Checkpoints():
		return fmt.Sprintf("the topology would have no checkpoints any more (%s), %s", compat.CheckpointIntervalKey, lost)
	case was.Store != will.Store:
		return fmt.Sprintf("the checkpoints are not where the topology would look for them (%s), %s", compat.CheckpointStoreKey, lost)
	}
	return ""
}

// refusals are those that lie in the topology itself.
func refusals(base *topology, o *stormrpc.ChangeOptions) []string {
	out := []string{}
	switch base.Status {
	case cluster.Killed:
		out = append(out, fmt.Sprintf("topology %s is being killed", base.Name))
	case cluster.Rebalancing:
		out = append(out, fmt.Sprintf("topology %s waits for its rebalance: change it when that is done", base.Name))
	}
	if o.IsSetBaseVersion() && o.GetBaseVersion() != base.GraphVersion {
		out = append(out, fmt.Sprintf("the plan was made against version %d, version %d runs: plan again", o.GetBaseVersion(), base.GraphVersion))
	}
	return out
}

// guardsOf says what a change has to keep. What is in checkpoints is the position of sources, and what is kept by key.
func guardsOf(was, will compat.Timing, old *dag.Graph, drop bool) dag.Guards {
	g := dag.Guards{Checkpoints: will.Checkpoints(), DropState: drop}
	if was.Checkpoints() {
		g.State = func(component string) bool {
			p := old.Processor(component)
			return p != nil && (p.Kind == dag.Spout || p.Kind == dag.Bolt && slices.ContainsFunc(p.Inputs, keyed) || undivided(p))
		}
		g.Undivided = func(component string) bool {
			p := old.Processor(component)
			return p != nil && undivided(p)
		}
	}
	return g
}

// undivided says that the state of a component belongs to its tasks: that of Storm's stateful and windowed bolts.
func undivided(p *dag.Processor) bool {
	return ofStorm(p) || p.Conf[compat.UndividedKey] == true
}

func keyed(in dag.Input) bool {
	return in.Grouping.Kind == dag.Fields || in.Grouping.Kind == dag.KeyGroups || in.Grouping.Kind == dag.PartialKey
}

// expanded is the plan of a topology that runs, and how many executors its code asks for.
type expanded struct {
	*dag.Plan
	declared map[string]int
}

func (t *topology) expanded() (expanded, error) {
	graph, err := compat.Compile(t.code, t.conf)
	if err != nil {
		return expanded{}, asInvalid(err)
	}
	graph.Version = t.GraphVersion
	e := expanded{declared: make(map[string]int)}
	for _, p := range graph.Processors {
		e.declared[p.Name] = p.Executors
	}
	showExecutors(graph, t.Executors)
	e.Plan, err = dag.ExpandAfter(graph, numbering(t.Numbering), former(&t.Topology), t.Executors)
	return e, err
}

// showExecutors puts the executors that there are in the place of those that the code asks for.
func showExecutors(g *dag.Graph, executors map[string]int) {
	for _, p := range g.Processors {
		if n, ok := executors[p.Name]; ok && !g.Timed {
			p.Executors = min(n, p.Tasks)
		}
	}
}

// keptExecutors are the executors of the next version: a rebalance holds for components whose code asks for as many as before.
func keptExecutors(base *topology, declared map[string]int, next *dag.Graph) map[string]int {
	out := make(map[string]int)
	for _, p := range next.Processors {
		if p.Executors == 0 {
			continue
		}
		out[p.Name] = p.Executors
		if now, ok := base.Executors[p.Name]; ok && declared[p.Name] == p.Executors {
			out[p.Name] = min(now, p.Tasks)
		}
	}
	return out
}

// highest is the highest task id that was ever given.
func (t *topology) highest() gearcore.TaskID {
	last := t.Highest
	for _, r := range t.Numbering {
		last = max(last, r.Last)
	}
	return gearcore.TaskID(last)
}

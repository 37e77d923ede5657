package nimbus

import (
	"fmt"
	"math"
	"slices"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// shapeOf is what the scheduler is told of t as long as its code and configuration stay the same: components and what they
// ask for. What changes from round to round is left out.
func (t *topology) shapeOf() (schedule.Topology, error) {
	s := schedule.Topology{ID: t.ID, Name: t.Name, Owner: t.Owner, Executors: t.executors, Of: make([]int, len(t.executors))}
	at := make(map[string]int)
	all := components(t.system)
	for i, c := range all {
		demand, err := t.demandOf(c)
		if err != nil {
			return s, err
		}
		at[c.id] = i
		s.Components = append(s.Components, schedule.Component{ID: c.id, Demand: demand, Acker: c.id == ackerComponent, Shared: sharedOf(t.code, c.id)})
	}
	for _, c := range all {
		for _, in := range c.common.Inputs {
			from, ok := at[in.Key.ComponentId]
			if ok && !isSystem(c.id) && !isSystem(in.Key.ComponentId) && !slices.Contains(s.Components[from].To, c.id) {
				s.Components[from].To = append(s.Components[from].To, c.id)
			}
		}
	}
	for i, e := range t.executors {
		s.Of[i] = at[t.component[e.First]]
	}
	if err := t.wishes(&s); err != nil {
		return s, err
	}
	return s, constrain(s.Components, t.conf)
}

// demandOf is what one executor of c asks for.
func (t *topology) demandOf(c component) (schedule.Demand, error) {
	var d schedule.Demand
	r, err := c.resources(t.conf)
	if err != nil {
		return d, err
	}
	for name, v := range r {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return d, fmt.Errorf("component %s asks for %v of resource %s: want a number from 0 up", c.id, v, name)
		}
	}
	d.CPU, d.OnHeap, d.OffHeap = r[cpuPercent], r[onHeap], r[offHeap]
	if g := generic(r); len(g) > 0 {
		d.Generic = g
	}
	return d, nil
}

// sharedOf lists the shared memory of a component in order of names.
func sharedOf(t *stormrpc.StormTopology, id string) (out []schedule.Shared) {
	for _, name := range slices.Compact(slices.Sorted(slices.Values(t.ComponentToSharedMemory[id]))) {
		if m := t.SharedMemory[name]; m != nil {
			out = append(out, schedule.Shared{Name: name, OnHeap: max(0, finite(m.GetOnHeap())),
				OffHeapWorker: max(0, finite(m.GetOffHeapWorker())), OffHeapNode: max(0, finite(m.GetOffHeapNode()))})
		}
	}
	return out
}

// wishes reads the keys by which a topology tells the scheduler what it wants.
func (t *topology) wishes(s *schedule.Topology) error {
	var err error
	text := func(key string, to *string) {
		if err == nil {
			*to, err = t.conf.StringOr(key, "")
		}
	}
	number := func(key string, def int64, to *int) {
		if err == nil {
			var v int64
			v, err = t.conf.IntOr(key, def)
			*to = int(v)
		}
	}
	flag := func(key string, to *bool) {
		if err == nil {
			*to, err = t.conf.BoolOr(key, false)
		}
	}
	list := func(key string, to *[]string) {
		if err == nil && t.conf.Has(key) {
			*to, err = t.conf.StringList(key)
		}
	}
	text("topology.scheduler.strategy", &s.Strategy)
	number("topology.priority", 29, &s.Priority)
	number("topology.ras.constraint.max.state.search", 10_000, &s.MaxStates)
	number("topology.ras.acker.executors.per.worker", 1, &s.AckersPerWorker)
	number("topology.isolate.machines", 0, &s.Machines)
	flag("topology.ras.one.executor.per.worker", &s.OneExecutor)
	flag("topology.ras.one.component.per.worker", &s.OneComponent)
	flag("topology.ras.order.executors.by.proximity.needs", &s.Proximity)
	list("topology.scheduler.favored.nodes", &s.Favored)
	list("topology.scheduler.unfavored.nodes", &s.Unfavored)
	if err == nil {
		s.MaxHeap, err = t.conf.FloatOr("topology.worker.max.heap.size.mb", 768)
	}
	return err
}

// constrain reads both forms of topology.ras.constraints, and topology.spread.components. Names of components that do not
// exist are passed over, as in Storm.
func constrain(all []schedule.Component, c conf.Conf) error {
	at := make(map[string]*schedule.Component)
	for i := range all {
		at[all[i].ID] = &all[i]
	}
	switch v := c["topology.ras.constraints"].(type) {
	case []any: // pairs, or lists of components of which none may be with another
		for _, e := range v {
			ids, err := conf.Conf{"topology.ras.constraints": e}.StringList("topology.ras.constraints")
			if err != nil {
				return err
			}
			for i, id := range ids {
				if comp := at[id]; comp != nil {
					comp.Apart = append(comp.Apart, ids[i+1:]...)
				}
			}
		}
	case map[string]any:
		for id, rules := range v {
			r, _ := rules.(map[string]any)
			if err := constrainOne(at[id], r); err != nil {
				return fmt.Errorf("topology.ras.constraints of %s: %w", id, err)
			}
		}
	}
	if !c.Has("topology.spread.components") {
		return nil
	}
	spread, err := c.StringList("topology.spread.components")
	for _, id := range spread {
		if comp := at[id]; comp != nil {
			comp.MaxPerNode = 1
		}
	}
	return err
}

func constrainOne(c *schedule.Component, rules conf.Conf) error {
	const most, apart = "maxNodeCoLocationCnt", "incompatibleComponents"
	if c == nil {
		return nil
	}
	n, err := rules.IntOr(most, 0)
	if err != nil {
		return err
	}
	c.MaxPerNode = int(n)
	if id, ok := rules[apart].(string); ok {
		c.Apart = append(c.Apart, id)
	} else if rules.Has(apart) {
		if c.Apart, err = rules.StringList(apart); err != nil {
			return err
		}
	}
	return nil
}

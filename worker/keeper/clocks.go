package keeper

import (
	"maps"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/clock"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// stuckKept bounds the tasks of a component that are named as stuck.
	stuckKept = 16
	// standing is how long the clock of a topology may stand until somebody is named for it.
	standing = 15 * time.Second
)

// clocks is what the reports say of event time; Keeper.mu guards it.
type clocks struct {
	order *clock.Order
	watch clock.Watch
	view  clock.View
	stall *clock.Stall
	stuck map[string][]int32 // by component
}

// see puts the clocks of all workers together.
func (c *clocks) see(now time.Duration, generation uint64, reports map[string]checkpoint.Report) {
	c.view = c.order.Merge(generation, slices.Collect(maps.Values(reports)))
	c.stall = c.watch.See(now, c.view)
	c.stuck = map[string][]int32{}
	for _, r := range reports {
		for _, k := range r.Clocks {
			for _, t := range k.Stuck {
				if list := c.stuck[k.Component]; len(list) < stuckKept {
					c.stuck[k.Component] = append(list, int32(t))
				}
			}
		}
	}
}

func (c *clocks) tell(t *stormrpc.TopologyTiming) {
	t.WatermarkMs, t.Clocks = int64(c.view.Min), []*stormrpc.ComponentClock{}
	for _, k := range c.view.Components {
		row := &stormrpc.ComponentClock{Component: k.Name, WatermarkMs: int64(k.Min), OutMs: int64(k.Out), Stuck: c.stuck[k.Name]}
		if len(k.Tasks) > 0 {
			row.Task = int32(k.Tasks[0])
		}
		slices.Sort(row.Stuck)
		t.Clocks = append(t.Clocks, row)
	}
	if c.stall != nil {
		text := c.stall.String()
		t.Stalled = &text
	}
}

package engine

import (
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// TestReserve asks for receivers ahead under every grouping, and sends tracked tuples to them.
func TestReserve(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  dag.GroupingKind
		tasks int
		ok    bool
		want  int // receivers of a tuple
	}{
		{"shuffle", dag.Shuffle, 3, true, 1},
		{"none", dag.None, 3, true, 1},
		{"local or shuffle", dag.LocalOrShuffle, 3, true, 1},
		{"global", dag.Global, 3, true, 1},
		{"all", dag.All, 3, true, 3},
		{"fields", dag.Fields, 3, false, 0},
		{"fields to one task", dag.Fields, 1, true, 1},
		{"partial key", dag.PartialKey, 3, false, 0},
		{"direct", dag.Direct, 3, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var lists [][]gearcore.TaskID
			var seen tracker
			src := emitOnce(t, 1, nil, func(col *gearcore.Collector) {
				for v := range int64(6) {
					ids, ok := col.Reserve(0, nil)
					if ok != c.ok || len(ids) != c.want {
						t.Errorf("reserve gave %v, %v; want %d tasks, %v", ids, ok, c.want, c.ok)
					}
					if ok {
						lists = append(lists, ids)
						if err := col.SendTo(gearcore.Emission{ID: gearcore.Long(v)}, ids, []gearcore.Value{gearcore.Long(v)}); err != nil {
							t.Error(err)
						}
					}
				}
				if _, ok := col.Reserve(7, nil); ok {
					t.Error("a stream that is not there could be reserved")
				}
			}, func(top *topology, p *dag.Processor) {
				p.Outputs[0].Direct = c.kind == dag.Direct
				in := from("src", c.kind)
				if c.kind == dag.Fields || c.kind == dag.PartialKey {
					in = from("src", c.kind, "a")
				}
				top.add("sink", dag.Bolt, c.tasks, c.tasks, executes(seen.sink), in)
			})
			if !c.ok {
				return
			}
			eventually(t, "all arrived and were acked", func() bool {
				return seen.total.Load() == int64(6*c.want) && src.acked.Load() == 6
			})
			if c.kind == dag.Shuffle && slices.Equal(lists[0], lists[1]) {
				t.Errorf("the shuffle stands still: %v", lists)
			}
		})
	}
}

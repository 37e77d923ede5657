package keeper

import (
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/clock"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A clock that stands is told of with the first task that holds it up, from the sources on, until it goes on.
func TestStallIsTold(t *testing.T) {
	c := clocks{order: clock.OrderOf(graph()), watch: clock.Watch{Limit: standing}}
	row := func(component string, at gearcore.Watermark, task gearcore.TaskID) checkpoint.Report {
		return checkpoint.Report{Generation: 1, Clocks: []checkpoint.Clock{{Component: component, Min: at, Out: at, Task: task, Stuck: []gearcore.TaskID{task}}}}
	}
	for _, step := range []struct {
		after    time.Duration
		src, sum gearcore.Watermark
		want     string
	}{
		{0, 100, 90, ""},
		{standing - 1, 200, 90, ""},
		{standing, 200, 90, "the clock has stood at 1970-01-01T00:00:00.090Z for 15s: the first at it is sum, task 3"},
		{standing + time.Second, 200, 200, ""},
		{2*standing + time.Second, 200, 200, "the clock has stood at 1970-01-01T00:00:00.200Z for 15s: the first at it is src, task 2"},
		{2*standing + 2*time.Second, gearcore.End, gearcore.End, ""},
	} {
		c.see(step.after, 1, map[string]checkpoint.Report{"a:1": row("src", step.src, 2), "b:1": row("sum", step.sum, 3)})
		told := &stormrpc.TopologyTiming{}
		c.tell(told)
		if told.GetStalled() != step.want || told.WatermarkMs != int64(min(step.src, step.sum)) {
			t.Errorf("after %v: %q at %d, want %q", step.after, told.GetStalled(), told.WatermarkMs, step.want)
		}
		if len(told.Clocks) != 2 || told.Clocks[0].Component != "src" || !slices.Equal(told.Clocks[1].Stuck, []int32{3}) {
			t.Errorf("after %v the clocks are %v", step.after, told.Clocks)
		}
	}
}

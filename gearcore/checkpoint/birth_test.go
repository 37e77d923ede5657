package checkpoint

import (
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// What a version of the graph waits for is said at each step on its way into force.
func TestUnborn(t *testing.T) {
	c, err := NewCoordinator(Config{Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	one, two := Task{ID: 1, Component: "a", Source: true}, Task{ID: 2, Component: "b"}
	r := Report{Worker: "w", Life: 1, Generation: 1, Tasks: []gearcore.TaskID{1}, Restored: true, Version: 1, Staged: 1}
	prepared := r
	prepared.Staged, prepared.Tasks = 2, []gearcore.TaskID{1, 2}
	lone := prepared
	lone.Tasks = r.Tasks
	heard := prepared
	heard.Birth = 1
	for i, s := range []struct {
		event Event
		want  string
	}{
		{Plan{Version: 1, Graph: 1, Tasks: []Task{one}}, ""},
		{Began{Generation: 1, First: 1, Limit: 100}, ""},
		{r, ""},
		{Plan{Version: 2, Graph: 2, Tasks: []Task{one, two}}, "version 2 of the graph waits for worker w, which has prepared version 1"},
		{lone, "version 2 of the graph waits for its 2 tasks: they are at 1 places"},
		{prepared, "version 2 of the graph waits for worker w to hear of checkpoint 1"},
		{heard, "version 2 of the graph waits for checkpoint 1"},
	} {
		c.Step(time.Second, s.event)
		if got := c.Unborn(time.Second); got != s.want {
			t.Errorf("after event %d: %q, want %q", i, got, s.want)
		}
	}
	if got, want := c.Unborn(time.Hour), "version 2 of the graph waits for worker w, silent for 59m59s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

package stream

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// TestSourceThatComesLater: a source that a new version of a running topology brings has no part in the checkpoint with which it comes into force. It
// begins with its first value.
func TestSourceThatComesLater(t *testing.T) {
	s := Slice([]string{"a", "b", "c"})().(*generated[string])
	if err := s.Restore(&gearcore.Recovery{Epoch: 7, Index: 1, Tasks: 2}); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := s.Next(&Out[string]{r: &run{}, push: func(v string, _ int64) { got = append(got, v) }})
	if want := []string{"b"}; err != ErrEnd || !slices.Equal(got, want) {
		t.Errorf("it emits %v, want %v; %v", got, want, err)
	}
}

// TestSlotsStay: the tasks of a source that have several slots each go on with their own after a rollback, since the times of others may be before
// their watermarks.
func TestSlotsStay(t *testing.T) {
	var parts []gearcore.TaskPart
	for i, slots := range [][]slot{{{Next: 40, Step: 4}, {Next: 42, Step: 4}}, {{Next: 1, Step: 4}, {Next: 3, Step: 4}}} {
		b, err := json.Marshal(slots)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, gearcore.TaskPart{Index: i, Part: gearcore.Part{Inline: b}})
	}
	for _, c := range []struct {
		index, tasks int
		want         []int64
	}{{0, 2, []int64{40, 42}}, {1, 2, []int64{1, 3}}, {0, 3, []int64{40, 3}}, {2, 3, []int64{1}}, {0, 1, []int64{40, 42, 1, 3}}} {
		s := Slice([]string(nil))().(*generated[string])
		if err := s.Restore(&gearcore.Recovery{Epoch: 7, Index: c.index, Tasks: c.tasks, Parts: parts}); err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, s := range s.slots {
			got = append(got, s.Next)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("task %d of %d goes on with %v, want %v", c.index, c.tasks, got, c.want)
		}
	}
}

package checkpoint

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Plan is which tasks there are.
type Plan struct {
	Version int64
	Tasks   []Task
}

// Task is one task of a Plan.
type Task struct {
	ID        gearcore.TaskID
	Component string
	Index     int  // among the component's
	Source    bool // it has no inputs
}

// ShapeOf is the same for plans with the same tasks, wherever they run, and another one for others. It is not 0.
func ShapeOf(tasks []Task) uint64 {
	tasks = slices.SortedFunc(slices.Values(tasks), func(a, b Task) int { return cmp.Compare(a.ID, b.ID) })
	var b []byte
	for _, t := range tasks {
		b = binary.AppendUvarint(b, uint64(t.ID))
		b = binary.AppendUvarint(b, uint64(t.Index))
		b = binary.AppendUvarint(b, uint64(len(t.Component)))
		b = append(b, t.Component...)
		if t.Source {
			b = append(b, 1)
		}
	}
	return max(xxhash.Sum64(b), 1)
}

package checkpoint_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

func TestTable(t *testing.T) {
	m := &checkpoint.Manifest{Epoch: 3, Watermark: 30, Components: []checkpoint.Component{
		{Name: "count", Parts: []gearcore.TaskPart{
			{Task: 3, Index: 0, Watermark: 30, Part: gearcore.Part{Note: "3 keys", Files: []gearcore.File{{Name: "a", Bytes: 10}, {Name: "b", Bytes: 5}}}},
			{Task: 4, Index: 1, Watermark: 31, Part: gearcore.Part{Inline: []byte("xyz")}},
		}},
		{Name: "filter", Parts: []gearcore.TaskPart{{Task: 2, Watermark: 35}}},
		{Name: "in", Source: true, Parts: []gearcore.TaskPart{{Task: 1, Watermark: 40, Part: gearcore.Part{Note: "offset 4"}}}},
	}}
	want := []checkpoint.Row{
		{Component: "in", Source: true, Watermark: 40, Note: "offset 4"},
		{Component: "count", Watermark: 30, Note: "3 keys", Bytes: 15},
		{Component: "count", Index: 1, Watermark: 31, Note: "3 bytes"},
	}
	if d := cmp.Diff(want, checkpoint.Table(m)); d != "" {
		t.Error(d)
	}
	if n := m.Bytes(); n != 18 {
		t.Errorf("it has %d bytes", n)
	}
}

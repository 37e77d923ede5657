package checkpoint

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Row is one line of the table of a checkpoint: what one task knew at it. That of a source says how far it was, that of any
// other what it had made of it.
type Row struct {
	Component string
	Index     int
	Source    bool
	Watermark gearcore.Watermark
	Note      string
	Bytes     int64 // of its files
}

// Table lists a checkpoint's tasks: sources first, each component's in the order of their indices, tasks without a state left out.
// The checkpoint's own line is Manifest.Epoch and Watermark.
func Table(m *Manifest) []Row {
	var rows []Row
	for _, c := range m.Components {
		for _, p := range c.Parts {
			if !c.Source && len(p.Inline) == 0 && len(p.Files) == 0 && p.Note == "" {
				continue
			}
			r := Row{Component: c.Name, Index: p.Index, Source: c.Source, Watermark: p.Watermark, Note: p.Note}
			for _, f := range p.Files {
				r.Bytes += f.Bytes
			}
			if r.Note == "" {
				r.Note = fmt.Sprintf("%d bytes", r.Bytes+int64(len(p.Inline)))
			}
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(order(b.Source), order(a.Source)) })
	return rows
}

func order(source bool) int {
	if source {
		return 1
	}
	return 0
}

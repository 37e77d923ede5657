package metrics

import "time"

// recentTurn is half of what a recent distribution covers: between one and two of it.
const recentTurn = 5 * time.Minute

// dist is a distribution since the start and of the last minutes. The zero dist is empty and small; what it holds is made
// when first needed.
type dist struct{ made *spans }

type spans struct {
	all    Histogram
	before [2]Histogram // all at the last two turns, the newer one first
}

func (d *dist) record(v time.Duration, n int) {
	if d.made == nil {
		d.made = &spans{}
	}
	d.made.all.Record(v, n)
}

// turn notes that so many turns have passed since the last call.
func (d *dist) turn(turns int64) {
	s := d.made
	if turns <= 0 || s == nil {
		return
	}
	s.before[1] = s.before[0]
	if s.before[0] = s.all.Clone(); turns > 1 {
		s.before[1] = s.before[0]
	}
}

// recent adds the distribution of the last five to ten minutes to h.
func (d *dist) recent(h *Histogram) {
	if d.made == nil {
		return
	}
	part := d.made.all.Clone()
	part.Sub(&d.made.before[1])
	h.Add(&part)
}

// copied returns a copy of what was recorded since the start.
func (d *dist) copied() dist {
	if d.made == nil {
		return dist{}
	}
	return dist{&spans{all: d.made.all.Clone()}}
}

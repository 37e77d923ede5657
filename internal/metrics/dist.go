package metrics

import "time"

// recentTurn is half of what a recent distribution covers: between one and two of it.
const recentTurn = 5 * time.Minute

// dist is a distribution since the start and of the last minutes.
type dist struct {
	all    Histogram
	before [2]Histogram // all at the last two turns, the newer one first
}

// turn notes that so many turns have passed since the last call.
func (d *dist) turn(turns int64) {
	if turns <= 0 || d.all.n == 0 {
		return
	}
	d.before[1] = d.before[0]
	if d.before[0] = d.all.Clone(); turns > 1 {
		d.before[1] = d.before[0]
	}
}

// recent returns the distribution of the last five to ten minutes.
func (d *dist) recent() Histogram {
	h := d.all.Clone()
	h.Sub(&d.before[1])
	return h
}

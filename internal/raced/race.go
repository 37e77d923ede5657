//go:build race

package raced

// Enabled says whether the race detector is built in, Fewer by what tests divide the number of their rounds.
const (
	Enabled = true
	Fewer   = 10
)

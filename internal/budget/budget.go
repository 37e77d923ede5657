// Package budget bounds what many requests hold together.
package budget

import "sync/atomic"

// Bytes is an amount of bytes that all who take from it share. It may be used by several goroutines.
type Bytes struct {
	Limit int64 // set before the first Take
	used  atomic.Int64
}

// Take reserves n bytes; it returns false, and reserves nothing, when they are not there.
func (b *Bytes) Take(n int) bool {
	if b.used.Add(int64(n)) > b.Limit {
		b.used.Add(-int64(n))
		return false
	}
	return true
}

// Give returns n bytes that were taken.
func (b *Bytes) Give(n int) { b.used.Add(-int64(n)) }

// Used returns how many bytes are taken.
func (b *Bytes) Used() int64 { return b.used.Load() }

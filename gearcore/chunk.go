package gearcore

import "unsafe"

// Chunks. A string of its own for every message costs 80 to 110 ns, most of it for the allocator and the collector. Bytes
// that are copied one behind the other into chunks cost about 20, and the strings are as good as any other: a chunk is
// never written twice, and lives as long as one of its strings.
const (
	minChunk = 512      // the first one of a collector: a task that rarely emits pins little
	maxChunk = 32 << 10 // they double up to this
	maxPiece = maxChunk / 8
)

// String returns a copy of b as a string, for values that are read into a buffer which is used again. It is cheaper than
// string(b), and the string may be kept; since it pins up to 32 KiB around it, what is kept for long (the key of a map, say)
// should be a strings.Clone of it.
func (c *Collector) String(b []byte) string {
	b = c.Bytes(b)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Bytes is String for values that stay byte slices. The copy has no spare capacity.
func (c *Collector) Bytes(b []byte) []byte {
	n := len(b)
	if n > len(c.chunk) {
		if n > maxPiece {
			return append(make([]byte, 0, n), b...)
		}
		c.chunkSize = max(min(2*c.chunkSize, maxChunk), minChunk)
		c.chunk = make([]byte, max(c.chunkSize, n))
	}
	piece := c.chunk[:n:n]
	c.chunk = c.chunk[n:]
	copy(piece, b)
	return piece
}

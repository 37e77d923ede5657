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

// Chunk copies bytes into shared memory that is never written again. The zero Chunk is ready. It is not safe for concurrent
// use.
type Chunk struct {
	free []byte
	size int // of the last chunk
}

// String returns a copy of b as a string. It pins up to 32 KiB around it.
func (k *Chunk) String(b []byte) string {
	b = k.Bytes(b)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Bytes returns a copy of b without spare capacity.
func (k *Chunk) Bytes(b []byte) []byte {
	n := len(b)
	if n > len(k.free) {
		if n > maxPiece {
			return append(make([]byte, 0, n), b...)
		}
		k.size = max(min(2*k.size, maxChunk), minChunk)
		k.free = make([]byte, max(k.size, n))
	}
	piece := k.free[:n:n]
	k.free = k.free[n:]
	copy(piece, b)
	return piece
}

// String returns a copy of b as a string, for values that are read into a buffer which is used again. It is cheaper than
// string(b), and the string may be kept; since it pins up to 32 KiB around it, what is kept for long (the key of a map, say)
// should be a strings.Clone of it.
func (c *Collector) String(b []byte) string { return c.texts().String(b) }

// Bytes is String for values that stay byte slices. The copy has no spare capacity.
func (c *Collector) Bytes(b []byte) []byte { return c.texts().Bytes(b) }

func (c *Collector) texts() *Chunk {
	if c.chunk == nil {
		c.chunk = &Chunk{}
	}
	return c.chunk
}

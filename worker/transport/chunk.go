package transport

// chunkBytes is how much small frames share one allocation; a frame above a quarter of it gets its own. It bounds what a
// kept short text pins.
const chunkBytes = 32 << 10

// chunk copies frames out of the read buffer into memory that is never overwritten, so that texts in it may be kept.
type chunk struct{ free []byte }

func (c *chunk) bytes(b []byte) []byte {
	n := len(b)
	if n > len(c.free) {
		if n > chunkBytes/4 {
			out := make([]byte, n)
			copy(out, b)
			return out
		}
		c.free = make([]byte, chunkBytes)
	}
	out := c.free[:n:n]
	c.free = c.free[n:]
	copy(out, b)
	return out
}

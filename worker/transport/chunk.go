package transport

import "unsafe"

// chunkBytes is how much text shares one allocation; a text above a quarter of it gets its own. It bounds what a kept
// short string pins.
const chunkBytes = 32 << 10

// chunk copies texts out of the read buffer into shared, never overwritten memory, so that they may be kept.
type chunk struct{ free []byte }

func (c *chunk) bytes(b []byte) []byte {
	n := len(b)
	if n > len(c.free) {
		if n > chunkBytes/4 {
			return append(make([]byte, 0, n), b...)
		}
		c.free = make([]byte, chunkBytes)
	}
	out := c.free[:n:n]
	c.free = c.free[n:]
	copy(out, b)
	return out
}

func (c *chunk) str(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	out := c.bytes(b)
	return unsafe.String(unsafe.SliceData(out), len(out))
}

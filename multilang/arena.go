package multilang

import "unsafe"

const (
	arenaChunk = 32 << 10
	arenaLarge = 4 << 10
)

// arena makes strings out of bytes that will be overwritten. Small ones are bumped from chunks of 32 KiB, which saves an
// allocation a string; a chunk lives as long as one of its strings, so large ones get memory of their own.
type arena struct{ chunk []byte }

func (a *arena) str(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > arenaLarge {
		return string(b)
	}
	if cap(a.chunk)-len(a.chunk) < len(b) {
		a.chunk = make([]byte, 0, arenaChunk)
	}
	at := len(a.chunk)
	a.chunk = append(a.chunk, b...)
	return unsafe.String(&a.chunk[at], len(b))
}

// bytesOf returns the bytes of s, which may not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// view returns b as a string without copying: it is valid only while b is not changed.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

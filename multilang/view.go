package multilang

import "unsafe"

// bytesOf returns the bytes of s, which may not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// view returns b as a string without copying: it is valid only while b is not changed.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

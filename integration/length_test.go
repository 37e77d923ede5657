//go:build !long

package integration

// allChanges says whether topologies in Java are changed in all ways (make changes), or in some of them, and javaRecords how long that
// may take: each of two sources has so many, 400 a second.
const (
	allChanges  = false
	javaRecords = 6_000
)

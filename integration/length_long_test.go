//go:build long

package integration

const (
	allChanges  = true
	javaRecords = 20_000
)

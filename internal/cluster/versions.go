package cluster

import (
	"context"
	"time"
)

// Versions are what a topology was, oldest first; the last one runs. A topology that never changed has no such record.
type Versions struct {
	Entries []Version `json:"entries"`
}

// Version is one version of a topology's graph.
type Version struct {
	Version int64     `json:"version"`
	Time    time.Time `json:"time"`
	// Base is the version it was made from: the one that ran, or the one that was gone back to; 0 at submit.
	Base int64 `json:"base,omitempty"`
	// Code is its code id (Topology.CodeID).
	Code string `json:"code"`
	// Kept says that its blobs are there.
	Kept bool `json:"kept,omitempty"`
	// Jars are the dependency jars that it names.
	Jars []string    `json:"jars,omitempty"`
	Rows []ChangeRow `json:"rows,omitempty"`
	User string      `json:"user,omitempty"`
	// InPlace says that workers that ran took it over.
	InPlace bool `json:"in_place,omitempty"`
	// NeverRan says that the next version came while this one was starting, and none with its code had been at work before.
	NeverRan bool `json:"never_ran,omitempty"`
	// Note says why it was made where nobody asked for it.
	Note string `json:"note,omitempty"`
}

// ChangeRow is one line of what a version changed.
type ChangeRow struct {
	Kind      string `json:"kind"`
	Component string `json:"component,omitempty"`
	Text      string `json:"text"`
	// Restarts is why workers started again for it.
	Restarts string `json:"restarts,omitempty"`
}

// PutVersions builds the operation that replaces the versions of a topology.
func PutVersions(topology string, v Versions) Op {
	return encoded(versionsPrefix+segment(topology), AnyVersion, v)
}

// ReadVersions returns the versions of a topology; none stored is none.
func ReadVersions(ctx context.Context, s Store, topology string) (Versions, error) {
	return readOrZero[Versions](ctx, s, versionsPrefix+segment(topology))
}

package cluster

import (
	"context"
	"time"
)

// Assignment says where the executors of a topology run.
type Assignment struct {
	Topology string `json:"topology"`
	// ID is "<epoch>-<n>". Every change of executors to slots gets a new one, and a worker of an older one is refused
	// by its peers.
	ID string `json:"id"`
	// Hosts gives the host name of every node in Executors.
	Hosts     map[string]string `json:"hosts"`
	Executors []Placement       `json:"executors"` // in order of First
	// Workers says what each worker got, in order of nodes and ports; SharedOffHeap is the memory in MB that the workers on a
	// node share beside that. Both may be missing from a record.
	Workers       []Worker           `json:"workers,omitempty"`
	SharedOffHeap map[string]float64 `json:"shared_off_heap,omitempty"`
}

// Worker is what the worker on a node's port got: CPU in points, 100 a core, memory in MB, other resources by name.
type Worker struct {
	Node          string             `json:"node"`
	Port          int32              `json:"port"`
	CPU           float64            `json:"cpu"`
	OnHeap        float64            `json:"on_heap"`
	OffHeap       float64            `json:"off_heap"`
	SharedOnHeap  float64            `json:"shared_on_heap,omitempty"`
	SharedOffHeap float64            `json:"shared_off_heap,omitempty"`
	Generic       map[string]float64 `json:"generic,omitempty"`
}

// Placement says that an executor, the tasks First to Last, runs in the worker on a node's port.
type Placement struct {
	First   int32     `json:"first"`
	Last    int32     `json:"last"`
	Node    string    `json:"node"`
	Port    int32     `json:"port"`
	Started time.Time `json:"started"`
}

// PutAssignment builds the operation that writes an assignment.
func PutAssignment(a Assignment) Op {
	return encoded(assignmentsPrefix+segment(a.Topology), AnyVersion, a)
}

// ListAssignments returns all assignments in order of topology ids.
func ListAssignments(ctx context.Context, s Store) ([]Assignment, error) {
	return list[Assignment](ctx, s, assignmentsPrefix)
}

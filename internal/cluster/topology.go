package cluster

import (
	"context"
	"time"
)

// Status is the state of a topology. The texts are Storm's and are what clients see.
type Status string

// The states of a topology.
const (
	Active      Status = "ACTIVE"
	Inactive    Status = "INACTIVE"
	Rebalancing Status = "REBALANCING"
	Killed      Status = "KILLED"
)

// Topology is the record that makes a topology exist (Storm's StormBase and a little more). Its creation is the commit
// point of a submission: blobs without such a record are rests of a submission that failed.
type Topology struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Previous is the status to go back to when a rebalance is done.
	Previous Status `json:"previous,omitempty"`
	// Pending is what the status waits for; nil unless Status is Killed or Rebalancing.
	Pending *Pending `json:"pending,omitempty"`
	// Workers is the number of workers wanted.
	Workers int `json:"workers"`
	// Executors is the number of executors of each component, system components included.
	Executors map[string]int `json:"executors"`
	// Numbering gives every task id its component. Later versions of the graph keep the ids of tasks that stay and give those
	// that come ids above Highest, so that no id means two things.
	Numbering []TaskRun `json:"numbering"`
	// Highest is the highest task id that was ever given; 0: the highest of Numbering.
	Highest int32 `json:"highest,omitempty"`
	// Streams are those of this version and of the ones before that its workers may have begun with, in the order of their
	// numbers; none: all are numbered anew.
	Streams []Stream `json:"streams,omitempty"`
	// Gone are tasks of the versions before, those that went first first: what they sent, or was sent to them, may be under way.
	Gone []TaskRun `json:"gone,omitempty"`
	// InPlaceFrom is the oldest version whose workers take this one over while they run; 0: workers of earlier ones start again.
	InPlaceFrom int64 `json:"in_place_from,omitempty"`
	// Code is what stands in the keys of its blobs in the place of ID, "" for ID itself: each version of the graph has blobs of
	// its own, and one that was gone back to has those of the version it is like.
	Code string `json:"code,omitempty"`
	// Trial is set while the version that runs may go back by itself.
	Trial *Trial `json:"trial,omitempty"`
	// GraphVersion is the version of the graph that runs, from 1.
	GraphVersion int64 `json:"graph_version"`
	// CodeVersion grows with every change of the stored topology or its configuration: workers of an older one end.
	CodeVersion int64     `json:"code_version,omitempty"`
	Launched    time.Time `json:"launched"`
	Owner       string    `json:"owner"`
	Principal   string    `json:"principal,omitempty"`
	// Version is the user's own version of the topology (topology.version).
	Version      string `json:"version,omitempty"`
	StormVersion string `json:"storm_version,omitempty"`
	JDKVersion   string `json:"jdk_version,omitempty"`
	// Secret authenticates the links between the workers of this topology: 32 random bytes made at submit. It leaves
	// the master only in plans.
	Secret []byte `json:"secret"`
	// Debug maps a component id, or the topology id for all of it, to its debug options.
	Debug map[string]Debug `json:"debug,omitempty"`
}

// Trial is a version whose workers have to show that they start.
type Trial struct {
	// Back is the version to go back to.
	Back int64 `json:"back"`
	// Components are those that are new or were changed.
	Components []string `json:"components,omitempty"`
	// Before is the trial of that version where it was at work and on trial still when this one came, without a Before of its own; nil: it
	// has shown that it runs.
	Before *Trial `json:"before,omitempty"`
}

// CodeID is what stands in the keys of the topology's blobs.
func (t *Topology) CodeID() string {
	if t.Code == "" {
		return t.ID
	}
	return t.Code
}

// TaskRun says that the tasks First to Last (both included) belong to Component.
type TaskRun struct {
	Component string `json:"component"`
	First     int32  `json:"first"`
	Last      int32  `json:"last"`
}

// Stream is an output stream of a component.
type Stream struct {
	Component string   `json:"component"`
	Name      string   `json:"name"`
	Fields    []string `json:"fields,omitempty"`
	Direct    bool     `json:"direct,omitempty"`
}

// Debug says whether tuples of a component are logged, and how many percent of them.
type Debug struct {
	Enable   bool    `json:"enable"`
	Sampling float64 `json:"sampling"`
}

// Pending is a delayed step of a topology's life: its removal or its rebalance. A new leader arms it again with the
// full Wait.
type Pending struct {
	Wait time.Duration `json:"wait"`
	// Rebalance is what to change; nil for a removal.
	Rebalance *Rebalance `json:"rebalance,omitempty"`
}

// Rebalance is a wanted change of a topology's parallelism and configuration.
type Rebalance struct {
	Workers   int                           `json:"workers,omitempty"`   // 0 leaves it
	Executors map[string]int                `json:"executors,omitempty"` // of some components
	Conf      string                        `json:"conf,omitempty"`      // JSON object put over the topology's configuration, as text: numbers keep their kinds
	Resources map[string]map[string]float64 `json:"resources,omitempty"` // component, resource name, amount
}

// CreateTopology builds the operations that make t exist. The transaction conflicts when its name is taken.
func CreateTopology(t Topology) []Op {
	return []Op{
		Create(namesPrefix+segment(t.Name), []byte(t.ID)),
		encoded(topologiesPrefix+segment(t.ID), 0, t),
	}
}

// PutTopology builds the operation that replaces a topology read at this version.
func PutTopology(t Topology, version int64) Op {
	return encoded(topologiesPrefix+segment(t.ID), version, t)
}

// DeleteTopology builds the operations that remove a topology and everything that hangs on it, except its blobs and
// its errors, whose number is not known here (see ErrorKeys). The name is free when they have run.
func DeleteTopology(t Topology, version int64) []Op {
	id := segment(t.ID)
	return []Op{
		DeleteIf(topologiesPrefix+id, version),
		Delete(namesPrefix + segment(t.Name)),
		Delete(assignmentsPrefix + id),
		Delete(credentialsPrefix + id),
		Delete(logConfigsPrefix + id),
		Delete(requestsPrefix + id),
		Delete(versionsPrefix + id),
	}
}

// ReadTopology returns a topology and its version, or ErrNotFound.
func ReadTopology(ctx context.Context, s Store, id string) (Topology, int64, error) {
	return read[Topology](ctx, s, topologiesPrefix+segment(id))
}

// ListTopologies returns all topologies in order of ids.
func ListTopologies(ctx context.Context, s Store) ([]Topology, error) {
	return list[Topology](ctx, s, topologiesPrefix)
}

// TopologyID returns the id of the topology that has this name, or ErrNotFound.
func TopologyID(ctx context.Context, s Store, name string) (string, error) {
	it, err := s.Get(ctx, namesPrefix+segment(name))
	return string(it.Value), err
}

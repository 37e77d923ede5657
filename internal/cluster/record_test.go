package cluster_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
)

func lead(t *testing.T) (*mem.Store, cluster.Epoch) {
	t.Helper()
	s := mem.New()
	t.Cleanup(func() { s.Close() })
	term, err := s.Campaign(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return s, term.Epoch
}

func topology(id, name string) cluster.Topology {
	return cluster.Topology{
		ID: id, Name: name, Status: cluster.Active, Workers: 2,
		Executors:    map[string]int{"a/b": 3},
		Numbering:    []cluster.TaskRun{{Component: "a/b", First: 1, Last: 3}},
		GraphVersion: 1, Launched: time.Unix(1700000000, 0).UTC(), Owner: "me", Secret: make([]byte, 32),
		Pending: &cluster.Pending{Wait: 30 * time.Second, Rebalance: &cluster.Rebalance{Workers: 3}},
		Debug:   map[string]cluster.Debug{"a/b": {Enable: true, Sampling: 10}},
	}
}

func TestTopologyLife(t *testing.T) {
	s, epoch := lead(t)
	ctx := t.Context()
	want := topology("my topo é-1-2", "my topo é")
	if err := s.Txn(ctx, epoch, cluster.CreateTopology(want)...); err != nil {
		t.Fatal(err)
	}
	twin := topology("my topo é-2-2", "my topo é")
	if err := s.Txn(ctx, epoch, cluster.CreateTopology(twin)...); !errors.Is(err, cluster.ErrConflict) {
		t.Fatalf("second topology of that name: got %v, want ErrConflict", err)
	}
	id, err := cluster.TopologyID(ctx, s, "my topo é")
	if err != nil || id != want.ID {
		t.Fatalf("id of the name: %q, %v", id, err)
	}
	got, version, err := cluster.ReadTopology(ctx, s, want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("topology (-want +got):\n%s", diff)
	}
	got.Status = cluster.Killed
	if err := s.Txn(ctx, epoch, cluster.PutTopology(got, version)); err != nil {
		t.Fatal(err)
	}
	if err := s.Txn(ctx, epoch, cluster.PutTopology(got, version)); !errors.Is(err, cluster.ErrConflict) {
		t.Fatalf("write on an old version: got %v, want ErrConflict", err)
	}
	_, version, _ = cluster.ReadTopology(ctx, s, want.ID)
	assignment := cluster.Assignment{Topology: want.ID, ID: "1-1", Hosts: map[string]string{"n": "h"},
		Executors: []cluster.Placement{{First: 1, Last: 3, Node: "n", Port: 6700, Started: want.Launched}}}
	err = s.Txn(ctx, epoch, cluster.PutAssignment(assignment),
		cluster.PutCredentials(want.ID, cluster.Credentials{Values: map[string]string{"k": "v"}}),
		cluster.PutErrors(want.ID, cluster.Errors{Component: "a/b", Errors: []cluster.Error{{Message: "boom"}}}),
		cluster.PutLogConfig(want.ID, cluster.LogConfig{Levels: map[string]cluster.LogLevel{"x": {Action: 2}}}))
	if err != nil {
		t.Fatal(err)
	}
	assignments, err := cluster.ListAssignments(ctx, s)
	if diff := cmp.Diff([]cluster.Assignment{assignment}, assignments); err != nil || diff != "" {
		t.Fatalf("assignments (-want +got):\n%s %v", diff, err)
	}
	all, err := cluster.ListErrors(ctx, s, want.ID)
	if err != nil || len(all) != 1 || all[0].Component != "a/b" {
		t.Fatalf("errors: %v, %v", all, err)
	}
	ops := append(cluster.DeleteTopology(got, version), cluster.DeleteErrors(want.ID, all)...)
	if err := s.Txn(ctx, epoch, ops...); err != nil {
		t.Fatal(err)
	}
	if rest, err := s.List(ctx, ""); err != nil || len(rest) != 0 {
		t.Fatalf("left after deletion: %v, %v", rest, err)
	}
}

func TestRecordsThatCannotBeWritten(t *testing.T) {
	s, epoch := lead(t)
	bad := topology("x-1-1", "x")
	bad.Debug["a/b"] = cluster.Debug{Sampling: math.NaN()}
	if err := s.Txn(t.Context(), epoch, cluster.PutTopology(bad, 0)); err == nil {
		t.Fatal("a topology that JSON cannot hold was stored")
	}
}

func TestReadingNothingAndNonsense(t *testing.T) {
	s, epoch := lead(t)
	ctx := t.Context()
	if h, err := cluster.ReadHistory(ctx, s); err != nil || len(h.Entries) != 0 {
		t.Fatalf("history of an empty store: %v, %v", h, err)
	}
	if _, err := cluster.ReadBlob(ctx, s, "k"); !errors.Is(err, cluster.ErrNotFound) {
		t.Fatalf("missing blob: got %v, want ErrNotFound", err)
	}
	if err := s.Txn(ctx, epoch, cluster.Put("topologies/x", []byte("{"))); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.ListTopologies(ctx, s); err == nil {
		t.Fatal("half a record was read")
	}
}

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Credentials are secrets handed to the workers of a topology.
type Credentials struct {
	Values map[string]string `json:"values"`
}

// PutCredentials builds the operation that replaces a topology's credentials.
func PutCredentials(topology string, c Credentials) Op {
	return encoded(credentialsPrefix+segment(topology), AnyVersion, c)
}

// ReadCredentials returns a topology's credentials; none stored is empty credentials.
func ReadCredentials(ctx context.Context, s Store, topology string) (Credentials, error) {
	return readOrZero[Credentials](ctx, s, credentialsPrefix+segment(topology))
}

// LogConfig holds changed log levels by logger name.
type LogConfig struct {
	Levels map[string]LogLevel `json:"levels"`
}

// LogLevel is a changed log level. Action is Storm's number: 1 unchanged, 2 update, 3 remove.
type LogLevel struct {
	Action    int64     `json:"action"`
	Target    string    `json:"target,omitempty"`
	ResetSecs int32     `json:"reset_secs,omitempty"` // 0 keeps the level
	ResetAt   time.Time `json:"reset_at,omitzero"`
	Reset     string    `json:"reset,omitempty"` // the level to go back to
}

// PutLogConfig builds the operation that replaces a topology's log levels.
func PutLogConfig(topology string, c LogConfig) Op {
	return encoded(logConfigsPrefix+segment(topology), AnyVersion, c)
}

// ReadLogConfig returns a topology's changed log levels; none stored is an empty one.
func ReadLogConfig(ctx context.Context, s Store, topology string) (LogConfig, error) {
	return readOrZero[LogConfig](ctx, s, logConfigsPrefix+segment(topology))
}

// Errors are the newest errors of a component, oldest first.
type Errors struct {
	Component string  `json:"component"`
	Errors    []Error `json:"errors"`
}

// Error is one error that a component reported.
type Error struct {
	Message string    `json:"message"`
	Time    time.Time `json:"time"`
	Host    string    `json:"host,omitempty"`
	Port    int32     `json:"port,omitempty"`
}

// PutErrors builds the operation that replaces the errors of a component.
func PutErrors(topology string, e Errors) Op {
	return encoded(errorsPrefix+segment(topology)+"/"+segment(e.Component), AnyVersion, e)
}

// ListErrors returns the errors of all components of a topology.
func ListErrors(ctx context.Context, s Store, topology string) ([]Errors, error) {
	return list[Errors](ctx, s, errorsPrefix+segment(topology)+"/")
}

// DeleteErrors builds the operations that remove what ListErrors returned for a topology.
func DeleteErrors(topology string, all []Errors) []Op {
	ops := make([]Op, 0, len(all))
	for _, e := range all {
		ops = append(ops, Delete(errorsPrefix+segment(topology)+"/"+segment(e.Component)))
	}
	return ops
}

// Blob is what the cluster knows of a blob: which contents are the current ones and which masters hold them.
type Blob struct {
	Key     string `json:"key"`
	Version int64  `json:"version"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
	// Holders are the masters with these contents, as "host:port".
	Holders []string `json:"holders"`
	// ACL is the blob's access list as package blobstore writes it, and Replication the number of copies asked for.
	ACL         json.RawMessage `json:"acl,omitempty"`
	Replication int32           `json:"replication,omitempty"`
}

// PutBlob builds the operation that writes a blob's metadata.
func PutBlob(b Blob) Op { return encoded(blobsPrefix+segment(b.Key), AnyVersion, b) }

// DeleteBlob builds the operation that removes a blob's metadata.
func DeleteBlob(key string) Op { return Delete(blobsPrefix + segment(key)) }

// ReadBlob returns a blob's metadata, or ErrNotFound.
func ReadBlob(ctx context.Context, s Store, key string) (Blob, error) {
	b, _, err := read[Blob](ctx, s, blobsPrefix+segment(key))
	return b, err
}

// ListBlobs returns the metadata of all blobs.
func ListBlobs(ctx context.Context, s Store) ([]Blob, error) { return list[Blob](ctx, s, blobsPrefix) }

// History holds topologies that were killed, oldest first.
type History struct {
	Entries []HistoryEntry `json:"entries"`
}

// HistoryEntry is a topology that was killed and who may read its logs.
type HistoryEntry struct {
	Topology string    `json:"topology"`
	Time     time.Time `json:"time"`
	Users    []string  `json:"users,omitempty"`
	Groups   []string  `json:"groups,omitempty"`
}

// PutHistory builds the operation that replaces the history.
func PutHistory(h History) Op { return encoded(historyKey, AnyVersion, h) }

// ReadHistory returns the history; none stored is an empty one.
func ReadHistory(ctx context.Context, s Store) (History, error) {
	return readOrZero[History](ctx, s, historyKey)
}

// Leader is where the leader can be reached, for followers that forward.
type Leader struct {
	Host    string    `json:"host"`
	Port    int       `json:"port"`
	Epoch   Epoch     `json:"epoch"`
	Started time.Time `json:"started"`
}

// PutLeader builds the operation by which a new leader makes itself known.
func PutLeader(l Leader) Op { return encoded(leaderKey, AnyVersion, l) }

// ReadLeader returns the newest leader, or ErrNotFound.
func ReadLeader(ctx context.Context, s Store) (Leader, error) {
	l, _, err := read[Leader](ctx, s, leaderKey)
	return l, err
}

// encoded builds an OpPut of a record. An encoding error travels in the op and comes out of Txn.
func encoded(key string, version int64, record any) Op {
	value, err := json.Marshal(record)
	return Op{Kind: OpPut, Key: key, Value: value, If: version, err: err}
}

func read[T any](ctx context.Context, s Store, key string) (T, int64, error) {
	var record T
	it, err := s.Get(ctx, key)
	if err != nil {
		return record, 0, err
	}
	if err := json.Unmarshal(it.Value, &record); err != nil {
		return record, 0, fmt.Errorf("decode %s: %w", key, err)
	}
	return record, it.Version, nil
}

func readOrZero[T any](ctx context.Context, s Store, key string) (T, error) {
	record, _, err := read[T](ctx, s, key)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return record, err
}

func list[T any](ctx context.Context, s Store, prefix string) ([]T, error) {
	items, err := s.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(items))
	for i, it := range items {
		if err := json.Unmarshal(it.Value, &out[i]); err != nil {
			return nil, fmt.Errorf("decode %s: %w", it.Key, err)
		}
	}
	return out, nil
}

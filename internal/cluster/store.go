package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Limits of a store. They are below what ZooKeeper takes by default (1 MiB for a whole request).
const (
	MaxKeyBytes   = 1024
	MaxValueBytes = 512 << 10
	MaxTxnOps     = 1024
)

var (
	// ErrNotFound says that a key has no value.
	ErrNotFound = errors.New("key not found")
	// ErrConflict says that a condition of a Txn did not hold; nothing was written.
	ErrConflict = errors.New("a condition of the transaction does not hold")
	// ErrFenced says that a newer leader exists; nothing was written and the caller must stop leading.
	ErrFenced = errors.New("a newer leader exists")
	// ErrLocked says that another process holds the store.
	ErrLocked = errors.New("another nimbus holds the cluster state")
	// ErrUncertain says that the connection to the store was lost, and that nobody knows yet whether the transaction is or
	// will be written. What is kept in memory of the state must be read again.
	ErrUncertain = errors.New("the outcome of the transaction is not known")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("the cluster state is closed")
)

// Epoch numbers a term of leadership. It grows by one with each new leader and survives restarts. 0 is no leader.
type Epoch int64

// Term is one leadership as Campaign yields it.
type Term struct {
	Epoch Epoch
	// Lost is closed when the store knows that the term is over. A term can be over before that: only ErrFenced
	// from a Txn is proof.
	Lost <-chan struct{}
}

// Item is a key with its value. Version is above 0 and grows with every write of the key; after a deletion it may
// start over.
type Item struct {
	Key     string
	Value   []byte
	Version int64
}

// Store is a small ordered key space with guarded transactions. All methods may be used by many goroutines.
type Store interface {
	// Campaign blocks until the caller leads (or ctx ends) and starts a new term. The term of whoever led before is
	// over. candidate names the caller in logs and for other candidates.
	Campaign(ctx context.Context, candidate string) (Term, error)
	// Get returns the item at key, or ErrNotFound. The caller owns the value.
	Get(ctx context.Context, key string) (Item, error)
	// List returns the items whose key starts with prefix, in order of keys. The caller owns the values.
	List(ctx context.Context, prefix string) ([]Item, error)
	// Txn runs ops as one step: all of them or none. It returns ErrFenced when guard is not the newest epoch and
	// ErrConflict when a condition does not hold. It keeps no value slices after it returned.
	Txn(ctx context.Context, guard Epoch, ops ...Op) error
	// Watch gives hints that something under prefix may have changed, until ctx ends. Hints are merged: a reader
	// who is slow sees one hint for many changes, never none.
	Watch(ctx context.Context, prefix string) <-chan struct{}
	// Close ends the term, if any, and releases the store. Other methods return ErrClosed from then on.
	Close() error
}

// OpKind says what an Op does.
type OpKind uint8

// What an Op does; the conditions look at the state before the transaction.
const (
	OpPut    OpKind = iota + 1 // write the value
	OpDelete                   // remove the key, which may be absent
	OpCheck                    // only look at the condition
)

// AnyVersion as an Op's condition asks nothing of the key. 0 asks that the key is absent.
const AnyVersion int64 = -1

// Op is one step of a Txn: a condition on a key and what to do with it. A key may appear once in a Txn.
type Op struct {
	Kind  OpKind
	Key   string
	Value []byte // of OpPut; read by Txn, not kept
	If    int64  // AnyVersion, 0 for absent, or the version the key must have
	err   error  // why the op could not be built; Txn returns it
}

// Put writes value whatever stands at key.
func Put(key string, value []byte) Op {
	return Op{Kind: OpPut, Key: key, Value: value, If: AnyVersion}
}

// Create writes value at a key that must be absent.
func Create(key string, value []byte) Op { return Op{Kind: OpPut, Key: key, Value: value} }

// PutIf writes value at a key that must have this version (0: must be absent).
func PutIf(key string, version int64, value []byte) Op {
	return Op{Kind: OpPut, Key: key, Value: value, If: version}
}

// Delete removes key if it is there.
func Delete(key string) Op { return Op{Kind: OpDelete, Key: key, If: AnyVersion} }

// DeleteIf removes a key that must have this version.
func DeleteIf(key string, version int64) Op { return Op{Kind: OpDelete, Key: key, If: version} }

// Check asks that key has this version (0: is absent) and changes nothing.
func Check(key string, version int64) Op { return Op{Kind: OpCheck, Key: key, If: version} }

// Holds tells whether the op's condition is met by a key of this version; version 0 stands for an absent key.
func (o Op) Holds(version int64) bool { return o.If == AnyVersion || o.If == version }

// CheckKey tells whether a store takes key: a path of non-empty segments without control characters.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKeyBytes {
		return fmt.Errorf("key of %d bytes, allowed are 1 to %d", len(key), MaxKeyBytes)
	}
	if strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || strings.Contains(key, "//") {
		return fmt.Errorf("key %q has an empty segment", key)
	}
	if i := strings.IndexFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		return fmt.Errorf("key %q has a control character", key)
	}
	return nil
}

// CheckOps tells whether ops make a transaction that a store takes. Stores call it before anything else.
func CheckOps(ops []Op) error {
	if len(ops) > MaxTxnOps {
		return fmt.Errorf("transaction of %d operations, allowed are %d", len(ops), MaxTxnOps)
	}
	seen := make(map[string]bool, len(ops))
	for _, o := range ops {
		if o.err != nil {
			return fmt.Errorf("build operation on %s: %w", o.Key, o.err)
		}
		if err := CheckKey(o.Key); err != nil {
			return err
		}
		if o.Kind < OpPut || o.Kind > OpCheck || o.If < AnyVersion || (o.Kind == OpCheck && o.If == AnyVersion) {
			return fmt.Errorf("operation on %s has kind %d and condition %d", o.Key, o.Kind, o.If)
		}
		if len(o.Value) > MaxValueBytes {
			return fmt.Errorf("value of %s has %d bytes, allowed are %d", o.Key, len(o.Value), MaxValueBytes)
		}
		if seen[o.Key] {
			return fmt.Errorf("key %s appears twice in a transaction", o.Key)
		}
		seen[o.Key] = true
	}
	return nil
}

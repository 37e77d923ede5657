// Package embed keeps the cluster state of a single master in one file.
//
// Every transaction is on disk (fsync) before Txn returns. The file is locked while it is open, so a second master on
// the same directory gets cluster.ErrLocked instead of a second truth. It is the only package that imports bbolt.
//
// Layout: bucket "meta" holds the format number and the epoch, bucket "kv" maps a key to eight bytes of version
// (big-endian) and the value. A version is the number of the transaction that wrote the key, so it is never reused.
package embed

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// formatNumber is the layout this package writes; it refuses files of any other.
const formatNumber = 1

// lockWait is how long Open waits for the lock of a master that is just ending.
const lockWait = 500 * time.Millisecond

var (
	metaBucket = []byte("meta")
	kvBucket   = []byte("kv")
	formatKey  = []byte("format")
	epochKey   = []byte("epoch")
)

// Store implements cluster.Store. Use Open.
type Store struct {
	cluster.Hints

	db *bbolt.DB

	mu     sync.Mutex
	lost   chan struct{} // of the running term
	closed bool
}

// Open opens the file at path, making it and its directory if they are missing. It waits half a second for the lock
// and then returns cluster.ErrLocked. It reads the whole file once: one that is damaged is an error.
func Open(path string) (*Store, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory of cluster state: %w", err)
	}
	db, err := openChecked(path)
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: %w", path, cluster.ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("open cluster state %s: %w", path, err)
	}
	// The file may be new: without this its name could be lost in a power cut though its contents are synced.
	if err := syncDir(dir); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{db: db}, nil
}

// openChecked opens the file and walks all of it. On a damaged file bbolt panics, and a file that is too short faults;
// here these are errors. The file then stays open and locked while the process lives: bbolt leaves no way to close it.
func openChecked(path string) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("the file is damaged, put a copy of it back or remove it to begin with an empty cluster: %v", r)
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	if err := db.View(walk); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := db.Update(initialize); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// walk reads every key and value.
func walk(tx *bbolt.Tx) error {
	sum := crc32.NewIEEE()
	return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			sum.Write(k)
			sum.Write(v)
			return nil
		})
	})
}

func initialize(tx *bbolt.Tx) error {
	meta, err := tx.CreateBucketIfNotExists(metaBucket)
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucketIfNotExists(kvBucket); err != nil {
		return err
	}
	switch format := number(meta.Get(formatKey)); format {
	case 0:
		return meta.Put(formatKey, encode(formatNumber))
	case formatNumber:
		return nil
	default:
		return fmt.Errorf("file has format %d, this release reads %d", format, formatNumber)
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func encode(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// number reads what encode wrote; anything else is 0.
func number(b []byte) int64 {
	if len(b) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// Campaign implements cluster.Store. Who has the file leads, so it never waits; the epoch is on disk when it returns.
func (s *Store) Campaign(ctx context.Context, _ string) (cluster.Term, error) {
	if err := ctx.Err(); err != nil {
		return cluster.Term{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return cluster.Term{}, cluster.ErrClosed
	}
	var epoch int64
	err := s.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		epoch = number(meta.Get(epochKey)) + 1
		return meta.Put(epochKey, encode(epoch))
	})
	if err != nil {
		return cluster.Term{}, fmt.Errorf("start a term: %w", err)
	}
	s.endTermLocked()
	s.lost = make(chan struct{})
	return cluster.Term{Epoch: cluster.Epoch(epoch), Lost: s.lost}, nil
}

// RaiseEpoch implements cluster.Raiser.
func (s *Store) RaiseEpoch(ctx context.Context, guard, to cluster.Epoch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		switch {
		case guard == 0 || number(meta.Get(epochKey)) != int64(guard):
			return cluster.ErrFenced
		case to <= guard:
			return fmt.Errorf("raise epoch %d to %d", guard, to)
		}
		return meta.Put(epochKey, encode(int64(to)))
	})
	return closedError(err)
}

func (s *Store) endTermLocked() {
	if s.lost != nil {
		close(s.lost)
		s.lost = nil
	}
}

// Get implements cluster.Store.
func (s *Store) Get(ctx context.Context, key string) (cluster.Item, error) {
	if err := ctx.Err(); err != nil {
		return cluster.Item{}, err
	}
	var it cluster.Item
	err := s.db.View(func(tx *bbolt.Tx) error {
		raw := tx.Bucket(kvBucket).Get([]byte(key))
		if raw == nil {
			return cluster.ErrNotFound
		}
		var err error
		it, err = decode([]byte(key), raw)
		return err
	})
	return it, closedError(err)
}

// List implements cluster.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]cluster.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []cluster.Item
	err := s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(kvBucket).Cursor()
		p := []byte(prefix)
		for k, v := c.Seek(p); k != nil && bytes.HasPrefix(k, p); k, v = c.Next() {
			it, err := decode(k, v)
			if err != nil {
				return err
			}
			out = append(out, it)
		}
		return nil
	})
	if err != nil {
		return nil, closedError(err)
	}
	return out, nil
}

// decode copies an item out of the mapped file, whose memory is only good inside the transaction.
func decode(key, raw []byte) (cluster.Item, error) {
	if len(raw) < 8 {
		return cluster.Item{}, fmt.Errorf("value of %s has %d bytes, wanted 8 of version first", key, len(raw))
	}
	return cluster.Item{Key: string(key), Version: number(raw[:8]), Value: bytes.Clone(raw[8:])}, nil
}

// Txn implements cluster.Store.
func (s *Store) Txn(ctx context.Context, guard cluster.Epoch, ops ...cluster.Op) error {
	if err := cluster.CheckOps(ops); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if epoch := number(tx.Bucket(metaBucket).Get(epochKey)); epoch == 0 || int64(guard) != epoch {
			return cluster.ErrFenced
		}
		return apply(tx.Bucket(kvBucket), ops)
	})
	if err != nil {
		return closedError(err)
	}
	s.Changed(ops)
	return nil
}

func apply(kv *bbolt.Bucket, ops []cluster.Op) error {
	for _, o := range ops {
		var version int64
		if raw := kv.Get([]byte(o.Key)); len(raw) >= 8 {
			version = number(raw[:8])
		}
		if !o.Holds(version) {
			return cluster.ErrConflict
		}
	}
	revision, err := kv.NextSequence()
	if err != nil {
		return err
	}
	for _, o := range ops {
		switch o.Kind {
		case cluster.OpPut:
			err = kv.Put([]byte(o.Key), append(encode(int64(revision)), o.Value...))
		case cluster.OpDelete:
			err = kv.Delete([]byte(o.Key))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func closedError(err error) error {
	if errors.Is(err, bbolterrors.ErrDatabaseNotOpen) {
		return cluster.ErrClosed
	}
	return err
}

// Close implements cluster.Store. It waits for running transactions and releases the file lock.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.endTermLocked()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close cluster state: %w", err)
	}
	return nil
}

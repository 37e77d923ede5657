package s3

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

var errUnconditional = errors.New("it does not honour conditional puts (If-None-Match), which keep coordinators apart")

// racers is how many try to put one object at a time.
const racers = 8

var probed = []byte("by this object it is tried whether puts are conditional\n")

// try finds out whether puts are conditional: the second of two has to fail. Whoever is the first in a store finds out more.
func (s *Store) try(ctx context.Context) error {
	switch err := s.putIfAbsent(ctx, probe, probed); {
	case errors.Is(err, checkpoint.ErrExists):
		return nil
	case err != nil:
		return err
	}
	err := s.race(ctx)
	if err == nil {
		switch err = s.putIfAbsent(ctx, probe, probed); {
		case errors.Is(err, checkpoint.ErrExists):
			return nil
		case err == nil:
			err = errUnconditional
		}
	}
	s.drop(ctx, probe) // the next one who opens it tries as well
	return err
}

// race has several put one object at a time. A service that looks first and writes later lets more than one of them through, mostly.
func (s *Store) race(ctx context.Context) error {
	var id [8]byte
	rand.Read(id[:])
	name := probe + "-" + hex.EncodeToString(id[:])
	defer s.drop(ctx, name)
	var won atomic.Int32
	var all sync.WaitGroup
	for range racers {
		all.Go(func() {
			if s.putIfAbsent(ctx, name, probed) == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if n := won.Load(); n > 1 {
		return fmt.Errorf("%w: of %d puts of one object at a time it carries %d out", errUnconditional, racers, n)
	}
	return ctx.Err()
}

// drop removes an object, if it can.
func (s *Store) drop(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.remove(ctx, name)
}

func (s *Store) remove(ctx context.Context, name string) error {
	return kind(s.core.Client.RemoveObject(ctx, s.bucket, s.prefix+name, minio.RemoveObjectOptions{}))
}

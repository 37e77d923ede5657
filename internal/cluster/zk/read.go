package zk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// readers is how many requests of one call are under way at once.
const readers = 16

// Get implements cluster.Store.
func (s *Store) Get(ctx context.Context, key string) (cluster.Item, error) {
	if err := cluster.CheckKey(key); err != nil {
		return cluster.Item{}, err
	}
	var it cluster.Item
	node, _ := s.paths.key(key)
	err := s.read(ctx, func(ctx context.Context, sess *session) error {
		if err := s.sync(ctx, sess); err != nil {
			return err
		}
		var err error
		it, err = get(ctx, sess, key, node)
		return err
	})
	if errors.Is(err, zoo.ErrNoNode) {
		err = cluster.ErrNotFound
	}
	return it, err
}

func get(ctx context.Context, sess *session, key, node string) (cluster.Item, error) {
	return call(ctx, sess, func() (cluster.Item, error) {
		value, stat, err := sess.conn.Get(node)
		if err != nil {
			return cluster.Item{}, err
		}
		return cluster.Item{Key: key, Value: value, Version: stat.Mzxid}, nil
	})
}

// read runs f in a session, again while the connection is cut or f wants it again (errMoved), until ConnectTimeout has passed.
func (s *Store) read(ctx context.Context, f func(context.Context, *session) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	patient, done := s.patience(ctx)
	defer done()
	return s.explain(s.insist(patient, func(sess *session) (bool, error) {
		err := f(patient, sess)
		return err == nil || answered(err), err
	}))
}

// usable tells what ends a call before it begins.
func (s *Store) usable(ctx context.Context) error {
	if s.life.Err() != nil {
		return context.Cause(s.life)
	}
	return ctx.Err()
}

// List implements cluster.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]cluster.Item, error) {
	var items []cluster.Item
	err := s.read(ctx, func(ctx context.Context, sess *session) error {
		before, err := s.readHead(ctx, sess)
		if errors.Is(err, zoo.ErrNoNode) {
			items = nil // nobody ever led
			return nil
		}
		if err != nil {
			return err
		}
		if items, err = s.list(ctx, sess, prefix); errors.Is(err, zoo.ErrNoNode) {
			return errMoved
		} else if err != nil {
			return err
		}
		after, err := s.readHeadHere(ctx, sess)
		if err == nil && after.written != before.written {
			err = errMoved
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(items, func(a, b cluster.Item) int { return strings.Compare(a.Key, b.Key) })
	return items, nil
}

// list reads the items below prefix, in no order.
func (s *Store) list(ctx context.Context, sess *session, prefix string) ([]cluster.Item, error) {
	found, err := s.folderKeys(ctx, sess, s.paths.top(), "", prefix)
	if err != nil {
		return nil, err
	}
	var firsts []string
	if first, _, more := strings.Cut(prefix, "/"); more {
		firsts = []string{first}
	} else if firsts, err = s.names(ctx, sess, s.paths.sub()); err != nil {
		return nil, err
	}
	for _, first := range firsts {
		if !strings.HasPrefix(first+"/", prefix) && !strings.HasPrefix(prefix, first+"/") {
			continue
		}
		more, err := s.folderKeys(ctx, sess, s.paths.folder(first), first+"/", prefix)
		if errors.Is(err, zoo.ErrNoNode) {
			continue // no key ever was in that folder
		}
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	items := make([]cluster.Item, len(found))
	err = many(len(found), func(i int) error {
		node, _ := s.paths.key(found[i])
		var err error
		items[i], err = get(ctx, sess, found[i], node)
		return err
	})
	return items, err
}

// folderKeys returns the keys with this prefix that stand in a folder, whose keys begin with base.
func (s *Store) folderKeys(ctx context.Context, sess *session, folder, base, prefix string) ([]string, error) {
	names, err := s.names(ctx, sess, folder)
	keys := names[:0]
	for _, name := range names {
		if key := base + name; strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys, err
}

// names returns the names of a node's children, without the escapes.
func (s *Store) names(ctx context.Context, sess *session, node string) ([]string, error) {
	children, err := call(ctx, sess, func() ([]string, error) {
		children, _, err := sess.conn.Children(node)
		return children, err
	})
	names := make([]string, 0, len(children))
	for _, c := range children {
		if name, ours := unescape(c); ours {
			names = append(names, name)
		}
	}
	return names, err
}

// many runs f(0) to f(n-1), some at a time, and returns one of the errors if there are any.
func many(n int, f func(int) error) error {
	if n == 1 {
		return f(0)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		next  int
		first error
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= n && first == nil
	}
	for range min(n, readers) {
		wg.Go(func() {
			for {
				i, ok := take()
				if !ok {
					return
				}
				if err := f(i); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first
}

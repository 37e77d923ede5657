package state

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// handle is a handle as people ask for it.
type handle struct {
	name, kind string
	get        func(key string) (any, bool, error)
}

// Handles are the names of the handles and their kinds: value, list, map, timers.
func (s *Store) Handles() map[string]string {
	kinds := make(map[string]string, len(s.handles))
	for _, h := range s.handles {
		kinds[h.name] = h.kind
	}
	return kinds
}

// maxShown bounds the elements of a list or map that Lookup shows.
const maxShown = 1000

// Lookup returns what a handle has for a key, both as people write them, as JSON: a value; an array of a list's elements or of a
// key's timers; an object of a map's entries. Of what is longer than 1000 it shows the first thousand. It is called like the methods of handles.
func (s *Store) Lookup(name, key string) (text json.RawMessage, found bool, err error) {
	defer Rescue(&err)
	i := slices.IndexFunc(s.handles, func(h handle) bool { return h.name == name })
	if i < 0 {
		return nil, false, fmt.Errorf("state of %s has no handle %q: it has %v", s.cfg.Name, name, s.Handles())
	}
	v, found, err := s.handles[i].get(key)
	if err != nil {
		return nil, false, fmt.Errorf("key %q of %s: %w", key, name, err)
	}
	if !found {
		return nil, false, nil
	}
	text, err = json.Marshal(v)
	return text, true, err
}

func (v *Value[K, V]) get(key string) (any, bool, error) {
	k, err := v.t.keys.Parse(key)
	if err != nil {
		return nil, false, err
	}
	x, ok := v.Get(k)
	return plain(x), ok, nil
}

func (l *List[K, V]) get(key string) (any, bool, error) {
	k, err := l.spans.keys.Parse(key)
	if err != nil {
		return nil, false, err
	}
	list := []any{}
	l.Each(k, func(_ int, x V) bool {
		list = append(list, plain(x))
		return len(list) < maxShown
	})
	return list, len(list) > 0, nil
}

func (m *Map[K, M, V]) get(key string) (any, bool, error) {
	k, err := m.t.keys.Parse(key)
	if err != nil {
		return nil, false, err
	}
	shown := map[string]any{}
	m.Each(k.Key, func(sub M, x *V) bool {
		shown[fmt.Sprint(plain(sub))] = plain(*x)
		return len(shown) < maxShown
	})
	return shown, len(shown) > 0, nil
}

func (q *Timers[K]) get(key string) (any, bool, error) {
	k, err := q.t.keys.Parse(key)
	if err != nil {
		return nil, false, err
	}
	moments := []int64{}
	q.t.each(func(e *entry[Pair[K, int64], struct{}]) bool {
		if e.key.Key == k.Key {
			moments = append(moments, e.key.Sub)
		}
		return len(moments) < maxShown
	})
	slices.Sort(moments)
	return moments, len(moments) > 0, nil
}

// plain makes JSON's types of tuple values and leaves others to package json.
func plain(x any) any {
	switch v := x.(type) {
	case gearcore.Value:
		return v.Any()
	case Key:
		return fmt.Sprint(gearcore.List(v.Values()).Any())
	case []byte:
		return string(v)
	}
	return x
}

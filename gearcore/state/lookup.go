package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

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
//
// Being looked at does not prolong the life of an entry (TTL.OnRead).
func (s *Store) Lookup(name, key string) (text json.RawMessage, found bool, err error) {
	defer Rescue(&err)
	i := slices.IndexFunc(s.handles, func(h handle) bool { return h.name == name })
	if i < 0 {
		return nil, false, s.noHandle(name)
	}
	var v any
	s.Peek(func() { v, found, err = s.handles[i].get(key) })
	if err != nil {
		return nil, false, fmt.Errorf("key %q of %s: %w", key, name, err)
	}
	if !found {
		return nil, false, nil
	}
	text, err = asText(v)
	return text, true, err
}

// asText is v as JSON that people read: "&" stays "&".
func asText(v any) (json.RawMessage, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// Peek calls f: what f reads does not live longer for it (TTL.OnRead).
func (s *Store) Peek(f func()) {
	was := s.peeking
	s.peeking = true
	defer func() { s.peeking = was }()
	f()
}

// JSON is v as Lookup shows it, without lists and maps being cut.
func JSON(v any) (json.RawMessage, error) { return asText(plain(v)) }

func (s *Store) noHandle(name string) error {
	if len(s.handles) == 0 {
		return fmt.Errorf("there is no state %q: there is none at all", name)
	}
	return fmt.Errorf("there is no state %q: there are %s", name, strings.Join(slices.Sorted(maps.Keys(s.Handles())), ", "))
}

// Inspect is gearcore.Inspected for tasks whose state is s. A key that some of the handles cannot have is no error as long as others can.
func (s *Store) Inspect(q gearcore.StateQuery) (found []gearcore.StateEntry, err error) {
	if s.broken != nil {
		return nil, s.broken
	}
	var wrong []error
	asked := 0
	for _, h := range s.handles {
		if q.State != "" && q.State != h.name || q.State == "" && q.HasKey && h.kind == "timers" {
			continue
		}
		asked++
		e := gearcore.StateEntry{State: h.name, Kind: h.kind}
		if q.HasKey {
			text, there, err := s.Lookup(h.name, q.Key)
			if err != nil {
				wrong = append(wrong, err)
			}
			if err != nil || !there {
				continue
			}
			e.JSON = text
		}
		found = append(found, e)
	}
	switch {
	case asked == 0 && q.State != "":
		return nil, s.noHandle(q.State)
	case asked > 0 && len(wrong) == asked:
		return nil, errors.Join(wrong...)
	}
	return found, nil
}

func (v *Value[K, V]) get(key string) (any, bool, error) {
	all, err := parseAll(v.t.keys, key)
	if err != nil {
		return nil, false, err
	}
	for _, k := range all {
		if x, ok := v.Get(k); ok {
			return plain(x), true, nil
		}
	}
	return nil, false, nil
}

func (l *List[K, V]) get(key string) (any, bool, error) {
	all, err := parseAll(l.spans.keys, key)
	if err != nil {
		return nil, false, err
	}
	list := []any{}
	for i := 0; i < len(all) && len(list) == 0; i++ {
		l.Each(all[i], func(_ int, x V) bool {
			list = append(list, plain(x))
			return len(list) < maxShown
		})
	}
	return list, len(list) > 0, nil
}

func (m *Map[K, M, V]) get(key string) (any, bool, error) {
	all, err := parseAll(m.t.keys, key)
	if err != nil {
		return nil, false, err
	}
	shown := map[string]any{}
	for i := 0; i < len(all) && len(shown) == 0; i++ {
		m.Each(all[i].Key, func(sub M, x *V) bool {
			shown[fmt.Sprint(plain(sub))] = plain(*x)
			return len(shown) < maxShown
		})
	}
	return shown, len(shown) > 0, nil
}

func (q *Timers[K]) get(key string) (any, bool, error) {
	all, err := parseAll(q.t.keys, key)
	if err != nil {
		return nil, false, err
	}
	moments := []int64{}
	for i := 0; i < len(all) && len(moments) == 0; i++ {
		q.t.each(func(e *entry[Pair[K, int64], struct{}]) bool {
			if e.key.Key == all[i].Key {
				moments = append(moments, e.key.Sub)
			}
			return len(moments) < maxShown
		})
	}
	slices.Sort(moments)
	return moments, len(moments) > 0, nil
}

// finite makes texts of numbers that JSON has not, also of those in lists and maps of a tuple value, which it changes.
func finite(x any) any {
	switch v := x.(type) {
	case float32:
		if f := float64(v); f-f != 0 {
			return finite(f)
		}
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN"
		case math.IsInf(v, 1):
			return "Infinity"
		case math.IsInf(v, -1):
			return "-Infinity"
		}
	case []any:
		for i := range v {
			v[i] = finite(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = finite(v[k])
		}
	}
	return x
}

// plain makes JSON's types of tuple values and leaves others to package json.
func plain(x any) any {
	switch v := x.(type) {
	case gearcore.Value:
		return finite(v.Any())
	case float32, float64:
		return finite(v)
	case Key:
		if vals := v.Values(); len(vals) == 1 {
			return vals[0].Any()
		}
		return fmt.Sprint(gearcore.List(v.Values()).Any())
	case []byte:
		return string(v)
	}
	return x
}

package state

// Map is a handle of a map by key. Its entries are kept, expire and go into checkpoints one by one.
type Map[K, M comparable, V any] struct {
	t *table[Pair[K, M], V]
	// The entries of a key are a list through their slots.
	heads map[K]uint32 // slot + 1 of the first
	links []link
	whole map[K]struct{} // those with a head of which the disk has nothing that is not in memory
}

// link holds the neighbours of an entry, as slot + 1; 0: none.
type link struct{ next, prev uint32 }

// NewMap registers the handle name with s.
func NewMap[K, M comparable, V any](s *Store, name string, keys KeyCodec[K], subs Codec[M], vals Codec[V], opts ...Option) *Map[K, M, V] {
	m := newMap(s, "map", name, keys, subs, vals, opts)
	s.handles = append(s.handles, handle{name, "map", m.get})
	return m
}

func newMap[K, M comparable, V any](s *Store, kind, name string, keys KeyCodec[K], subs Codec[M], vals Codec[V], opts []Option) *Map[K, M, V] {
	m := &Map[K, M, V]{heads: map[K]uint32{}, whole: map[K]struct{}{}}
	m.t = newTable(s, kind, name, Pairs(keys, subs), vals, opts)
	m.t.linked, m.t.unlinked = m.link, m.unlink
	m.t.cleared = func() { m.heads, m.links, m.whole = map[K]uint32{}, nil, map[K]struct{}{} }
	return m
}

func (m *Map[K, M, V]) link(i uint32) {
	for int(i) >= len(m.links) {
		m.links = append(m.links, make([]link, slabSize)...)
	}
	k := m.t.at(i).key.Key
	first := m.heads[k]
	m.links[i] = link{next: first}
	if first != 0 {
		m.links[first-1].prev = i + 1
	}
	m.heads[k] = i + 1
}

func (m *Map[K, M, V]) unlink(i uint32) {
	l := m.links[i]
	m.links[i] = link{}
	k := m.t.at(i).key.Key
	delete(m.whole, k) // it may be an eviction
	if l.next != 0 {
		m.links[l.next-1].prev = l.prev
	}
	if l.prev != 0 {
		m.links[l.prev-1].next = l.next
		return
	}
	if l.next == 0 {
		delete(m.heads, k)
		return
	}
	m.heads[k] = l.next
}

// gather brings everything that k has into memory.
func (m *Map[K, M, V]) gather(k K) {
	if m.t.store.disk == nil {
		return
	}
	if _, ok := m.whole[k]; ok {
		return
	}
	keys := m.t.keys.(pairs[K, M]).key
	prefix := appendDiskKey(nil, m.t.id, uint16(keys.Group(&k, m.t.store.cfg.Hash)), nil)
	prefix, err := keys.Append(prefix, &k)
	if err != nil {
		m.t.store.fail(err)
	}
	m.t.loadBelow(prefix)
	if i := m.heads[k]; i != 0 {
		m.whole[m.t.at(i-1).key.Key] = struct{}{}
	}
}

// Get returns what k has under sub, and whether it has that.
func (m *Map[K, M, V]) Get(k K, sub M) (V, bool) {
	if e, _ := m.t.find(Pair[K, M]{k, sub}); e != nil {
		return e.val, true
	}
	var none V
	return none, false
}

// End is when what k has under sub expires, in milliseconds by the clock of its TTL; 0: never, or there is nothing.
func (m *Map[K, M, V]) End(k K, sub M) int64 { return m.t.endOf(Pair[K, M]{k, sub}) }

// Set makes x what k has under sub.
func (m *Map[K, M, V]) Set(k K, sub M, x V) { (&Value[Pair[K, M], V]{m.t}).Set(Pair[K, M]{k, sub}, x) }

// Update lets f change what k has under sub in place, a zero value if it had nothing.
func (m *Map[K, M, V]) Update(k K, sub M, f func(x *V)) {
	e, _ := m.t.ensure(Pair[K, M]{k, sub})
	f(&e.val)
}

// Ref is Update with a pointer, which is good until the entry is deleted or the Store is frozen or trimmed; found says whether
// there was something.
func (m *Map[K, M, V]) Ref(k K, sub M) (x *V, found bool) {
	e, fresh := m.t.ensure(Pair[K, M]{k, sub})
	return &e.val, !fresh
}

// Delete removes what k has under sub and reports whether there was something.
func (m *Map[K, M, V]) Delete(k K, sub M) bool { return m.t.delete(Pair[K, M]{k, sub}) }

// Clear removes everything that k has.
func (m *Map[K, M, V]) Clear(k K) {
	m.gather(k)
	for i := m.heads[k]; i != 0; {
		next := m.links[i-1].next
		m.t.remove(m.t.at(i-1), i-1)
		i = next
	}
}

// Each calls f with everything that k has, in no order, until f returns false. f may change *x, which is kept only if f then calls Ref,
// Update or Set for it; it may delete sub, and must not add to k.
func (m *Map[K, M, V]) Each(k K, f func(sub M, x *V) bool) {
	m.gather(k)
	t := m.t
	now := int64(0)
	if t.ttl.After > 0 {
		now = t.ttl.now(t.store)
	}
	for i := m.heads[k]; i != 0; {
		next := m.links[i-1].next
		e := t.at(i - 1)
		if t.over(e, i-1, now) {
			t.remove(e, i-1)
		} else if !f(e.key.Sub, &e.val) {
			return
		}
		i = next
	}
}

package state

// Value is a handle of one value by key.
type Value[K comparable, V any] struct{ t *table[K, V] }

// NewValue registers the handle name with s. Handles are registered before the Store is restored or used.
func NewValue[K comparable, V any](s *Store, name string, keys KeyCodec[K], vals Codec[V], opts ...Option) *Value[K, V] {
	v := &Value[K, V]{newTable(s, "value", name, keys, vals, opts)}
	s.handles = append(s.handles, handle{name, "value", v.get})
	return v
}

// Get returns the value of k and whether it has one. What is inside (slices, maps) is the Store's: change it through Update or Ref only.
func (v *Value[K, V]) Get(k K) (V, bool) {
	if e, _ := v.t.find(k); e != nil {
		return e.val, true
	}
	var none V
	return none, false
}

// Peek is Get for a look that says nothing of when k is wanted again: what is on the disk only stays there only.
func (v *Value[K, V]) Peek(k K) (V, bool) {
	e := v.t.peek(k)
	return e.val, e.flags&live != 0
}

// Has reports whether k has a value.
func (v *Value[K, V]) Has(k K) bool {
	e, _ := v.t.find(k)
	return e != nil
}

// End is when the value of k expires, in milliseconds by the clock of its TTL; 0: never, or it has none.
func (v *Value[K, V]) End(k K) int64 { return v.t.endOf(k) }

// Set makes x the value of k.
func (v *Value[K, V]) Set(k K, x V) {
	t := v.t
	if i, ok := t.locate(k, t.hash(k)); ok && t.at(i).flags&gone == 0 {
		e := t.at(i)
		e.val = x
		e.flags |= used
		t.touch(e, i)
		return
	}
	e, i := t.create(k)
	e.val = x
	t.touch(e, i)
}

// Update lets f change the value of k in place; a key without one gets a zero value first.
func (v *Value[K, V]) Update(k K, f func(x *V)) {
	e, _ := v.t.ensure(k)
	f(&e.val)
}

// Ref returns the value of k to be changed in place, and whether it was there; a key without one gets a zero value first. The
// pointer is good until the entry is deleted or the Store is frozen or trimmed.
func (v *Value[K, V]) Ref(k K) (x *V, found bool) {
	e, fresh := v.t.ensure(k)
	return &e.val, !fresh
}

// Delete removes the value of k and reports whether it had one.
func (v *Value[K, V]) Delete(k K) bool { return v.t.delete(k) }

// Each calls f for every key, in no order, until f returns false. f may set and delete k, and must not touch other keys.
func (v *Value[K, V]) Each(f func(k K, x V) bool) {
	v.t.each(func(e *entry[K, V]) bool { return f(e.key, e.val) })
}

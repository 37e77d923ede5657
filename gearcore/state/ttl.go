package state

import "time"

// TTL is how long an entry lives after it was last written. What has expired is not seen any more, at once; it is deleted
// when it is come across, or by the sweep that goes with each Freeze.
type TTL struct {
	After time.Duration // 0: for ever
	// EventTime counts by the Store's event time (SetEventTime), else by the clock of the machine. What was written before there is an event time
	// counts as written when there is one.
	EventTime bool
	// OnRead makes reading an entry prolong its life too. To spare checkpoints, that is noted once an eighth of After is over.
	OnRead bool
}

// Option changes how a handle works.
type Option func(*TTL)

// WithTTL gives the entries of a handle an end.
func WithTTL(t TTL) Option { return func(o *TTL) { *o = t } }

func (t *TTL) now(s *Store) int64 {
	if t.EventTime {
		return int64(s.eventTime)
	}
	return s.cfg.Now()
}

// over reports whether e has expired.
func (t *table[K, V]) over(e *entry[K, V], i uint32, now int64) bool {
	switch {
	case e.expires == 0 || e.expires > now:
		return false
	case t.ageless(e):
		t.touch(e, i)
		return false
	}
	return true
}

// ageless reports whether e was written before there was an event time.
func (t *table[K, V]) ageless(e *entry[K, V]) bool {
	return t.ttl.EventTime && e.expires <= t.ttl.After.Milliseconds()
}

// born has the life of what was written before there was an event time begin. What is on disk only begins it when it is come across.
func (t *table[K, V]) born() {
	if !t.ttl.EventTime || t.ttl.After == 0 {
		return
	}
	for i := range t.end {
		if e := t.at(i); e.flags&(live|gone) == live && e.expires != 0 && t.ageless(e) {
			t.touch(e, i)
		}
	}
}

// endOf is when the entry of k expires. Asking for it prolongs nothing.
func (t *table[K, V]) endOf(k K) (at int64) {
	t.store.Peek(func() {
		if e, _ := t.find(k); e != nil {
			at = e.expires
		}
	})
	return at
}

// extend prolongs the life of an entry that is read.
func (t *table[K, V]) extend(e *entry[K, V], i uint32, now int64) {
	after := t.ttl.After.Milliseconds()
	if t.ttl.OnRead && !t.store.peeking && now+after-e.expires > after/8 {
		t.touch(e, i)
	}
}

// sweep looks at up to n slots for expired entries and returns how many it looked at.
func (t *table[K, V]) sweep(n int) int {
	if t.ttl.After == 0 {
		return 0
	}
	now := t.ttl.now(t.store)
	looked := 0
	for ; looked < n && looked < int(t.end); looked++ {
		if t.swept >= t.end {
			t.swept = 0
		}
		e := t.at(t.swept)
		if e.flags&(live|gone) == live && t.over(e, t.swept, now) {
			t.remove(e, t.swept)
		}
		t.swept++
	}
	return looked
}

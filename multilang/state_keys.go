package multilang

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

// keyRef is what goes to the child of the key of a tuple: its place, -1 for none, and a list of what its states have; null if the child has that.
type keyRef struct {
	number  int32
	content gearcore.Value
	bytes   int // of the content, as it was written for the child
}

// keyCache knows which keys a child has, each in a place that has a number.
type keyCache struct {
	slots   []keySlot
	byKey   map[state.Key]int32
	of      []int32 // the place of the key of each tuple in flight, by its slot there; -1: it has none
	hand    int     // of the search for a place
	limit   int     // of places, unless more are in use
	scratch []byte
}

type keySlot struct {
	key   state.Key
	open  int32 // tuples of it that are not settled
	used  bool  // since the hand passed
	bytes int   // its states have about as much, or less
}

// reset is for a child that has nothing.
func (c *keyCache) reset() {
	*c = keyCache{byKey: map[state.Key]int32{}, scratch: c.scratch, limit: cmp.Or(c.limit, keysHeld)}
}

// hold finds a place for the key of a tuple in flight, which is in slot at there, and says whether the child has to be told what the key has.
func (c *keyCache) hold(vals []gearcore.Value, at uint32) (n int32, fresh bool, err error) {
	if c.scratch, err = codec.AppendAll(c.scratch[:0], vals); err != nil {
		return 0, false, err
	}
	n, ok := c.byKey[state.Key(c.scratch)]
	if !ok {
		n = c.place()
		key := state.Key(c.scratch)
		c.slots[n].key, c.byKey[key] = key, n
	}
	s := &c.slots[n]
	s.open++
	s.used = true
	c.note(at, n)
	return n, !ok, nil
}

// note remembers the place of the key of a tuple in flight.
func (c *keyCache) note(at uint32, n int32) {
	for len(c.of) <= int(at) {
		c.of = append(c.of, -1)
	}
	c.of[at] = n
}

// place returns a new place, or that of a key that is not in use and was not for long.
func (c *keyCache) place() int32 {
	if len(c.slots) >= c.limit {
		for range 2 * len(c.slots) {
			c.hand = (c.hand + 1) % len(c.slots)
			s := &c.slots[c.hand]
			if s.open == 0 && !s.used {
				delete(c.byKey, s.key)
				return int32(c.hand)
			}
			s.used = false
		}
	}
	c.slots = append(c.slots, keySlot{})
	return int32(len(c.slots) - 1)
}

// settled says that the tuple in that slot of those in flight is.
func (c *keyCache) settled(at uint32) {
	if int(at) < len(c.of) && c.of[at] >= 0 {
		c.slots[c.of[at]].open--
		c.of[at] = -1
	}
}

// told says that the child has been told what the key has.
func (c *keyCache) told(key *keyRef) {
	if key.number >= 0 && !key.content.IsNull() {
		c.slots[key.number].bytes = key.bytes
	}
}

// forget takes back that the child was to be told of the key of a tuple in flight, which could not be sent.
func (c *keyCache) forget(at uint32, fresh bool) {
	n := int32(-1)
	if int(at) < len(c.of) {
		n = c.of[at]
	}
	c.settled(at)
	if fresh && n >= 0 {
		delete(c.byKey, c.slots[n].key)
		c.slots[n].key = "" // nobody's; the place is found again, since it is not in use
	}
}

// held returns the key in a place that has unsettled tuples.
func (c *keyCache) held(n int32) (state.Key, bool) {
	if n < 0 || int(n) >= len(c.slots) || c.slots[n].open == 0 {
		return "", false
	}
	return c.slots[n].key, true
}

// keyed appends an input tuple with its key; without key it is as tuple.
func (f *format) keyed(dst []byte, id uint64, t gearcore.Tuple, key *keyRef) ([]byte, error) {
	if key == nil {
		return f.tuple(dst, id, t)
	}
	at := len(dst)
	dst, err := f.batchTuple(dst, id, t)
	return f.withKey(dst, at, err, key)
}

// timer appends a timer that is due, as a tuple: the number of its state, its moment, and the values of its key.
func (f *format) timer(dst []byte, id uint64, d dueTimer, key []gearcore.Value, ref *keyRef) ([]byte, error) {
	at := len(dst)
	vals := append(make([]gearcore.Value, 0, 2+len(key)), gearcore.Int(int32(d.h.index)), gearcore.Long(d.at))
	dst, err := f.batchItem(dst, id, int64(timerOrigin), 0, append(vals, key...))
	return f.withKey(dst, at, err, ref)
}

// withKey completes the item that begins at with the place of its key and what that has. The item may be as large as a message and all that
// changes may make of the state of a key (states.room), whose length in another form is a guide only.
func (f *format) withKey(dst []byte, at int, err error, key *keyRef) ([]byte, error) {
	if err != nil {
		return dst[:at], err
	}
	from := len(dst)
	if f.framing == framingMarshal {
		dst[at+1] = 6
		dst, err = appendMarshal(marshalInt(dst, int64(key.number)), key.content, 1)
	} else {
		dst = strconv.AppendInt(append(dst[:len(dst)-1], ','), int64(key.number), 10)
		dst, err = appendJSON(append(dst, ','), key.content, 1)
		dst = append(dst, ']')
	}
	key.bytes = len(dst) - from
	if err == nil && len(dst)-at > 4*f.limit {
		err = fmt.Errorf("a tuple with the state of its key, which has %d bytes: %w of 4 times %s (%d)", key.bytes, ErrTooLarge, maxMessageKey, f.limit)
	}
	if err != nil {
		return dst[:at], err
	}
	return dst, nil
}

package multilang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
	"github.com/gearstorm/gearstorm/gearcore/state"
	"github.com/gearstorm/gearstorm/internal/gist"
)

// All that a key has goes to the child in one message with a tuple, whenever the child has not got it. So a change that would make it larger
// than a message is refused while what there is can still be read; a tuple could never reach the key again. Each place has an upper bound of
// what its key has, to which changes add; only when that is over the limit the whole is counted. The last sixteenth is not used, so that this
// is seldom.

// maxScratch is how large the memory for counting may stay.
const maxScratch = 1 << 20

const maxKeyText = 200

// room refuses a change after which a key would have more than a message holds. What makes it smaller is always let through.
func (s *states) room(c change, key state.Key, vals []gearcore.Value) (err error) {
	slot := &s.keys.slots[c.key]
	more, err := s.size(vals)
	if err != nil {
		return err
	}
	if slot.bytes += more; slot.bytes <= s.limit || !s.handles[c.state].grows(c.n, vals) {
		return nil
	}
	content := make([]gearcore.Value, len(s.handles))
	s.store.Peek(func() {
		for i, h := range s.handles {
			if i != int(c.state) || !h.replaces(c.n) {
				content[i] = h.content(key)
			}
		}
	})
	had, err := s.size(content)
	if err != nil {
		return err
	}
	if had+more > s.limit-s.limit/16 {
		return fmt.Errorf("state %s: key %s would have %d bytes of state, of which there may be %d (15/16 of %s): keep less under one key, or raise that",
			s.decls[c.state].name, nameOf(key), had+more, s.limit-s.limit/16, maxMessageKey)
	}
	slot.bytes = had + more
	return nil
}

// nameOf is a key for people.
func nameOf(key state.Key) string {
	var texts []string
	for _, v := range key.Values() {
		texts = append(texts, v.Text())
	}
	return gist.Of(strings.Join(texts, ", "), maxKeyText)
}

// size is how long values are in our own form, which is about what they are in the child's.
func (s *states) size(vals []gearcore.Value) (n int, err error) {
	s.scratch, err = codec.AppendAll(s.scratch[:0], vals)
	if n = len(s.scratch); n > maxScratch {
		s.scratch = nil
	}
	return n, err
}

func (valueHandle) grows(_ int64, vals []gearcore.Value) bool { return len(vals) > 0 }
func (valueHandle) replaces(int64) bool                       { return true }

func (listHandle) grows(_ int64, vals []gearcore.Value) bool { return len(vals) > 0 }
func (listHandle) replaces(int64) bool                       { return false }

func (seriesHandle) grows(_ int64, vals []gearcore.Value) bool { return len(vals) > 2 }
func (seriesHandle) replaces(int64) bool                       { return false }

func (mapHandle) grows(_ int64, vals []gearcore.Value) bool {
	for pair := range slices.Chunk(vals, 2) {
		if !pair[len(pair)-1].IsNull() {
			return true
		}
	}
	return false
}
func (mapHandle) replaces(n int64) bool { return n > 0 }

func (*timerHandle) grows(int64, []gearcore.Value) bool { return false }
func (*timerHandle) replaces(int64) bool                { return false }

package jvmhost

import (
	"math/bits"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// handles is the table of what Java was sent and Go still has to know: by handle, the rows with their anchors, which of
// them are open (neither acked nor failed), and whether Java has executed them. It belongs to the executor and never reads
// the clock.
type handles struct {
	first uint64  // handle of list[0]; 1 at the start
	list  []*held // nil where nothing is left to know
	done  uint64  // Java has executed up to this one

	out, outBytes int // sent and not executed
}

// held is one frame. Its batch has rows and anchors, but no values.
type held struct {
	b      gearcore.Batch
	open   []uint64 // a bit for each row
	nOpen  int
	size   int       // of the frame
	at     time.Time // when it was sent, or a tuple of it was reset
	gaveUp bool      // too old: nothing of it is open
}

// next returns the handle of the next frame and a place for rows of b, which commit puts into the table. The place is not
// used again: the engine may look at its rows until the end of the run that settled them.
func (hs *handles) next(b *gearcore.Batch, now time.Time) (uint64, *held) {
	h := &held{at: now}
	h.b = gearcore.Batch{Layout: b.Layout, Target: b.Target, From: b.From,
		Rows: make([]gearcore.Row, 0, len(b.Rows)), Roots: make([]gearcore.RootEdge, 0, len(b.Roots))}
	h.open = make([]uint64, 0, (len(b.Rows)+63)/64)
	return hs.last() + 1, h
}

// last returns the newest handle, 0 before the first.
func (hs *handles) last() uint64 {
	return hs.first + uint64(len(hs.list)) - 1
}

// add copies t without its values; it is open.
func (h *held) add(t gearcore.Tuple) {
	row := t.Row()
	n := len(h.b.Rows)
	h.b.Append(row.Stream, row.Source, nil, t.Roots())
	if n&63 == 0 {
		h.open = append(h.open, 0)
	}
	h.open[n>>6] |= 1 << (n & 63)
	h.nOpen++
}

// commit puts h into the table unless it is empty.
func (hs *handles) commit(h *held) {
	if len(h.b.Rows) == 0 {
		return
	}
	hs.list = append(hs.list, h)
	hs.out++
	hs.outBytes += h.size
}

// find returns a frame that is in the table, nil if it was and nothing is left to know, or an error for what was never
// sent.
func (hs *handles) find(handle, row uint64) (*held, error) {
	if handle == 0 || handle > hs.last() {
		return nil, badFrame("handle %d, the last one sent is %d", handle, hs.last())
	}
	if handle < hs.first {
		return nil, nil
	}
	h := hs.list[handle-hs.first]
	if h != nil && row >= uint64(len(h.b.Rows)) {
		return nil, badFrame("row %d of handle %d, which has %d", row, handle, len(h.b.Rows))
	}
	return h, nil
}

// anchor returns the tuple at a; ok is false if it is settled or given up.
func (hs *handles) anchor(a at) (t gearcore.Tuple, ok bool, err error) {
	h, err := hs.find(a.handle, uint64(a.row))
	if h == nil || h.open[a.row>>6]&(1<<(a.row&63)) == 0 {
		return t, false, err
	}
	return h.b.Tuple(int(a.row)), true, nil
}

// settle calls f with the open tuples of a range, and closes them.
func (hs *handles) settle(s settled, f func(gearcore.Tuple)) error {
	if s.n == 0 {
		return badFrame("settle no rows of handle %d", s.handle)
	}
	h, err := hs.find(s.handle, uint64(s.from)+uint64(s.n)-1)
	if h == nil {
		return err
	}
	for i := s.from; i < s.from+s.n; i++ {
		if h.open[i>>6]&(1<<(i&63)) != 0 {
			h.open[i>>6] &^= 1 << (i & 63)
			h.nOpen--
			f(h.b.Tuple(int(i)))
		}
	}
	if h.nOpen == 0 && s.handle <= hs.done {
		hs.list[s.handle-hs.first] = nil
		hs.trim()
	}
	return nil
}

// consume takes note that Java has executed everything up to handle.
func (hs *handles) consume(handle uint64) error {
	if handle <= hs.done || handle > hs.last() {
		return badFrame("executed up to %d: it was sent up to %d and has said %d", handle, hs.last(), hs.done)
	}
	for i := hs.done + 1; i <= handle; i++ {
		h := hs.list[i-hs.first] // not executed: still in the table
		hs.out--
		hs.outBytes -= h.size
		if h.nOpen == 0 || h.b.From == gearcore.SystemTask { // nobody waits for what becomes of a tick, and few ack them
			hs.list[i-hs.first] = nil
		}
	}
	hs.done = handle
	hs.trim()
	return nil
}

// renew keeps a frame in which the timeout of an open tuple starts again.
func (hs *handles) renew(handle uint64, now time.Time) { hs.list[handle-hs.first].at = now }

// forget gives up the tuples sent and reset before a time and returns how many were open.
func (hs *handles) forget(before time.Time) (n int) {
	for i, h := range hs.list {
		if h == nil || h.gaveUp || !h.at.Before(before) {
			continue
		}
		n += h.nOpen
		h.gaveUp, h.nOpen = true, 0
		clear(h.open)
		if handle := hs.first + uint64(i); handle <= hs.done {
			hs.list[i] = nil
		}
	}
	hs.trim()
	return n
}

// lose takes up to n frames out of the table, whose process is gone, and calls f with what is open in them. It says
// whether any are left.
func (hs *handles) lose(n int, f func(gearcore.Tuple)) (more bool) {
	for ; n > 0 && len(hs.list) > 0; n-- {
		h := hs.list[0]
		if h != nil {
			for w, open := range h.open {
				for ; open != 0; open &= open - 1 {
					f(h.b.Tuple(w<<6 + bits.TrailingZeros64(open)))
				}
			}
		}
		hs.list[0] = nil
		hs.list = hs.list[1:]
		hs.first++
	}
	hs.done, hs.out, hs.outBytes = hs.last(), 0, 0
	return len(hs.list) > 0
}

// trim moves the front of the table behind what nobody has to know any more.
func (hs *handles) trim() {
	n := 0
	for n < len(hs.list) && hs.list[n] == nil {
		n++
	}
	hs.list = hs.list[n:]
	hs.first += uint64(n)
}

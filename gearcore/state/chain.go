package state

import (
	"fmt"
	"slices"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// chain is what the newest checkpoint is made of: segments that a committed checkpoint names, and pieces that are in no such
// segment. A rollback begins another chain; what was frozen before goes on with the old one, and touches nothing.
type chain struct {
	lim    limits
	mu     sync.Mutex
	files  []use
	pieces []*piece
	next   uint32 // number of the next piece
	floor  uint32 // segments with smaller numbers are not needed
	saved  []saved
	era    int // how often it started over

	cold    coldCycle
	expired [][]byte // keys in pebble that a cold cycle came across
}

// use is a segment, of which the groups from file.First to file.Last count.
type use struct {
	file gearcore.File
	seq  uint32
	live int64 // its bytes, as far as its groups count
	base bool  // a cold cycle wrote it: its pieces are not those that follow
}

// saved is what Save has written for a checkpoint that may be committed: pieces first to last.
type saved struct {
	epoch       uint64
	first, last uint32
	files       []use
	bytes       int64
	era         int
	base        []use
	turned      *turned
}

// Piece 1 is the one that entries belong to which the disk may have.
func newChain(lim limits) *chain { return &chain{lim: lim, next: 2} }

// capture returns what a checkpoint at this moment consists of. bottom says that nothing older will ever be named beside the pieces: what a cold cycle
// has written for a checkpoint whose Commit is still to come may be, and has what was deleted since.
func (c *chain) capture() (files []use, pieces []*piece, bottom bool, era int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.files), slices.Clone(c.pieces), len(c.files) == 0 && c.cold.since == 0, c.era
}

// add appends a piece. Pieces that have gathered, since no checkpoint counts, are merged before they take more than what they say about; where
// a disk has all of it anyway, they are let go beyond limit (0: there is no disk), and the next checkpoint begins with everything.
func (c *chain) add(p *piece, live, limit int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pieces = append(c.pieces, p)
	c.next = p.seq + 1
	total := int64(0)
	for _, q := range c.pieces {
		total += q.bytes
	}
	if limit > 0 {
		if total > limit {
			c.startOverLocked()
		}
		return
	}
	biggest := c.pieces[0].bytes
	if len(c.pieces) > 2 && total-biggest > biggest+c.lim.tail && total > live/2 {
		c.pieces = []*piece{merge(c.pieces, false).piece()}
	}
}

// startOverLocked forgets segments and pieces: the next checkpoint has a cold cycle over everything that was before now.
func (c *chain) startOverLocked() {
	c.files, c.pieces, c.saved, c.expired = nil, nil, nil, nil
	c.era++
	c.cold = coldCycle{since: c.next, full: true}
	c.next++
}

// maxSaved bounds the checkpoints of which it is remembered what was written while none of them counts. One at a time is under way, and few are
// before of which nobody has heard yet.
const maxSaved = 64

// keep remembers what was written for an epoch.
func (c *chain) keep(s saved) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.era == c.era {
		c.saved = append(c.saved[max(0, len(c.saved)-maxSaved+1):], s)
	}
}

// commit says that the checkpoint of that epoch, and all before, count: segments of it can be named again.
func (c *chain) commit(epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.saved, func(s saved) bool { return s.epoch == epoch })
	if i < 0 {
		return
	}
	best := c.saved[i]
	c.saved = slices.DeleteFunc(c.saved, func(s saved) bool { return s.epoch <= epoch })
	if best.turned != nil {
		c.files = append(c.files, best.base...)
		c.turnedLocked(best.turned)
		c.pruneLocked()
	}
	if len(best.files) == 0 || best.bytes < max(c.lim.tail, c.namedLocked()/c.lim.tailShare) {
		return
	}
	older := slices.DeleteFunc(slices.Clone(c.files), func(u use) bool { return u.seq >= best.first && !u.base })
	c.files = append(older, best.files...)
	c.pruneLocked()
	for len(c.pieces) > 0 && c.pieces[0].seq <= best.last {
		c.pieces = c.pieces[1:]
	}
}

// namedLocked is the size of all segments, as far as their groups count.
func (c *chain) namedLocked() int64 {
	n := int64(0)
	for _, u := range c.files {
		n += u.live
	}
	return n
}

func (c *chain) named() (bytes int64, files int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.namedLocked(), len(c.files)
}

// raise says that segments older than floor are not needed any more.
func (c *chain) raise(floor uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.floor = floor
	c.pruneLocked()
}

func (c *chain) pruneLocked() {
	c.files = slices.DeleteFunc(c.files, func(u use) bool { return u.seq < c.floor })
}

// meta is what a Part keeps of u beside the file.
func (u use) meta() string { return fmt.Sprintf("%d %d", u.seq, u.live) }

// useOf makes a use of a file of a Part.
func useOf(f gearcore.File) (u use, ok bool) {
	u.file = f
	n, err := fmt.Sscanf(f.Meta, "%d %d", &u.seq, &u.live)
	return u, err == nil && n == 2 && u.live >= 0 && f.First <= f.Last && f.Last < gearcore.KeyGroups
}

// narrow leaves of u the groups first to last.
func (u use) narrow(first, last int) use {
	was := int64(u.file.Last) - int64(u.file.First) + 1
	u.live = u.live / was * int64(last-first+1)
	u.file.First, u.file.Last = uint16(first), uint16(last)
	u.file.Meta = u.meta()
	return u
}

// takeExpired returns and forgets what cold cycles found.
func (c *chain) takeExpired() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := c.expired
	c.expired = nil
	return keys
}

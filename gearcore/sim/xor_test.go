package sim

import "github.com/gearstorm/gearstorm/gearcore"

// ledgerBuckets is the number of message timeouts that an untouched root survives (Storm: RotatingMap with 3).
const ledgerBuckets = 3

// XOR is Storm's ledger: one 64-bit value a root, whatever the size of its tree. The zero XOR is ready to use. It is
// the model of what the engine's counts must say.
//
// Messages about one root may come in any order, since a bolt can be done before the spout's AckInit arrives: until
// AckInit names the spout, a root only collects. From then on, value zero is AckDone, even if the tree failed as well;
// else a failure is AckFail; both end the root. AckFail and AckReset make the root young again, AckInit and AckXor do
// not.
type XOR struct {
	roots table[root]
	gen   uint32
	dead  []uint64 // scratch of Rotate
}

type root struct {
	val    uint64
	spout  gearcore.TaskID // 0: not known yet
	gen    uint32
	failed bool
}

// Apply takes one message of a spout or bolt (AckInit, AckXor, AckFail, AckReset) and appends what it means for the
// spout to out: at most one AckDone, AckFail or AckReset, addressed to Ack.Spout.
func (l *XOR) Apply(m gearcore.Ack, out []gearcore.Ack) []gearcore.Ack {
	if m.Root == 0 || m.Op < gearcore.AckInit || m.Op > gearcore.AckReset {
		return out
	}
	at, fresh := l.roots.put(m.Root)
	r := &l.roots.slots[at].val
	if fresh {
		r.gen = l.gen
	}
	switch m.Op {
	case gearcore.AckInit:
		r.val ^= m.Val
		r.spout = m.Spout
	case gearcore.AckXor:
		r.val ^= m.Val
	case gearcore.AckFail:
		r.failed = true
		r.gen = l.gen
	case gearcore.AckReset:
		r.gen = l.gen
	}
	if r.spout == 0 {
		return out
	}
	switch {
	case r.val == 0:
		out = append(out, gearcore.Ack{Root: m.Root, Spout: r.spout, Op: gearcore.AckDone})
	case r.failed:
		out = append(out, gearcore.Ack{Root: m.Root, Spout: r.spout, Op: gearcore.AckFail})
	case m.Op == gearcore.AckReset:
		return append(out, gearcore.Ack{Root: m.Root, Spout: r.spout, Op: gearcore.AckReset})
	default:
		return out
	}
	l.roots.remove(at)
	return out
}

// Rotate ages the book by one message timeout: roots untouched for three rotations are forgotten without a word; their
// spouts have given them up before.
func (l *XOR) Rotate() {
	l.gen++
	l.dead = l.dead[:0]
	for i := range l.roots.slots {
		if s := &l.roots.slots[i]; s.key != 0 && l.gen-s.val.gen >= ledgerBuckets {
			l.dead = append(l.dead, s.key)
		}
	}
	for _, k := range l.dead {
		l.roots.remove(l.roots.find(k))
	}
	l.roots.shrink()
}

// Len returns the number of open roots.
func (l *XOR) Len() int { return l.roots.n }

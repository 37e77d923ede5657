package ackers

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Roots opened one by one and from what is offered, in any mixture, ended in any order: each has what it was opened with
// until it ends, and no two are the same.
func TestOfferedRootsAreLikeOthers(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var p Pending
		open := map[uint64]int64{}
		var order []uint64
		seen := map[uint64]bool{}
		opened := func(root uint64, id int64) {
			if seen[root] || root>>32 == 0 {
				t.Fatalf("seed %d: root %x comes twice or is none", seed, root)
			}
			seen[root], open[root] = true, id
			order = append(order, root)
		}
		id := int64(0)
		for range 3000 {
			from := Origin{At: time.Duration(id), Task: gearcore.TaskID(id % 7), Stream: gearcore.StreamID(id % 5)}
			switch rnd.IntN(4) {
			case 0:
				opened(p.Open(gearcore.Long(id), from, 1+rnd.IntN(2)), id)
				id++
			case 1:
				p.Offer(from)
				base := id
				for range min(rnd.IntN(80), len(p.Next.IDs)) {
					o := &p.Next
					o.IDs[o.N] = gearcore.Long(base<<32 | id)
					opened(o.Root+uint64(o.N), base<<32|id)
					o.N++
					id++
				}
			default:
				for n := rnd.IntN(60); n > 0 && len(order) > 0; n-- {
					i := 0
					if rnd.IntN(8) == 0 {
						i = rnd.IntN(len(order))
					}
					root := order[i]
					order = append(order[:i], order[i+1:]...)
					got, o := p.Take(root)
					if got == nil || got.Int() != open[root] {
						t.Fatalf("seed %d: root %x is %v, want %d", seed, root, got, open[root])
					}
					base := open[root]
					if base >= 1<<32 {
						base >>= 32
					}
					if base > 0 && (o.At != time.Duration(base) || o.Task != gearcore.TaskID(base%7) || o.Stream != gearcore.StreamID(base%5)) {
						t.Fatalf("seed %d: root %x of %d was emitted by %+v", seed, root, base, *o)
					}
					delete(open, root)
					if taken(&p, root) {
						t.Fatalf("seed %d: root %x ended twice", seed, root)
					}
				}
			}
			if p.Len() != len(open) {
				t.Fatalf("seed %d: %d in flight, want %d", seed, p.Len(), len(open))
			}
		}
		if n := len(p.Rotate(nil)); n != 0 {
			t.Fatalf("seed %d: %d time out at once", seed, n)
		}
		if n := len(p.Rotate(nil)); n != len(open) || p.Len() != 0 {
			t.Fatalf("seed %d: %d of %d time out", seed, n, len(open))
		}
	}
}

// What was opened from an offer before a rotation is a rotation old.
func TestOfferedRootsTimeOut(t *testing.T) {
	var p Pending
	p.Take(p.Open(gearcore.Null(), Origin{}, 1))
	p.Offer(Origin{})
	p.Next.IDs[0], p.Next.N = gearcore.Long(1), 1
	p.Rotate(nil)
	p.Next.IDs[0], p.Next.N = gearcore.Long(2), 1
	if out := p.Rotate(nil); len(out) != 1 || out[0].ID.Int() != 1 || p.Len() != 1 {
		t.Errorf("timed out: %v, %d in flight", out, p.Len())
	}
}

// ReleaseRun does what Release does for each of the roots, up to the first that keeps a reference.
func TestReleaseRunIsReleaseInTurn(t *testing.T) {
	const n = 3*chunkSlots + 7
	rnd := rand.New(rand.NewPCG(3, 3))
	var one, run Pending
	var first uint64
	for i := range n {
		refs := 1 + rnd.IntN(50)/48
		r := one.Open(gearcore.Null(), Origin{}, refs)
		if i == 0 {
			first = r
		}
		if q := run.Open(gearcore.Null(), Origin{}, refs); q != r || r != first+uint64(i) {
			t.Fatalf("root %d is %x and %x, want %x", i, r, q, first+uint64(i))
		}
		if i%9 == 0 {
			one.Add(r, 1)
			run.Add(r, 1)
			one.Release(r)
			run.Release(r)
		}
	}
	for range 3 {
		for i := 0; i < n; {
			step := min(1+rnd.IntN(900), n-i)
			last := run.ReleaseRun(first+uint64(i), step)
			for j := range min(last+1, step) {
				if got := one.Release(first + uint64(i+j)); got != (j < last) {
					t.Fatalf("root %d: last %v, but %d of %d from %d on", i+j, got, last, step, i)
				}
			}
			i += min(last+1, step)
		}
	}
	if last := run.ReleaseRun(first+4*chunkSlots, 3); last != 0 {
		t.Errorf("%d roots that do not exist lost their last reference", last)
	}
	for i := range n {
		run.Take(first + uint64(i))
	}
	next := run.Open(gearcore.Null(), Origin{}, 2)
	for uint32(next) != uint32(first) {
		next = run.Open(gearcore.Null(), Origin{}, 2)
	}
	if last := run.ReleaseRun(first, 1); last != 0 || run.Release(next) || !run.Release(next) {
		t.Error("a late holder has changed the next root of its slot")
	}
}

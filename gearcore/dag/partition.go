package dag

import (
	"fmt"
	"math/bits"
	"math/rand/v2"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Partitioner chooses the one task that gets a tuple on a route, as a position in Route.Tasks. It belongs to one source
// task and is not safe for concurrent use: partial key and none remember.
type Partitioner interface {
	Pick(vals []gearcore.Value) int
}

// NewPartitioner returns the partitioner of r for one source task; seed makes its random choices repeatable. There is
// none (nil, nil) for a route without tasks, and for the groupings that are not a function of the tuple and its source
// alone: All, Direct, Custom, Foreign, and those of Balance (Shuffle and LocalOrShuffle).
func NewPartitioner(r *Route, mode gearcore.HashMode, seed uint64) (Partitioner, error) {
	n := len(r.Tasks)
	if n == 0 {
		return nil, nil
	}
	switch k := r.Grouping.Kind; k {
	case All, Direct, Custom, Foreign, Shuffle, LocalOrShuffle:
		return nil, nil
	case Global:
		return first{}, nil
	case Fields:
		switch {
		case n == 1 || len(r.Fields) == 0:
			return first{}, nil
		case len(r.Fields) == 1:
			return &oneField{at: r.Fields[0], mode: mode, mod: modulus(n)}, nil
		}
		return &fields{idx: r.Fields, mode: mode, mod: modulus(n)}, nil
	case KeyGroups:
		if n > gearcore.KeyGroups {
			return nil, fmt.Errorf("route to %s: %d tasks, but there are %d key groups", r.Target.Name, n, gearcore.KeyGroups)
		}
		return &keyGroups{idx: r.Fields, mode: mode, n: n}, nil
	case None:
		return &random{n: n, rnd: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}, nil
	case PartialKey:
		return &partialKey{idx: r.Fields, mode: mode, used: make([]int64, n)}, nil
	default:
		return nil, fmt.Errorf("route to %s: unknown grouping %v", r.Target.Name, k)
	}
}

// first is Global, and every grouping that has no choice.
type first struct{}

func (first) Pick([]gearcore.Value) int { return 0 }

// oneField is Fields with one field: the hash of a list of one.
type oneField struct {
	at   int
	mode gearcore.HashMode
	mod  divisor
}

func (f *oneField) Pick(vals []gearcore.Value) int {
	v := &vals[f.at]
	if v.Kind() == gearcore.KindString {
		return f.mod.floorMod(31 + gearcore.StringHash(v.Str()))
	}
	return f.mod.floorMod(31 + v.Hash(f.mode))
}

type fields struct {
	idx  []int
	mode gearcore.HashMode
	mod  divisor
}

func (f *fields) Pick(vals []gearcore.Value) int {
	return f.mod.floorMod(gearcore.FieldsHash(vals, f.idx, f.mode))
}

type keyGroups struct {
	idx  []int
	mode gearcore.HashMode
	n    int
}

func (k *keyGroups) Pick(vals []gearcore.Value) int {
	return GroupOwner(gearcore.KeyGroup(gearcore.FieldsHash(vals, k.idx, k.mode)), k.n)
}

// GroupOwner returns which of n tasks, 1 to gearcore.KeyGroups, has the key group: each has a contiguous range, and
// ranges differ by one group at most.
func GroupOwner(group, n int) int { return group * n / gearcore.KeyGroups }

// OwnedGroups returns the range [lo, hi) of key groups of task i of n.
func OwnedGroups(i, n int) (lo, hi int) {
	return (i*gearcore.KeyGroups + n - 1) / n, ((i+1)*gearcore.KeyGroups + n - 1) / n
}

type random struct {
	n   int
	rnd *rand.Rand
}

func (r *random) Pick([]gearcore.Value) int { return r.rnd.IntN(r.n) }

// divisor divides by a fixed n without a division (Lemire, Kaser, Kurz: Faster Remainder by Direct Computation).
type divisor struct {
	m    uint64 // 2^64/n, rounded up
	n    uint32
	wrap uint32 // 2^32 modulo n
}

// modulus returns the divisor n, 1 to 2^31-1. For n = 1 m wraps to 0 and every remainder is 0, as it must be.
func modulus(n int) divisor {
	return divisor{m: ^uint64(0)/uint64(n) + 1, n: uint32(n), wrap: uint32((1 << 32) % uint64(n))}
}

// floorMod is gearcore.FloorMod(h, n).
func (d *divisor) floorMod(h int32) int {
	hi, _ := bits.Mul64(d.m*uint64(uint32(h)), uint64(d.n))
	r := uint32(hi)
	if h < 0 { // taken for h + 2^32
		if r < d.wrap {
			r += d.n
		}
		r -= d.wrap
	}
	return int(r)
}

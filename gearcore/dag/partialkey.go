package dag

import "github.com/gearstorm/gearstorm/gearcore"

// partialKey is Storm's PartialKeyGrouping: two candidates from the key, the one this source has used less.
type partialKey struct {
	idx  []int
	mode gearcore.HashMode
	used []int64
}

func (p *partialKey) Pick(vals []gearcore.Value) int {
	a, b := PartialKeyChoices(vals, p.idx, p.mode, len(p.used))
	if p.used[b] < p.used[a] {
		a = b
	}
	p.used[a]++
	return a
}

// PartialKeyChoices returns the two candidate positions among n tasks for the key of vals at idx (value 0 as text if
// idx is empty): two draws of java.util.Random seeded with the Java hash of the key's bytes, which are four
// big-endian bytes of hash per field.
func PartialKeyChoices(vals []gearcore.Value, idx []int, mode gearcore.HashMode, n int) (int, int) {
	if n == 1 {
		return 0, 0
	}
	h := int32(1)
	if len(idx) == 0 {
		if len(vals) > 0 {
			text := vals[0].Text()
			for i := range len(text) {
				h = 31*h + int32(int8(text[i]))
			}
		}
	}
	for _, i := range idx {
		fh := vals[i].Hash(mode)
		for s := 24; s >= 0; s -= 8 {
			h = 31*h + int32(int8(fh>>s))
		}
	}
	r := newJavaRandom(int64(h))
	a, b := r.Intn(n), r.Intn(n)
	if a == b {
		b = (b + 1) % n
	}
	return a, b
}

// JavaRandom is java.util.Random's linear congruential generator.
type JavaRandom struct{ seed uint64 }

// NewJavaRandom returns the generator that new Random(seed) would be.
func NewJavaRandom(seed int64) *JavaRandom {
	r := newJavaRandom(seed)
	return &r
}

func newJavaRandom(seed int64) JavaRandom {
	return JavaRandom{(uint64(seed) ^ 0x5DEECE66D) & (1<<48 - 1)}
}

func (r *JavaRandom) next(bits int) int32 {
	r.seed = (r.seed*0x5DEECE66D + 0xB) & (1<<48 - 1)
	return int32(r.seed >> (48 - bits))
}

// Intn is Random.nextInt(n); n > 0.
func (r *JavaRandom) Intn(n int) int {
	if n&(n-1) == 0 {
		return int(int64(n) * int64(r.next(31)) >> 31)
	}
	for {
		bits := r.next(31)
		val := bits % int32(n)
		if bits-val+int32(n-1) >= 0 {
			return int(val)
		}
	}
}

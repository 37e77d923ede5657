package gearcore

import (
	"fmt"
	"math"
	"math/big"
	"unicode/utf8"
)

// HashMode says how fields grouping hashes integers. It is fixed when a topology is submitted and stored with it,
// since changing it moves keys between tasks.
type HashMode uint8

const (
	// HashByValue hashes every integer by its value: as an Integer if it fits 32 bits, else as a Long. Keys from Go
	// (Long) and from Python (Integer) then meet. It is the mode of topologies in which no JVM routes.
	HashByValue HashMode = iota
	// HashJava is exactly Java's: Long(-1) and Integer(-1) differ.
	HashJava
)

// FieldsHash returns Java's Arrays.deepHashCode over the values of vals at the positions idx, as Storm's
// TupleUtils does for a fields grouping. The task is sorted[FloorMod(hash, n)].
func FieldsHash(vals []Value, idx []int, mode HashMode) int32 {
	h := int32(1)
	for _, i := range idx {
		h = 31*h + vals[i].Hash(mode)
	}
	return h
}

// FloorMod returns h modulo n, never negative; n > 0.
func FloorMod(h int32, n int) int {
	m := int(h) % n
	if m < 0 {
		m += n
	}
	return m
}

// KeyGroups is the number of key groups, the units in which keyed state is kept and moved.
const KeyGroups = 1 << 12

// KeyGroup returns the group of a key by its hash, 0 to KeyGroups-1. The hash is mixed first: Java's hash of a small
// integer is that integer, so that keys in sequence would all fall into the first task's range.
func KeyGroup(h int32) int {
	v := uint32(h)
	v = (v ^ v>>16) * 0x85ebca6b
	v = (v ^ v>>13) * 0xc2b2ae35
	return int((v ^ v>>16) % KeyGroups)
}

// Hash returns Java's hashCode of v. Objects hash to 0; Hashable tells beforehand.
func (v Value) Hash(mode HashMode) int32 {
	switch v.k {
	case KindBool:
		if v.n == 1 {
			return 1231
		}
		return 1237
	case KindByte, KindShort, KindChar, KindInt:
		return int32(v.n)
	case KindLong:
		if mode == HashByValue && int64(v.n) == int64(int32(v.n)) {
			return int32(v.n)
		}
		return int32(v.n ^ v.n>>32)
	case KindFloat:
		if f := math.Float32frombits(uint32(v.n)); f != f {
			return 0x7fc00000
		}
		return int32(v.n)
	case KindDouble:
		b := v.n
		if f := math.Float64frombits(b); f != f {
			b = 0x7ff8000000000000
		}
		return int32(b ^ b>>32)
	case KindString:
		return StringHash(v.Str())
	case KindBytes:
		h := int32(1)
		for _, c := range v.Bytes() {
			h = 31*h + int32(int8(c))
		}
		return h
	case KindBigInt:
		return bigHash(v.BigInt())
	case KindList:
		h := int32(1)
		for _, e := range v.List() {
			h = 31*h + e.Hash(mode)
		}
		return h
	case KindMap:
		h := int32(0)
		for _, p := range v.Map() {
			h += p.Key.Hash(mode) ^ p.Val.Hash(mode)
		}
		return h
	case KindOpaque:
		return v.Opaque().Hash
	}
	return 0
}

// Hashable returns an error that names why v cannot be a grouping field: Go objects have no hash that other
// processes would agree on.
func (v Value) Hashable() error {
	if v.k == KindObject {
		return fmt.Errorf("group by a Go object (%T): only plain values can be grouping fields", v.Any())
	}
	return nil
}

// StringHash returns Java's String.hashCode of s, over its UTF-16 units.
func StringHash(s string) int32 {
	h := uint32(0)
	// ASCII in blocks of eight and four: one step of 31^8 in the chain of multiplications instead of eight of 31. The
	// bytes of a block are joined in pairs, side by side in one word, then the pairs, then the two halves.
	const (
		p2, p4 = 31 * 31, 31 * 31 * 31 * 31
		p8     = p4 * p4 & 0xffffffff
		high   = 0x8080808080808080
	)
	for ; len(s) >= 8; s = s[8:] {
		b := s[:8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		if w&high != 0 {
			break
		}
		w = w&0x00ff00ff00ff00ff*31 + w>>8&0x00ff00ff00ff00ff
		w = w&0x0000ffff0000ffff*p2 + w>>16&0x0000ffff0000ffff
		h = h*p8 + uint32(w)*p4 + uint32(w>>32)
	}
	if len(s) >= 4 {
		a, b, c, d := s[0], s[1], s[2], s[3]
		if (a|b|c|d)&0x80 == 0 {
			h = h*p4 + uint32(a)*29791 + uint32(b)*p2 + uint32(c)*31 + uint32(d)
			s = s[4:]
		}
	}
	i := 0
	for i < len(s) {
		if c := s[i]; c < utf8.RuneSelf {
			h = 31*h + uint32(c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r >= 0x10000 {
			r -= 0x10000
			h = 31*h + uint32(0xD800+(r>>10))
			h = 31*h + uint32(0xDC00+(r&0x3FF))
			continue
		}
		h = 31*h + uint32(r)
	}
	return int32(h)
}

// bigHash is BigInteger.hashCode: a polynomial over the magnitude's 32-bit words, most significant first, times the
// sign.
func bigHash(b *big.Int) int32 {
	mag := b.Bytes()
	h := uint32(0)
	for len(mag) > 0 {
		n := len(mag) % 4
		if n == 0 {
			n = 4
		}
		w := uint32(0)
		for _, c := range mag[:n] {
			w = w<<8 | uint32(c)
		}
		h = 31*h + w
		mag = mag[n:]
	}
	return int32(h) * int32(b.Sign())
}

// KeyGroupRange returns the groups of the index-th of n tasks, 1 <= n <= KeyGroups. Group g belongs to task g*n/KeyGroups.
func KeyGroupRange(index, n int) (first, last int) {
	return (index*KeyGroups + n - 1) / n, ((index+1)*KeyGroups+n-1)/n - 1
}

package multilang

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/gearcore"
)

// appendMarshal appends v as Python's marshal.loads reads it: type codes of Python/marshal.c, which every Python 3 reads.
// Bytes are bytes, maps dicts with keys of any plain kind. Opaque values and Go objects are errors. On an error dst may have
// grown.
func appendMarshal(dst []byte, v gearcore.Value, depth int) ([]byte, error) {
	switch v.Kind() {
	case gearcore.KindString:
		return marshalString(dst, v.Str()), nil
	case gearcore.KindNull:
		return append(dst, 'N'), nil
	case gearcore.KindBool:
		if v.Bool() {
			return append(dst, 'T'), nil
		}
		return append(dst, 'F'), nil
	case gearcore.KindByte, gearcore.KindShort, gearcore.KindInt, gearcore.KindLong:
		return marshalInt(dst, v.Int()), nil
	case gearcore.KindFloat, gearcore.KindDouble:
		return binary.LittleEndian.AppendUint64(append(dst, 'g'), math.Float64bits(v.Float())), nil
	case gearcore.KindChar:
		return marshalString(dst, string(rune(v.Int()))), nil
	case gearcore.KindBigInt:
		return marshalBig(dst, v.BigInt()), nil
	case gearcore.KindBytes:
		b := v.Bytes()
		return append(binary.LittleEndian.AppendUint32(append(dst, 's'), uint32(len(b))), b...), nil
	case gearcore.KindList, gearcore.KindMap:
		if d := v.Deferred(); d != nil && d.Form == formMarshal {
			return append(dst, d.Text...), nil
		}
		if v.Kind() == gearcore.KindList {
			return marshalValues(dst, v.List(), depth+1)
		}
		return marshalPairs(dst, v.Map(), depth+1)
	}
	return dst, unsupported(v)
}

func marshalInt(dst []byte, n int64) []byte {
	if n == int64(int32(n)) {
		u := uint32(n)
		return append(dst, 'i', byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
	}
	return marshalBig(dst, big.NewInt(n))
}

// marshalBig appends a number in digits of 15 bits, the lowest first; the sign is that of their count.
func marshalBig(dst []byte, n *big.Int) []byte {
	digits := (n.BitLen() + 14) / 15
	count := int32(digits)
	if n.Sign() < 0 {
		count = -count
	}
	dst = binary.LittleEndian.AppendUint32(append(dst, 'l'), uint32(count))
	rest, mask, digit := new(big.Int).Abs(n), big.NewInt(1<<15-1), new(big.Int)
	for range digits {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(digit.And(rest, mask).Uint64()))
		rest.Rsh(rest, 15)
	}
	return dst
}

func marshalString(dst []byte, s string) []byte {
	switch {
	case !isASCII(s):
		if !utf8.ValidString(s) {
			s = strings.ToValidUTF8(s, "\uFFFD")
		}
		dst = binary.LittleEndian.AppendUint32(append(dst, 'u'), uint32(len(s)))
	case len(s) <= math.MaxUint8:
		dst = append(dst, 'z', byte(len(s)))
	default:
		dst = binary.LittleEndian.AppendUint32(append(dst, 'a'), uint32(len(s)))
	}
	return append(dst, s...)
}

func isASCII(s string) bool {
	b := bytesOf(s)
	var seen uint64
	for len(b) >= 8 {
		seen |= binary.LittleEndian.Uint64(b)
		b = b[8:]
	}
	for _, c := range b {
		seen |= uint64(c)
	}
	return seen&highBits == 0
}

func marshalValues(dst []byte, vs []gearcore.Value, depth int) ([]byte, error) {
	if depth > maxEncodeDepth {
		return dst, errTooDeep
	}
	var err error
	dst = binary.LittleEndian.AppendUint32(append(dst, '['), uint32(len(vs)))
	for i := range vs {
		if dst, err = appendMarshal(dst, vs[i], depth); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func marshalPairs(dst []byte, ps []gearcore.Pair, depth int) ([]byte, error) {
	if depth > maxEncodeDepth {
		return dst, errTooDeep
	}
	var err error
	dst = append(dst, '{')
	for i := range ps {
		switch ps[i].Key.Kind() {
		case gearcore.KindList, gearcore.KindMap:
			return dst, fmt.Errorf("send a map with a %s as key to a multilang component: Python has no such keys", ps[i].Key.Kind())
		}
		if dst, err = appendMarshal(dst, ps[i].Key, depth); err != nil {
			return dst, err
		}
		if dst, err = appendMarshal(dst, ps[i].Val, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '0'), nil
}

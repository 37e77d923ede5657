package multilang

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/gearcore"
)

// appendMsgpack appends v in msgpack. Integers and floats keep their value and take the shortest integer format; bytes are
// bin, a char is a one-character string, map keys are strings (Python's reader takes no others). A big integer beyond 64
// bits, opaque values and Go objects are errors. On an error dst may have grown.
func appendMsgpack(dst []byte, v gearcore.Value, depth int) ([]byte, error) {
	switch v.Kind() {
	case gearcore.KindNull:
		return append(dst, 0xc0), nil
	case gearcore.KindBool:
		if v.Bool() {
			return append(dst, 0xc3), nil
		}
		return append(dst, 0xc2), nil
	case gearcore.KindByte, gearcore.KindShort, gearcore.KindInt, gearcore.KindLong:
		return packInt(dst, v.Int()), nil
	case gearcore.KindFloat:
		return binary.BigEndian.AppendUint32(append(dst, 0xca), math.Float32bits(float32(v.Float()))), nil
	case gearcore.KindDouble:
		return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(v.Float())), nil
	case gearcore.KindString:
		return packString(dst, v.Str()), nil
	case gearcore.KindChar:
		return packString(dst, string(rune(v.Int()))), nil
	case gearcore.KindBytes:
		return append(packLength(dst, len(v.Bytes()), 0xc4, 0xc5, 0xc6), v.Bytes()...), nil
	case gearcore.KindBigInt:
		return packBig(dst, v)
	case gearcore.KindList:
		return packValues(dst, v.List(), depth+1)
	case gearcore.KindMap:
		return packPairs(dst, v.Map(), depth+1)
	}
	return dst, unsupported(v)
}

func packInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0 && n < 0x80, n < 0 && n >= -32:
		return append(dst, byte(n))
	case n >= 0 && n <= math.MaxUint8:
		return append(dst, 0xcc, byte(n))
	case n == int64(int8(n)):
		return append(dst, 0xd0, byte(n))
	case n == int64(int16(n)):
		return append(dst, 0xd1, byte(n>>8), byte(n))
	case n == int64(int32(n)):
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

func packBig(dst []byte, v gearcore.Value) ([]byte, error) {
	b := v.BigInt()
	if b.IsInt64() {
		return packInt(dst, b.Int64()), nil
	}
	if b.IsUint64() {
		return binary.BigEndian.AppendUint64(append(dst, 0xcf), b.Uint64()), nil
	}
	return dst, fmt.Errorf("send an integer of %d bits over msgpack: it carries 64", b.BitLen())
}

// packLength appends a length with the type byte for 8, 16 or 32 bits; a zero one8 is not used.
func packLength(dst []byte, n int, one8, one16, one32 byte) []byte {
	switch {
	case n <= math.MaxUint8 && one8 != 0:
		return append(dst, one8, byte(n))
	case n <= math.MaxUint16:
		return append(dst, one16, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, one32), uint32(n))
}

func packString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) < 32 {
		return append(append(dst, 0xa0|byte(len(s))), s...)
	}
	return append(packLength(dst, len(s), 0xd9, 0xda, 0xdb), s...)
}

func packListHeader(dst []byte, n int) []byte {
	if n < 16 {
		return append(dst, 0x90|byte(n))
	}
	return packLength(dst, n, 0, 0xdc, 0xdd)
}

func packMapHeader(dst []byte, n int) []byte {
	if n < 16 {
		return append(dst, 0x80|byte(n))
	}
	return packLength(dst, n, 0, 0xde, 0xdf)
}

func packValues(dst []byte, vs []gearcore.Value, depth int) ([]byte, error) {
	if depth > maxEncodeDepth {
		return dst, errTooDeep
	}
	var err error
	dst = packListHeader(dst, len(vs))
	for i := range vs {
		if dst, err = appendMsgpack(dst, vs[i], depth); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func packPairs(dst []byte, ps []gearcore.Pair, depth int) ([]byte, error) {
	if depth > maxEncodeDepth {
		return dst, errTooDeep
	}
	var err error
	dst = packMapHeader(dst, len(ps))
	for i := range ps {
		key, err1 := keyText(ps[i].Key)
		if err1 != nil {
			return dst, err1
		}
		if dst, err = appendMsgpack(packString(dst, key), ps[i].Val, depth); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

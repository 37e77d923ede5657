package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"unsafe"

	"github.com/gearstorm/gearstorm/gearcore"
)

// maxDepth bounds how deep lists and maps may nest.
const maxDepth = 64

// ErrObject says that a tuple holds a Go object, which cannot leave its process.
var ErrObject = errors.New("a Go object (gearcore.Obj) cannot be sent to another worker: emit plain values, or keep both components in one worker")

// appendValue appends one value: its kind, then what the kind needs. Integers are zigzag varints, texts have a varint
// length in front.
func appendValue(buf []byte, v gearcore.Value, depth int) ([]byte, error) {
	k := v.Kind()
	buf = append(buf, byte(k))
	switch k {
	case gearcore.KindNull:
	case gearcore.KindBool:
		if v.Bool() {
			return append(buf, 1), nil
		}
		return append(buf, 0), nil
	case gearcore.KindByte, gearcore.KindShort, gearcore.KindChar, gearcore.KindInt, gearcore.KindLong:
		return binary.AppendVarint(buf, v.Int()), nil
	case gearcore.KindFloat:
		return binary.LittleEndian.AppendUint32(buf, math.Float32bits(float32(v.Float()))), nil
	case gearcore.KindDouble:
		return binary.LittleEndian.AppendUint64(buf, math.Float64bits(v.Float())), nil
	case gearcore.KindString:
		s := v.Str()
		return append(appendLen(buf, len(s)), s...), nil
	case gearcore.KindBytes:
		b := v.Bytes()
		return append(appendLen(buf, len(b)), b...), nil
	case gearcore.KindBigInt:
		b := v.BigInt()
		buf = append(buf, byte(b.Sign()+1))
		mag := b.Bytes()
		return append(appendLen(buf, len(mag)), mag...), nil
	case gearcore.KindOpaque:
		o := v.Opaque()
		buf = append(appendLen(buf, len(o.Class)), o.Class...)
		buf = binary.LittleEndian.AppendUint32(buf, uint32(o.Hash))
		return append(appendLen(buf, len(o.Bytes)), o.Bytes...), nil
	case gearcore.KindList, gearcore.KindMap:
		return appendNested(buf, v, depth)
	case gearcore.KindObject:
		return buf, ErrObject
	default:
		return buf, fmt.Errorf("send a value of unknown kind %v", k)
	}
	return buf, nil
}

func appendNested(buf []byte, v gearcore.Value, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return buf, fmt.Errorf("send a value: lists and maps nest deeper than %d", maxDepth)
	}
	var err error
	if v.Kind() == gearcore.KindList {
		vs := v.List()
		buf = appendLen(buf, len(vs))
		for _, e := range vs {
			if buf, err = appendValue(buf, e, depth+1); err != nil {
				return buf, err
			}
		}
		return buf, nil
	}
	ps := v.Map()
	buf = appendLen(buf, len(ps))
	for _, p := range ps {
		if buf, err = appendValue(buf, p.Key, depth+1); err != nil {
			return buf, err
		}
		if buf, err = appendValue(buf, p.Val, depth+1); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

func appendLen(buf []byte, n int) []byte {
	if n < 0x80 {
		return append(buf, byte(n))
	}
	return binary.AppendUvarint(buf, uint64(n))
}

// reader takes a frame body apart. The first error sticks; every read after it gives zero values, so callers check
// err once per row.
type reader struct {
	p      []byte
	err    error
	budget int // how many list and map elements may still be allocated
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = badFrame(format, args...)
	}
	r.p = nil
}

func (r *reader) byte() byte {
	if len(r.p) == 0 {
		r.fail("ends in the middle of a value")
		return 0
	}
	b := r.p[0]
	r.p = r.p[1:]
	return b
}

func (r *reader) fixed(n int) []byte {
	if len(r.p) < n {
		r.fail("ends in the middle of a value")
		return zeros[:n]
	}
	b := r.p[:n]
	r.p = r.p[n:]
	return b
}

// zeros is as long as the longest fixed read.
var zeros [maxIDBytes]byte

func (r *reader) uvarint() uint64 {
	if len(r.p) > 0 && r.p[0] < 0x80 {
		v := r.p[0]
		r.p = r.p[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.p)
	if n <= 0 {
		r.fail("ends in the middle of a number")
		return 0
	}
	r.p = r.p[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// text reads a length and that many bytes as a view of the frame.
func (r *reader) text() string {
	b := r.bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.p)) {
		r.fail("a text of %d bytes goes past its end", n)
		return nil
	}
	b := r.p[:n:n]
	r.p = r.p[n:]
	return b
}

// count reads the number of elements of a list or map and takes them from the budget. An element takes at least one
// byte of the frame, so an honest frame never exceeds it.
func (r *reader) count(per int) int {
	n := r.uvarint()
	if n > uint64(len(r.p)) || int(n)*per > r.budget {
		r.fail("a list of %d goes past its end", n)
		return 0
	}
	r.budget -= int(n) * per
	return int(n)
}

func (r *reader) value(depth int) gearcore.Value {
	switch k := gearcore.Kind(r.byte()); k {
	case gearcore.KindString:
		return gearcore.Str(r.text())
	case gearcore.KindLong:
		return gearcore.Long(r.varint())
	case gearcore.KindNull:
		return gearcore.Null()
	case gearcore.KindBool:
		return gearcore.Bool(r.byte() == 1)
	case gearcore.KindByte:
		return gearcore.Byte(int8(r.varint()))
	case gearcore.KindShort:
		return gearcore.Short(int16(r.varint()))
	case gearcore.KindChar:
		return gearcore.Char(uint16(r.varint()))
	case gearcore.KindInt:
		return gearcore.Int(int32(r.varint()))
	case gearcore.KindFloat:
		return gearcore.Float(math.Float32frombits(binary.LittleEndian.Uint32(r.fixed(4))))
	case gearcore.KindDouble:
		return gearcore.Double(math.Float64frombits(binary.LittleEndian.Uint64(r.fixed(8))))
	case gearcore.KindBytes:
		return gearcore.Bytes(r.bytes())
	case gearcore.KindBigInt:
		return r.bigInt()
	case gearcore.KindOpaque:
		o := &gearcore.Opaque{Class: r.text(), Hash: int32(binary.LittleEndian.Uint32(r.fixed(4)))}
		o.Bytes = r.bytes()
		return gearcore.OpaqueValue(o)
	case gearcore.KindList, gearcore.KindMap:
		return r.nested(k, depth)
	default:
		r.fail("value of kind %d", k)
	}
	return gearcore.Value{}
}

func (r *reader) bigInt() gearcore.Value {
	sign := int(r.byte()) - 1
	b := new(big.Int).SetBytes(r.bytes())
	if sign < -1 || sign > 1 || sign != 0 && b.Sign() == 0 || sign == 0 && b.Sign() != 0 {
		r.fail("sign %d of a big integer does not fit it", sign)
		return gearcore.Value{}
	}
	if sign < 0 {
		b.Neg(b)
	}
	return gearcore.BigInt(b)
}

func (r *reader) nested(k gearcore.Kind, depth int) gearcore.Value {
	if depth >= maxDepth {
		r.fail("lists and maps nest deeper than %d", maxDepth)
		return gearcore.Value{}
	}
	if k == gearcore.KindList {
		vs := make([]gearcore.Value, r.count(1))
		for i := range vs {
			if vs[i] = r.value(depth + 1); r.err != nil {
				return gearcore.Value{}
			}
		}
		return gearcore.List(vs)
	}
	ps := make([]gearcore.Pair, r.count(2))
	for i := range ps {
		ps[i].Key = r.value(depth + 1)
		if ps[i].Val = r.value(depth + 1); r.err != nil {
			return gearcore.Value{}
		}
	}
	return gearcore.Map(ps)
}

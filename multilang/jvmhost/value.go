package jvmhost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/gearstorm/gearstorm/gearcore"
)

// maxDepth bounds how deep lists and maps may nest.
const maxDepth = 64

// ErrObject says that a tuple holds a Go object, which Java cannot have.
var ErrObject = errors.New("a Go object (gearcore.Obj) cannot go to a Java component")

func appendText(buf []byte, s string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
}

func appendValue(buf []byte, v gearcore.Value, depth int) ([]byte, error) {
	k := v.Kind()
	buf = append(buf, byte(k))
	switch k {
	case gearcore.KindNull:
		return buf, nil
	case gearcore.KindBool:
		return append(buf, byte(v.Int())), nil
	case gearcore.KindByte, gearcore.KindShort, gearcore.KindChar, gearcore.KindInt, gearcore.KindLong:
		return binary.AppendVarint(buf, v.Int()), nil
	case gearcore.KindFloat:
		return binary.LittleEndian.AppendUint32(buf, math.Float32bits(float32(v.Float()))), nil
	case gearcore.KindDouble:
		return binary.LittleEndian.AppendUint64(buf, math.Float64bits(v.Float())), nil
	case gearcore.KindString:
		return appendText(buf, v.Str()), nil
	case gearcore.KindBytes:
		b := v.Bytes()
		return append(binary.AppendUvarint(buf, uint64(len(b))), b...), nil
	case gearcore.KindBigInt:
		b := v.BigInt()
		mag := b.Bytes()
		buf = binary.AppendUvarint(append(buf, byte(b.Sign()+1)), uint64(len(mag)))
		return append(buf, mag...), nil
	case gearcore.KindOpaque:
		o := v.Opaque()
		buf = binary.LittleEndian.AppendUint32(appendText(buf, o.Class), uint32(o.Hash))
		return append(binary.AppendUvarint(buf, uint64(len(o.Bytes))), o.Bytes...), nil
	case gearcore.KindList, gearcore.KindMap:
		return appendNested(buf, v, depth)
	}
	return buf, ErrObject
}

func appendNested(buf []byte, v gearcore.Value, depth int) (_ []byte, err error) {
	if depth >= maxDepth {
		return buf, fmt.Errorf("send a value to Java: lists and maps nest deeper than %d", maxDepth)
	}
	vs, ps := v.List(), v.Map()
	buf = binary.AppendUvarint(buf, uint64(len(vs)+len(ps)))
	for i := range vs {
		if buf, err = appendValue(buf, vs[i], depth+1); err != nil {
			return buf, err
		}
	}
	for i := range ps {
		if buf, err = appendValue(buf, ps[i].Key, depth+1); err != nil {
			return buf, err
		}
		if buf, err = appendValue(buf, ps[i].Val, depth+1); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// reader takes a body apart. The first error sticks and empties it; reads after it give zero values.
type reader struct {
	p     []byte
	err   error
	texts *gearcore.Chunk
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = badFrame(format, args...)
	}
	r.p = nil
}

func (r *reader) fixed(n int) []byte {
	if len(r.p) < n {
		r.fail("it ends too early")
		return make([]byte, n)
	}
	b := r.p[:n]
	r.p = r.p[n:]
	return b
}

func (r *reader) byte() byte { return r.fixed(1)[0] }

func (r *reader) uvarint() uint64 {
	if len(r.p) > 0 && r.p[0] < 0x80 {
		v := r.p[0]
		r.p = r.p[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.p)
	if n <= 0 {
		r.fail("it ends too early")
		return 0
	}
	r.p = r.p[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads how many things of at least size bytes follow.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.p)/size) {
		r.fail("%d things do not fit %d bytes", n, len(r.p))
		return 0
	}
	return int(n)
}

// view reads a text without copying it.
func (r *reader) view() []byte { return r.fixed(r.count(1)) }

func (r *reader) text() string { return r.texts.String(r.view()) }

func (r *reader) value(depth int) gearcore.Value {
	switch k := gearcore.Kind(r.byte()); k {
	case gearcore.KindString:
		return gearcore.Str(r.text())
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
	case gearcore.KindLong:
		return gearcore.Long(r.varint())
	case gearcore.KindFloat:
		return gearcore.Float(math.Float32frombits(binary.LittleEndian.Uint32(r.fixed(4))))
	case gearcore.KindDouble:
		return gearcore.Double(math.Float64frombits(binary.LittleEndian.Uint64(r.fixed(8))))
	case gearcore.KindBytes:
		return gearcore.Bytes(r.texts.Bytes(r.view()))
	case gearcore.KindBigInt:
		return r.bigInt()
	case gearcore.KindOpaque:
		o := &gearcore.Opaque{Class: r.text()}
		o.Hash = int32(binary.LittleEndian.Uint32(r.fixed(4)))
		o.Bytes = r.texts.Bytes(r.view())
		return gearcore.OpaqueValue(o)
	case gearcore.KindList, gearcore.KindMap:
		return r.nested(k, depth)
	default:
		r.fail("value of kind %d", k)
	}
	return gearcore.Value{}
}

func (r *reader) bigInt() gearcore.Value {
	sign, mag := int(r.byte())-1, r.view()
	b := new(big.Int).SetBytes(mag)
	if sign < -1 || sign > 1 || (sign == 0) != (b.Sign() == 0) {
		r.fail("sign %d of a big integer does not fit it", sign)
		return gearcore.Value{}
	}
	if sign < 0 {
		b.Neg(b)
	}
	return gearcore.BigInt(b)
}

// nested reads a list or map. Its memory grows with what was read of it, so a count costs nothing before it is true.
func (r *reader) nested(k gearcore.Kind, depth int) gearcore.Value {
	if depth >= maxDepth {
		r.fail("lists and maps nest deeper than %d", maxDepth)
		return gearcore.Value{}
	}
	n := r.uvarint()
	if k == gearcore.KindList {
		var vs []gearcore.Value
		for i := uint64(0); i < n && r.err == nil; i++ {
			vs = append(vs, r.value(depth+1))
		}
		return gearcore.List(vs)
	}
	var ps []gearcore.Pair
	for i := uint64(0); i < n && r.err == nil; i++ {
		key := r.value(depth + 1)
		ps = append(ps, gearcore.Pair{Key: key, Val: r.value(depth + 1)})
	}
	return gearcore.Map(ps)
}

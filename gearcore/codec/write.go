// Package codec writes values as bytes and reads them, for everything that carries tuples between processes: links between
// workers, and channels to Java.
//
// A value is its gearcore.Kind in one byte and then what the kind needs: nothing for null; a byte for booleans; a zigzag
// varint for the integer kinds; 4 or 8 bytes, little endian, for floats; a text for strings and bytes; sign plus one in a
// byte and the magnitude as a text for big integers; a count and the elements for lists and maps; class text, hash in 4
// bytes and bytes text for opaque values. A text is a varint length and so many bytes. A Go object has no form.
//
// The other side is not trusted: what a Reader allocates is bounded by the bytes that it was given, whatever they claim.
package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/gearstorm/gearstorm/gearcore"
)

// MaxDepth bounds how deep lists and maps may nest.
const MaxDepth = 64

// ErrObject says that a tuple holds a Go object, which cannot leave its process.
var ErrObject = errors.New("a Go object (gearcore.Obj) cannot be sent to another process: emit plain values, or keep it among Go components of one worker")

// Append appends one value. After an error buf has a part of it.
func Append(buf []byte, v gearcore.Value) ([]byte, error) { return appendValue(buf, v, 0) }

// AppendAll appends values one behind the other.
func AppendAll(buf []byte, vals []gearcore.Value) (_ []byte, err error) {
	for i := range vals {
		switch v := vals[i]; v.Kind() {
		case gearcore.KindString: // most values are texts and longs
			s := v.Str()
			buf = append(AppendLen(append(buf, byte(gearcore.KindString)), len(s)), s...)
		case gearcore.KindLong:
			buf = binary.AppendVarint(append(buf, byte(gearcore.KindLong)), v.Int())
		default:
			if buf, err = appendValue(buf, v, 0); err != nil {
				return buf, err
			}
		}
	}
	return buf, nil
}

// AppendText appends a text.
func AppendText(buf []byte, s string) []byte { return append(AppendLen(buf, len(s)), s...) }

// AppendLen appends the length of a text or another count.
func AppendLen(buf []byte, n int) []byte {
	if n < 0x80 {
		return append(buf, byte(n))
	}
	return binary.AppendUvarint(buf, uint64(n))
}

func appendBytes(buf, b []byte) []byte { return append(AppendLen(buf, len(b)), b...) }

func appendValue(buf []byte, v gearcore.Value, depth int) ([]byte, error) {
	k := v.Kind()
	buf = append(buf, byte(k))
	switch k {
	case gearcore.KindNull:
		return buf, nil
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
		return AppendText(buf, v.Str()), nil
	case gearcore.KindBytes:
		return appendBytes(buf, v.Bytes()), nil
	case gearcore.KindBigInt:
		b := v.BigInt()
		return appendBytes(append(buf, byte(b.Sign()+1)), b.Bytes()), nil
	case gearcore.KindOpaque:
		o := v.Opaque()
		buf = binary.LittleEndian.AppendUint32(AppendText(buf, o.Class), uint32(o.Hash))
		return appendBytes(buf, o.Bytes), nil
	case gearcore.KindList, gearcore.KindMap:
		return appendNested(buf, v, depth)
	case gearcore.KindObject:
		return buf, ErrObject
	}
	return buf, fmt.Errorf("send a value of unknown kind %v", k)
}

func appendNested(buf []byte, v gearcore.Value, depth int) (_ []byte, err error) {
	if depth >= MaxDepth {
		return buf, fmt.Errorf("send a value: lists and maps nest deeper than %d", MaxDepth)
	}
	if v.Kind() == gearcore.KindList {
		vs := v.List()
		buf = AppendLen(buf, len(vs))
		for i := range vs {
			if buf, err = appendValue(buf, vs[i], depth+1); err != nil {
				return buf, err
			}
		}
		return buf, nil
	}
	ps := v.Map()
	buf = AppendLen(buf, len(ps))
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

package gearcore

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unsafe"
)

// Kind is the type of a Value. The numeric kinds keep Java's widths, because fields hashing depends on them:
// Long(-1) and Integer(-1) go to different tasks in Storm.
type Kind uint8

// The kinds of values. The zero Kind is Null.
const (
	KindNull Kind = iota
	KindBool
	KindByte  // int8
	KindShort // int16
	KindChar  // one UTF-16 unit
	KindInt   // int32, Java's Integer
	KindLong  // int64, Java's Long; Go's int
	KindFloat
	KindDouble
	KindString
	KindBytes
	KindBigInt
	KindList
	KindMap
	KindOpaque // a value this side need not look at
	KindObject // a Go value that never leaves its process
)

var kindNames = [...]string{"null", "bool", "byte", "short", "char", "int", "long", "float", "double", "string",
	"bytes", "bigint", "list", "map", "opaque", "object"}

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// Value is one field of a tuple: a tagged union of 24 bytes, copied freely. The zero Value is null.
//
// p points to the content of strings, byte slices, lists, maps, big integers, opaque values and objects; n holds a
// length or the bits of a number, or marks a Deferred.
type Value struct {
	p unsafe.Pointer
	n uint64
	k Kind
}

// Pair is one entry of a map value.
type Pair struct{ Key, Val Value }

// Opaque is a value made elsewhere (in a JVM) that the Go side passes on without looking inside. Hash is the value's
// Java hashCode, computed where the class is known, so that fields grouping works on it.
type Opaque struct {
	Class string
	Bytes []byte
	Hash  int32
}

// Null returns the null value.
func Null() Value { return Value{} }

// Bool returns a boolean value.
func Bool(b bool) Value {
	if b {
		return Value{n: 1, k: KindBool}
	}
	return Value{k: KindBool}
}

// Byte returns a Java Byte.
func Byte(v int8) Value { return Value{n: uint64(int64(v)), k: KindByte} }

// Short returns a Java Short.
func Short(v int16) Value { return Value{n: uint64(int64(v)), k: KindShort} }

// Char returns a Java Character: one UTF-16 unit.
func Char(v uint16) Value { return Value{n: uint64(v), k: KindChar} }

// Int returns a Java Integer.
func Int(v int32) Value { return Value{n: uint64(int64(v)), k: KindInt} }

// Long returns a Java Long, the kind of Go's int and int64.
func Long(v int64) Value { return Value{n: uint64(v), k: KindLong} }

// Float returns a Java Float.
func Float(v float32) Value { return Value{n: uint64(math.Float32bits(v)), k: KindFloat} }

// Double returns a Java Double, the kind of Go's float64.
func Double(v float64) Value { return Value{n: math.Float64bits(v), k: KindDouble} }

// Str returns a string value; the string is kept.
func Str(s string) Value {
	return Value{p: unsafe.Pointer(unsafe.StringData(s)), n: uint64(len(s)), k: KindString}
}

// Bytes returns a byte-slice value; b is kept and may not be changed afterwards.
func Bytes(b []byte) Value {
	return Value{p: unsafe.Pointer(unsafe.SliceData(b)), n: uint64(len(b)), k: KindBytes}
}

// BigInt returns a big integer; v is kept and may not be changed afterwards.
func BigInt(v *big.Int) Value { return Value{p: unsafe.Pointer(v), k: KindBigInt} }

// List returns a list value; vs is kept and may not be changed afterwards.
func List(vs []Value) Value {
	return Value{p: unsafe.Pointer(unsafe.SliceData(vs)), n: uint64(len(vs)), k: KindList}
}

// Map returns a map value; ps is kept, may not be changed afterwards and must not hold a key twice.
func Map(ps []Pair) Value {
	return Value{p: unsafe.Pointer(unsafe.SliceData(ps)), n: uint64(len(ps)), k: KindMap}
}

// OpaqueValue returns an opaque value; o is kept.
func OpaqueValue(o *Opaque) Value { return Value{p: unsafe.Pointer(o), k: KindOpaque} }

// Obj boxes any Go value. It allocates, cannot leave the process and cannot be a grouping field; it is for local
// edges between Go components only.
func Obj(v any) Value {
	p := new(any)
	*p = v
	return Value{p: unsafe.Pointer(p), k: KindObject}
}

// Kind returns the kind of v.
func (v Value) Kind() Kind {
	v.mustLive()
	return v.k
}

// Weight returns the bytes that v pins beside itself: the content of a string or byte slice, 0 for every other kind.
func (v Value) Weight() int {
	if v.k == KindString || v.k == KindBytes {
		return int(v.n)
	}
	return 0
}

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.k == KindNull }

// Str returns the text of a string value, and "" for every other kind.
func (v Value) Str() string {
	v.mustLive()
	if v.k != KindString {
		return ""
	}
	return unsafe.String((*byte)(v.p), int(v.n))
}

// Bytes returns the content of a bytes value (not a copy), or of a string value (a copy); nil for other kinds.
func (v Value) Bytes() []byte {
	v.mustLive()
	switch v.k {
	case KindBytes:
		return unsafe.Slice((*byte)(v.p), int(v.n))
	case KindString:
		return []byte(v.Str())
	}
	return nil
}

// Int returns the number of an integer or boolean kind; floats are truncated; other kinds give 0.
func (v Value) Int() int64 {
	v.mustLive()
	switch v.k {
	case KindBool, KindByte, KindShort, KindChar, KindInt, KindLong:
		return int64(v.n)
	case KindFloat, KindDouble:
		return int64(v.Float())
	case KindBigInt:
		return (*big.Int)(v.p).Int64()
	}
	return 0
}

// Float returns the number of any numeric kind as a float64; other kinds give 0.
func (v Value) Float() float64 {
	switch v.k {
	case KindFloat:
		return float64(math.Float32frombits(uint32(v.n)))
	case KindDouble:
		return math.Float64frombits(v.n)
	case KindBigInt:
		f, _ := new(big.Float).SetInt((*big.Int)(v.p)).Float64()
		return f
	}
	return float64(v.Int())
}

// Bool returns a boolean value; false for other kinds.
func (v Value) Bool() bool { return v.k == KindBool && v.n == 1 }

// BigInt returns the big integer of v, or nil; the caller may not change it.
func (v Value) BigInt() *big.Int {
	if v.k != KindBigInt {
		return nil
	}
	return (*big.Int)(v.p)
}

// List returns the elements of a list value (not a copy), or nil.
func (v Value) List() []Value {
	v.mustLive()
	if v.k != KindList {
		return nil
	}
	if v.n&deferredBit != 0 {
		v = (*Deferred)(v.p).resolved()
	}
	return unsafe.Slice((*Value)(v.p), int(v.n))
}

// Map returns the entries of a map value (not a copy), or nil.
func (v Value) Map() []Pair {
	v.mustLive()
	if v.k != KindMap {
		return nil
	}
	if v.n&deferredBit != 0 {
		v = (*Deferred)(v.p).resolved()
	}
	return unsafe.Slice((*Pair)(v.p), int(v.n))
}

// Opaque returns the opaque content of v, or nil.
func (v Value) Opaque() *Opaque {
	if v.k != KindOpaque {
		return nil
	}
	return (*Opaque)(v.p)
}

// Any returns v as an ordinary Go value: nil, bool, int8 ... int64, uint16 (char), float32, float64, string, []byte,
// *big.Int, []any, map[string]any (keys by their text), *Opaque or what Obj boxed. It allocates.
func (v Value) Any() any {
	v.mustLive()
	switch v.k {
	case KindNull:
		return nil
	case KindBool:
		return v.n == 1
	case KindByte:
		return int8(v.n)
	case KindShort:
		return int16(v.n)
	case KindChar:
		return uint16(v.n)
	case KindInt:
		return int32(v.n)
	case KindLong:
		return int64(v.n)
	case KindFloat:
		return math.Float32frombits(uint32(v.n))
	case KindDouble:
		return math.Float64frombits(v.n)
	case KindString:
		return v.Str()
	case KindBytes:
		return v.Bytes()
	case KindBigInt:
		return v.BigInt()
	case KindOpaque:
		return v.Opaque()
	case KindObject:
		return *(*any)(v.p)
	case KindList:
		list := v.List()
		out := make([]any, 0, len(list))
		for _, e := range list {
			out = append(out, e.Any())
		}
		return out
	case KindMap:
		pairs := v.Map()
		out := make(map[string]any, len(pairs))
		for _, e := range pairs {
			out[e.Key.Text()] = e.Val.Any()
		}
		return out
	}
	return nil
}

// Text returns v for people: strings as they are, numbers in decimal, everything else as fmt prints Any.
func (v Value) Text() string {
	switch v.k {
	case KindString:
		return v.Str()
	case KindBool:
		return strconv.FormatBool(v.n == 1)
	case KindByte, KindShort, KindChar, KindInt, KindLong:
		return strconv.FormatInt(int64(v.n), 10)
	case KindFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32)
	case KindDouble:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return fmt.Sprint(v.Any())
}

// Equal reports whether v and w have the same kind and content. Objects are equal only when they are the same box.
func (v Value) Equal(w Value) bool {
	if v.k != w.k {
		return false
	}
	switch v.k {
	case KindString:
		return v.Str() == w.Str()
	case KindBytes:
		return string(v.Bytes()) == string(w.Bytes())
	case KindBigInt:
		return v.BigInt().Cmp(w.BigInt()) == 0
	case KindList:
		return equalLists(v.List(), w.List())
	case KindMap:
		return equalMaps(v.Map(), w.Map())
	case KindOpaque:
		a, b := v.Opaque(), w.Opaque()
		return a.Class == b.Class && string(a.Bytes) == string(b.Bytes)
	case KindObject:
		return v.p == w.p
	}
	return v.n == w.n
}

func equalLists(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

func equalMaps(a, b []Pair) bool {
	if len(a) != len(b) {
		return false
	}
next:
	for _, p := range a {
		for _, q := range b {
			if p.Key.Equal(q.Key) {
				if !p.Val.Equal(q.Val) {
					return false
				}
				continue next
			}
		}
		return false
	}
	return true
}

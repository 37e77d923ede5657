package gearcore

import (
	"fmt"
	"math"
	"math/big"
	"slices"
)

// AppendValues appends each of vals to dst as a Value, without allocating beyond the growth of dst (and the lists).
//
// It takes the closed set string, bool, the signed integers, uint8, uint16 (char), uint32, float32, float64, []byte,
// []any, []string, Value and nil. Everything else needs an explicit constructor (BigInt, Map, OpaqueValue, Obj) and
// panics with that advice, so that a wrong type is found at the first emit. The set is closed for a reason: escape
// analysis is per parameter, and one branch that kept the interface, or one pointer-shaped case, would make every
// caller's arguments escape (allocs_test.go watches it).
func AppendValues(dst []Value, vals []any) []Value {
	for _, v := range vals {
		switch x := v.(type) {
		case string:
			dst = append(dst, Str(x))
		case int:
			dst = append(dst, Long(int64(x)))
		case int64:
			dst = append(dst, Long(x))
		case int32:
			dst = append(dst, Int(x))
		case []byte:
			dst = append(dst, Bytes(x))
		case float64:
			dst = append(dst, Double(x))
		case bool:
			dst = append(dst, Bool(x))
		case Value:
			dst = append(dst, x)
		case nil:
			dst = append(dst, Value{})
		case int16:
			dst = append(dst, Short(x))
		case int8:
			dst = append(dst, Byte(x))
		case uint16:
			dst = append(dst, Char(x))
		case uint8:
			dst = append(dst, Short(int16(x)))
		case uint32:
			dst = append(dst, Long(int64(x)))
		case float32:
			dst = append(dst, Float(x))
		case []string:
			l := make([]Value, 0, len(x))
			for _, s := range x {
				l = append(l, Str(s))
			}
			dst = append(dst, List(l))
		case []any:
			dst = append(dst, List(AppendValues(make([]Value, 0, len(x)), x)))
		default:
			panic("gearcore: a value of this type needs an explicit constructor: gearcore.Obj(v) for a local Go object, BigInt, Map or OpaqueValue")
		}
	}
	return dst
}

// FromAny converts v like AppendValues and also takes *big.Int, uint64, maps with string keys, and whatever JSON or
// YAML decoding yields. It allocates; it is for configuration and decoders, not for the hot path.
func FromAny(v any) (Value, error) {
	switch x := v.(type) {
	case *big.Int:
		return BigInt(x), nil
	case uint64:
		if x <= math.MaxInt64 {
			return Long(int64(x)), nil
		}
		return BigInt(new(big.Int).SetUint64(x)), nil
	case uint:
		return FromAny(uint64(x))
	case []any:
		l := make([]Value, 0, len(x))
		for _, e := range x {
			ev, err := FromAny(e)
			if err != nil {
				return Value{}, err
			}
			l = append(l, ev)
		}
		return List(l), nil
	case map[string]any:
		return fromMap(x)
	case *Opaque:
		return OpaqueValue(x), nil
	case nil, string, bool, int, int8, int16, int32, int64, uint8, uint16, uint32, float32, float64, []byte, []string, Value:
		return AppendValues(nil, []any{x})[0], nil
	}
	return Value{}, fmt.Errorf("convert %T to a tuple value: not a supported type", v)
}

func fromMap(m map[string]any) (Value, error) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	ps := make([]Pair, 0, len(m))
	for _, k := range keys {
		v, err := FromAny(m[k])
		if err != nil {
			return Value{}, err
		}
		ps = append(ps, Pair{Str(k), v})
	}
	return Map(ps), nil
}

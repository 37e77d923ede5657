package storm

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Str returns a string value, for message ids; Emit takes plain strings.
func Str(s string) Value { return gearcore.Str(s) }

// Long returns an integer value, for message ids; Emit takes plain integers.
func Long(n int64) Value { return gearcore.Long(n) }

// Record is the typed form of a stream; see RecordOf.
type Record[T any] = gearcore.Record[T]

// RecordOf returns the typed form of streams whose tuples are structs of type T: Record.Fields declares such a stream,
// Record.Emit and its like send a T, Record.Get reads one. It panics if T is no struct of strings, booleans, signed
// integers, floats, byte slices and Values, so that it can stand in a variable of a package.
func RecordOf[T any]() *Record[T] { return gearcore.RecordOf[T]() }

// FieldType are the types that Field can return.
type FieldType interface {
	string | bool | int | int64 | float64 | []byte | []Value | Value
}

// Field returns the field of t called name as a T. It is an error if t's stream does not declare the field or if its
// value is of another kind; every integer kind is an int and an int64, every number a float64. Value takes all kinds.
func Field[T FieldType](t Tuple, name string) (T, error) {
	var out T
	v, ok := t.Field(name)
	if !ok {
		return out, fmt.Errorf("get field %q of a tuple from %s: stream %s has fields %v", name, t.Component(), t.Stream(), t.Fields())
	}
	if !assign(&out, v) {
		if err := t.Readable(t.FieldIndex(name)); err != nil {
			return out, err
		}
		return out, fmt.Errorf("get field %q of a tuple from %s: it is a %v, not a %T", name, t.Component(), v.Kind(), out)
	}
	return out, nil
}

// assign sets *p to v if v's kind fits.
func assign[T FieldType](p *T, v Value) bool {
	k := v.Kind()
	isInt := k >= gearcore.KindByte && k <= gearcore.KindLong
	switch p := any(p).(type) {
	case *Value:
		*p = v
		return true
	case *string:
		*p = v.Str()
		return k == gearcore.KindString
	case *bool:
		*p = v.Bool()
		return k == gearcore.KindBool
	case *int:
		*p = int(v.Int())
		return isInt
	case *int64:
		*p = v.Int()
		return isInt
	case *float64:
		*p = v.Float()
		return isInt || k == gearcore.KindFloat || k == gearcore.KindDouble
	case *[]byte:
		*p = v.Bytes()
		return k == gearcore.KindBytes || k == gearcore.KindString
	case *[]Value:
		*p = v.List()
		return k == gearcore.KindList
	}
	return false
}

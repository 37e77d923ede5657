package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Codec is how values of T travel between tasks: as fields of a tuple. It is used by many tasks at once. Its type may be one
// that Go compares.
type Codec[T any] interface {
	// Fields names the fields, always the same ones and at least one.
	Fields() []string
	// Append appends the fields of v to dst, as many as Fields has. An error is one of the step that puts v out.
	Append(dst []gearcore.Value, v T) ([]gearcore.Value, error)
	// Read makes a T of the fields. It may keep what it gets.
	Read(fields []gearcore.Value) (T, error)
}

// composite is implemented by types of this package that are made of others: they have codecs made of theirs.
type composite interface{ codec() (any, error) }

// CodecOf returns the codec that T has unless a step is given another one: a struct of strings, numbers, booleans and byte
// slices is a field for each of them (gearcore.RecordOf), such a value alone is one field, Pane and Pair are what they are made of, and
// everything else is a field of JSON. Types that JSON would not give back as they were are refused.
func CodecOf[T any]() (Codec[T], error) {
	var zero T
	if c, ok := any(zero).(composite); ok {
		made, err := c.codec()
		if err != nil {
			return nil, err
		}
		return made.(Codec[T]), nil
	}
	typ := reflect.TypeFor[T]()
	if flat(typ) && typ.Kind() != reflect.Struct || typ == reflect.TypeFor[gearcore.Value]() {
		return single[T]{gearcore.RecordOf[one[T]]()}, nil
	}
	if typ.Kind() == reflect.Struct && flatStruct(typ) {
		return record[T]{gearcore.RecordOf[T]()}, nil
	}
	if err := jsonable(typ, nil); err != nil {
		return nil, fmt.Errorf("%v has no codec of its own: %w; give it one (WithCodec)", typ, err)
	}
	return JSON[T](), nil
}

// flat reports whether a value of that type is one field.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.Uint8
	}
	return t == reflect.TypeFor[gearcore.Value]()
}

func flatStruct(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); !f.IsExported() || f.Anonymous || !flat(f.Type) {
			return false
		}
	}
	return t.NumField() > 0
}

// record is the codec of flat structs.
type record[T any] struct{ r *gearcore.Record[T] }

func (c record[T]) Fields() []string { return c.r.Fields() }

func (c record[T]) Append(dst []gearcore.Value, v T) ([]gearcore.Value, error) {
	return c.r.Append(dst, v), nil
}

func (c record[T]) Read(fields []gearcore.Value) (T, error) { return c.r.Read(fields) }

// one is a struct around a value that is one field.
type one[T any] struct{ Value T }

// single is the codec of values that are one field.
type single[T any] struct{ r *gearcore.Record[one[T]] }

func (c single[T]) Fields() []string { return c.r.Fields() }

func (c single[T]) Append(dst []gearcore.Value, v T) ([]gearcore.Value, error) {
	return c.r.Append(dst, one[T]{v}), nil
}

func (c single[T]) Read(fields []gearcore.Value) (T, error) {
	v, err := c.r.Read(fields)
	return v.Value, err
}

// JSON returns a codec that makes one field of JSON of a value.
func JSON[T any]() Codec[T] { return inJSON[T]{} }

type inJSON[T any] struct{}

func (inJSON[T]) Fields() []string { return []string{"json"} }

func (inJSON[T]) Append(dst []gearcore.Value, v T) ([]gearcore.Value, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("write %T as JSON: %w", v, err)
	}
	return append(dst, gearcore.Bytes(b)), nil
}

func (inJSON[T]) Read(fields []gearcore.Value) (T, error) {
	var v T
	if err := json.Unmarshal(fields[0].Bytes(), &v); err != nil {
		return v, fmt.Errorf("read %T from JSON: %w", v, err)
	}
	return v, nil
}

// jsonable returns why JSON would not give back values of a type as they were; inside are the types that it is part of.
func jsonable(t reflect.Type, inside []reflect.Type) error {
	for _, outer := range inside {
		if outer == t {
			return nil
		}
	}
	if t.Implements(reflect.TypeFor[json.Marshaler]()) && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil
	}
	inside = append(inside, t)
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("a %v is nothing that JSON gives back", t)
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return jsonable(t.Elem(), inside)
	case reflect.Map:
		return errors.Join(jsonable(t.Key(), inside), jsonable(t.Elem(), inside))
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() && !f.Anonymous {
				return fmt.Errorf("field %s of %v is not exported", f.Name, t)
			}
			if err := jsonable(f.Type, inside); err != nil {
				return err
			}
		}
	}
	return nil
}

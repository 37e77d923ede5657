package stream

import (
	"encoding"
	"fmt"
	"reflect"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
	"github.com/gearstorm/gearstorm/gearcore/state"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// StateCodec returns the codec by which values of T are kept in state: state.Strings and its like for texts and numbers, else
// state.Struct. A struct with a field that is not exported, which would be lost, is refused.
func StateCodec[T any]() (state.Codec[T], error) {
	var zero T
	if c, ok := plainCodec(any(zero)).(state.Codec[T]); ok {
		return c, nil
	}
	if err := keepable(reflect.TypeFor[T](), nil); err != nil {
		return nil, err
	}
	c := state.Struct[T]()
	if wrong, ok := c.(interface{ Err() error }); ok && wrong.Err() != nil {
		return nil, wrong.Err()
	}
	return c, nil
}

// plainCodec returns the codec of a text or number, nil for others. It is a state.KeyCodec, floats aside.
func plainCodec(zero any) any {
	switch zero.(type) {
	case string:
		return state.Strings[string]()
	case int:
		return state.Ints[int]()
	case int64:
		return state.Ints[int64]()
	case int32:
		return state.Ints[int32]()
	case float64:
		return state.Floats[float64]()
	case []byte:
		return state.Bytes()
	}
	return nil
}

// keepable returns why values of t would not come back out of state as they went in; inside are the types that it is part of.
func keepable(t reflect.Type, inside []reflect.Type) error {
	for _, outer := range inside {
		if outer == t {
			return nil
		}
	}
	if t.Implements(reflect.TypeFor[encoding.BinaryMarshaler]()) || t == reflect.TypeFor[gearcore.Value]() {
		return nil
	}
	inside = append(inside, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return keepable(t.Elem(), inside)
	case reflect.Map:
		if err := keepable(t.Key(), inside); err != nil {
			return err
		}
		return keepable(t.Elem(), inside)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() {
				return fmt.Errorf("field %s of %v is not exported, so it would not be kept", f.Name, t)
			}
			if err := keepable(f.Type, inside); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyState returns the codec by which keys are kept in state. Their groups are those by which they are routed.
func keyState[K comparable](c Codec[K]) (state.KeyCodec[K], error) {
	var zero K
	if k, ok := plainCodec(any(zero)).(state.KeyCodec[K]); ok {
		return k, nil
	}
	kept, err := StateCodec[K]()
	if err != nil {
		return nil, err
	}
	n := len(c.Fields())
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	group := func(k *K, mode gearcore.HashMode) int {
		vals, err := c.Append(make([]gearcore.Value, 0, n), *k)
		if err != nil {
			return 0 // codecs of keys have no errors
		}
		return gearcore.KeyGroup(gearcore.FieldsHash(vals, at, mode))
	}
	return state.KeyFunc(kept, group, nil), nil
}

// spans is the codec of window.Span.
type spans struct{}

func (spans) Schema() string { return "span" }

func (spans) Append(buf []byte, v *window.Span) ([]byte, error) {
	buf, _ = state.Ints[int64]().Append(buf, &v.Start)
	return state.Ints[int64]().Append(buf, &v.End)
}

func (spans) Reader(schema string) (state.Read[window.Span], error) {
	if schema != "span" {
		return nil, fmt.Errorf("a window was written as %q, want span", schema)
	}
	return func(r *codec.Reader, v *window.Span) { v.Start, v.End = r.Varint(), r.Varint() }, nil
}

// accs is the codec of what a window is kept as.
type accs[A any] struct{ a state.Codec[A] }

func (c accs[A]) Schema() string { return "acc" + c.a.Schema() }

func (c accs[A]) Append(buf []byte, v *window.Acc[A]) ([]byte, error) {
	fired := int64(0)
	if v.Fired {
		fired = 1
	}
	for _, n := range [...]int64{v.New, v.Last, fired} {
		buf, _ = state.Ints[int64]().Append(buf, &n)
	}
	return c.a.Append(buf, &v.A)
}

func (c accs[A]) Reader(schema string) (state.Read[window.Acc[A]], error) {
	if len(schema) < 3 || schema[:3] != "acc" {
		return nil, fmt.Errorf("a window's content was written as %q, want acc", schema)
	}
	read, err := c.a.Reader(schema[3:])
	if err != nil {
		return nil, err
	}
	return func(r *codec.Reader, v *window.Acc[A]) {
		v.New, v.Last = r.Varint(), r.Varint()
		v.Fired = r.Varint() != 0
		read(r, &v.A)
	}, nil
}

package state

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// Struct is the codec of any type made of booleans, numbers, texts, byte slices, times, tuple values, types that marshal
// themselves (encoding.BinaryMarshaler), and of structs, slices, arrays, maps and pointers of these, but not of itself. Of structs the exported fields
// are kept, without their names, which are in the schema: so a field may be added (it is zero in what was written before), removed, or put elsewhere. A tag
// state:"name" keeps a field's old name, state:"-" leaves it out. It takes some 20 ns for each number or text; a codec of one's own takes less.
//
// (encoding/gob would write the description of the type with every value, encoding/json its names, at ten times the cost.)
func Struct[T any]() Codec[T] {
	c := &reflected[T]{}
	c.schema, c.append, c.err = writerOf(reflect.TypeFor[T](), 0)
	return c
}

type reflected[T any] struct {
	schema string
	append appendFunc
	err    error
}

type (
	appendFunc func(buf []byte, v reflect.Value) ([]byte, error)
	readFunc   func(r *codec.Reader, v reflect.Value)
)

// Err is why T cannot be written.
func (c *reflected[T]) Err() error { return c.err }

func (c *reflected[T]) Schema() string { return c.schema }

func (c *reflected[T]) Append(buf []byte, v *T) ([]byte, error) {
	if c.err != nil {
		return buf, c.err
	}
	return c.append(buf, reflect.ValueOf(v).Elem())
}

func (c *reflected[T]) Reader(schema string) (Read[T], error) {
	s, err := parseShape(schema)
	if err != nil {
		return nil, err
	}
	read, err := readerOf(reflect.TypeFor[T](), s)
	if err != nil {
		return nil, err
	}
	return func(r *codec.Reader, v *T) { read(r, reflect.ValueOf(v).Elem()) }, nil
}

var (
	timeType      = reflect.TypeFor[time.Time]()
	valueType     = reflect.TypeFor[gearcore.Value]()
	marshalerType = reflect.TypeFor[encoding.BinaryMarshaler]()
	unmarshalType = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// maxShape bounds how deep types and schemas nest.
const maxShape = 32

// own reports whether t writes itself.
func own(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(marshalerType) && p.Implements(unmarshalType)
}

// writerOf returns the schema of t and what appends its values.
func writerOf(t reflect.Type, depth int) (string, appendFunc, error) {
	if depth > maxShape {
		return "", nil, fmt.Errorf("type %v nests too deep, or holds itself", t)
	}
	switch {
	case t == timeType:
		return "t", appendTime, nil
	case t == valueType:
		return "v", func(buf []byte, v reflect.Value) ([]byte, error) {
			return codec.Append(buf, *v.Addr().Interface().(*gearcore.Value))
		}, nil
	case own(t):
		return "x", appendOwn, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return "b", func(buf []byte, v reflect.Value) ([]byte, error) {
			if v.Bool() {
				return append(buf, 1), nil
			}
			return append(buf, 0), nil
		}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "i", func(buf []byte, v reflect.Value) ([]byte, error) { return binary.AppendVarint(buf, v.Int()), nil }, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "u", func(buf []byte, v reflect.Value) ([]byte, error) { return binary.AppendUvarint(buf, v.Uint()), nil }, nil
	case reflect.Float32, reflect.Float64:
		return "f", func(buf []byte, v reflect.Value) ([]byte, error) {
			return binary.LittleEndian.AppendUint64(buf, math.Float64bits(v.Float())), nil
		}, nil
	case reflect.String:
		return "s", func(buf []byte, v reflect.Value) ([]byte, error) { return codec.AppendText(buf, v.String()), nil }, nil
	}
	return writerOfMany(t, depth+1)
}

func writerOfMany(t reflect.Type, depth int) (string, appendFunc, error) {
	switch t.Kind() {
	case reflect.Struct:
		return writerOfStruct(t, depth)
	case reflect.Slice, reflect.Array:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return "y", func(buf []byte, v reflect.Value) ([]byte, error) {
				return append(codec.AppendLen(buf, v.Len()), v.Bytes()...), nil
			}, nil
		}
		schema, elem, err := writerOf(t.Elem(), depth)
		return "[" + schema + "]", appendList(elem), err
	case reflect.Map:
		key, appendKey, err := writerOf(t.Key(), depth)
		if err != nil {
			return "", nil, err
		}
		val, appendVal, err := writerOf(t.Elem(), depth)
		return "<" + key + "," + val + ">", appendMap(t, appendKey, appendVal), err
	case reflect.Pointer:
		schema, elem, err := writerOf(t.Elem(), depth)
		return "?" + schema, appendPointer(elem), err
	}
	return "", nil, fmt.Errorf("a value of type %v cannot be kept", t)
}

func appendTime(buf []byte, v reflect.Value) ([]byte, error) {
	t := *v.Addr().Interface().(*time.Time)
	return binary.AppendUvarint(binary.AppendVarint(buf, t.Unix()), uint64(t.Nanosecond())), nil
}

func appendOwn(buf []byte, v reflect.Value) ([]byte, error) {
	b, err := v.Addr().Interface().(encoding.BinaryMarshaler).MarshalBinary()
	return append(codec.AppendLen(buf, len(b)), b...), err
}

func appendList(elem appendFunc) appendFunc {
	return func(buf []byte, v reflect.Value) (_ []byte, err error) {
		n := v.Len()
		buf = codec.AppendLen(buf, n)
		for i := range n {
			if buf, err = elem(buf, v.Index(i)); err != nil {
				return buf, err
			}
		}
		return buf, nil
	}
}

func appendMap(t reflect.Type, key, val appendFunc) appendFunc {
	return func(buf []byte, v reflect.Value) (_ []byte, err error) {
		buf = codec.AppendLen(buf, v.Len())
		k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		for it := v.MapRange(); it.Next(); {
			k.SetIterKey(it)
			e.SetIterValue(it)
			if buf, err = key(buf, k); err == nil {
				buf, err = val(buf, e)
			}
			if err != nil {
				return buf, err
			}
		}
		return buf, nil
	}
}

func appendPointer(elem appendFunc) appendFunc {
	return func(buf []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return append(buf, 0), nil
		}
		return elem(append(buf, 1), v.Elem())
	}
}

// kept is a field that is written.
type kept struct {
	index  int
	name   string
	append appendFunc
}

// fieldsOf returns the fields of t that are written, by their names.
func fieldsOf(t reflect.Type) []kept {
	var fields []kept
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("state")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields = append(fields, kept{index: i, name: name})
	}
	return fields
}

func writerOfStruct(t reflect.Type, depth int) (string, appendFunc, error) {
	fields := fieldsOf(t)
	if len(fields) == 0 && t.NumField() > 0 {
		return "", nil, fmt.Errorf("a value of type %v cannot be kept: it has no exported fields", t)
	}
	schema := "{"
	for i := range fields {
		f := &fields[i]
		if !validName(f.name) {
			return "", nil, fmt.Errorf("field %q of %v: a name in state has letters, digits, _ and -", f.name, t)
		}
		s, write, err := writerOf(t.Field(f.index).Type, depth)
		if err != nil {
			return "", nil, fmt.Errorf("field %s of %v: %w", f.name, t, err)
		}
		f.append = write
		schema += f.name + ":" + s + ";"
	}
	return schema + "}", func(buf []byte, v reflect.Value) (_ []byte, err error) {
		for i := range fields {
			if buf, err = fields[i].append(buf, v.Field(fields[i].index)); err != nil {
				return buf, err
			}
		}
		return buf, nil
	}, nil
}

func validName(name string) bool {
	for _, c := range name {
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c < 0x80 {
			return false
		}
	}
	return name != ""
}

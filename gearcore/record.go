package gearcore

import (
	"fmt"
	"reflect"
	"unsafe"
)

// Record is the typed form of a stream: its tuples are structs of type T, one field of the stream for each field of the
// struct, in that order. Emitting and reading one allocates nothing and costs no more than Emit and the getters of a Tuple;
// what does not fit the stream does not compile.
//
// A Record is made once, as a variable of the package (RecordOf), and is safe for concurrent use.
type Record[T any] struct{ shape shape }

// RecordOf returns the Record of T, a struct whose fields are exported and are strings, booleans, signed integers, floats,
// byte slices or Values (or types made of these). The stream's fields are called like the struct's, with a small first
// letter, or as a tag `storm:"name"` says. It panics if T is anything else, so that it can stand in a variable.
func RecordOf[T any]() *Record[T] {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct || t.NumField() == 0 {
		panic(fmt.Errorf("gearcore: the record %v is no struct with fields", t))
	}
	r := &Record[T]{}
	for i := range t.NumField() {
		f := t.Field(i)
		form, err := formOf(f)
		if err != nil {
			panic(fmt.Errorf("gearcore: field %s of the record %v %w", f.Name, t, err))
		}
		r.shape.fields = append(r.shape.fields, recordField{f.Offset, form})
		r.shape.names = append(r.shape.names, nameOf(f))
	}
	return r
}

// Fields returns the names of the stream's fields, for its declaration. They are the caller's.
func (r *Record[T]) Fields() []string { return append([]string(nil), r.shape.names...) }

// Emit is Collector.Emit of v.
func (r *Record[T]) Emit(c *Collector, v T) { r.shape.emit(Output{c, 0}, Tuple{}, unsafe.Pointer(&v)) }

// EmitAnchored is Collector.EmitAnchored of v.
func (r *Record[T]) EmitAnchored(c *Collector, t Tuple, v T) {
	r.shape.emit(Output{c, 0}, t, unsafe.Pointer(&v))
}

// EmitID is Collector.EmitID of v.
func (r *Record[T]) EmitID(c *Collector, id Value, v T) { r.shape.emitID(c, id, unsafe.Pointer(&v)) }

// EmitOn sends v on an output (Collector.Stream), anchored to t unless t is the zero Tuple.
func (r *Record[T]) EmitOn(o Output, t Tuple, v T) { r.shape.emit(o, t, unsafe.Pointer(&v)) }

// Append appends the fields of v to dst.
func (r *Record[T]) Append(dst []Value, v T) []Value {
	return r.shape.appendTo(dst, unsafe.Pointer(&v))
}

// Get returns t as a T. Strings and byte slices are those of the tuple. It is an error if t has other fields: fewer or more
// than T, or of another kind. Integers fit every integer type that holds them, and every number fits a float.
func (r *Record[T]) Get(t Tuple) (T, error) {
	var v T
	if err := r.shape.get(t, unsafe.Pointer(&v)); err != nil {
		return v, fmt.Errorf("read a tuple from %s as %v: %w", t.Component(), reflect.TypeFor[T](), err)
	}
	return v, nil
}

// Read is Get of values that are no tuple's.
func (r *Record[T]) Read(vals []Value) (T, error) {
	var v T
	if len(vals) != len(r.shape.fields) {
		return v, fmt.Errorf("read %d values as %v: it has %d fields", len(vals), reflect.TypeFor[T](), len(r.shape.fields))
	}
	if bad := r.shape.read(vals, unsafe.Pointer(&v)); bad >= 0 {
		return v, fmt.Errorf("read values as %v: %w", reflect.TypeFor[T](), r.shape.unfit(vals, bad))
	}
	return v, nil
}

package gearcore

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// Record is the typed form of a stream: its tuples are structs of type T, one field of the stream for each field of the
// struct, in that order. Emitting and reading one allocates nothing and costs less than Emit and Field; what does not fit
// the stream does not compile.
//
// A Record is made once, as a variable of the package (RecordOf), and is safe for concurrent use.
type Record[T any] struct {
	fields []recordField
	names  []string
}

// recordField is where a field lies in the struct, and how it becomes a Value.
type recordField struct {
	offset uintptr
	form   form
}

// form is a type in memory.
type form uint8

const (
	formValue form = iota
	formString
	formBytes
	formBool
	formInt
	formInt8
	formInt16
	formInt32
	formInt64
	formFloat32
	formFloat64
)

var forms = map[reflect.Kind]form{
	reflect.String: formString, reflect.Bool: formBool, reflect.Int: formInt, reflect.Int8: formInt8, reflect.Int16: formInt16,
	reflect.Int32: formInt32, reflect.Int64: formInt64, reflect.Float32: formFloat32, reflect.Float64: formFloat64,
}

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
		r.fields = append(r.fields, recordField{f.Offset, form})
		r.names = append(r.names, nameOf(f))
	}
	return r
}

func formOf(f reflect.StructField) (form, error) {
	switch {
	case !f.IsExported() || f.Anonymous:
		return 0, errors.New("must be exported and have a name of its own")
	case f.Type == reflect.TypeFor[Value]():
		return formValue, nil
	case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Uint8:
		return formBytes, nil
	}
	if form, ok := forms[f.Type.Kind()]; ok {
		return form, nil
	}
	return 0, fmt.Errorf("is a %v: not a type that a tuple's field can have; use a Value", f.Type)
}

func nameOf(f reflect.StructField) string {
	if name, _, _ := strings.Cut(f.Tag.Get("storm"), ","); name != "" {
		return name
	}
	first, n := utf8.DecodeRuneInString(f.Name)
	return string(unicode.ToLower(first)) + f.Name[n:]
}

// Fields returns the names of the stream's fields, for its declaration. They are the caller's.
func (r *Record[T]) Fields() []string { return append([]string(nil), r.names...) }

// Emit is Collector.Emit of v.
func (r *Record[T]) Emit(c *Collector, v T) { r.EmitOn(Output{c, 0}, Tuple{}, v) }

// EmitAnchored is Collector.EmitAnchored of v.
func (r *Record[T]) EmitAnchored(c *Collector, t Tuple, v T) { r.EmitOn(Output{c, 0}, t, v) }

// EmitID is Collector.EmitID of v.
func (r *Record[T]) EmitID(c *Collector, id Value, v T) {
	if c.starts && id.k != KindNull {
		if b := c.lane(0).batch(len(r.fields)); b != nil && c.lanes[0].add(b, r.appendTo(b.Vals, unsafe.Pointer(&v))) {
			c.start(c.lanes[0], b, 0, id)
			return
		}
	}
	vals := r.appendTo(c.scratch(0), unsafe.Pointer(&v))
	c.em = Emission{ID: id}
	c.emit(vals)
}

// EmitOn sends v on an output (Collector.Stream), anchored to t unless t is the zero Tuple.
func (r *Record[T]) EmitOn(o Output, t Tuple, v T) {
	if b := o.c.lane(o.i).batch(len(r.fields)); b != nil && o.c.lanes[o.i].add(b, r.appendTo(b.Vals, unsafe.Pointer(&v))) {
		o.c.join(o.c.lanes[o.i], b, t)
		return
	}
	vals := r.appendTo(o.c.scratch(o.i), unsafe.Pointer(&v))
	o.c.anchored(o.i, t)
	o.c.emit(vals)
}

// Append appends the fields of v to dst.
func (r *Record[T]) Append(dst []Value, v T) []Value { return r.appendTo(dst, unsafe.Pointer(&v)) }

// appendTo appends the fields of the T at p. What it appends holds no pointer to it.
func (r *Record[T]) appendTo(dst []Value, p unsafe.Pointer) []Value {
	for _, f := range r.fields {
		at := unsafe.Add(p, f.offset)
		switch f.form {
		case formString:
			dst = append(dst, Str(*(*string)(at)))
		case formInt64:
			dst = append(dst, Long(*(*int64)(at)))
		case formInt:
			dst = append(dst, Long(int64(*(*int)(at))))
		case formFloat64:
			dst = append(dst, Double(*(*float64)(at)))
		case formBytes:
			dst = append(dst, Bytes(*(*[]byte)(at)))
		case formBool:
			dst = append(dst, Bool(*(*bool)(at)))
		case formInt32:
			dst = append(dst, Int(*(*int32)(at)))
		case formInt16:
			dst = append(dst, Short(*(*int16)(at)))
		case formInt8:
			dst = append(dst, Byte(*(*int8)(at)))
		case formFloat32:
			dst = append(dst, Float(*(*float32)(at)))
		default:
			dst = append(dst, *(*Value)(at))
		}
	}
	return dst
}

// Get returns t as a T. Strings and byte slices are those of the tuple. It is an error if t has other fields: fewer or more
// than T, or of another kind. Integers fit every integer type that holds them, and every number fits a float.
func (r *Record[T]) Get(t Tuple) (T, error) {
	var v T
	if vals := t.Values(); len(vals) == len(r.fields) {
		for i := range vals {
			if !r.fields[i].set(unsafe.Pointer(&v), &vals[i]) {
				return v, fmt.Errorf("read a tuple from %s as %T: field %s is %v of kind %v", t.Component(), v, r.names[i], vals[i].Any(), vals[i].Kind())
			}
		}
		return v, nil
	}
	return v, fmt.Errorf("read a tuple from %s as %T: it has %d fields %v", t.Component(), v, t.Len(), t.Fields())
}

// set puts v into the field of the struct at p, and says whether it fits.
func (f *recordField) set(p unsafe.Pointer, v *Value) bool {
	at := unsafe.Add(p, f.offset)
	switch f.form {
	case formString:
		*(*string)(at) = v.Str()
		return v.Kind() == KindString
	case formInt64, formInt, formInt32, formInt16, formInt8:
		return v.Kind() >= KindByte && v.Kind() <= KindLong && f.setInt(at, v.Int())
	case formFloat64:
		*(*float64)(at) = v.Float()
		return isNumber(v.Kind())
	case formFloat32:
		*(*float32)(at) = float32(v.Float())
		return isNumber(v.Kind())
	case formBytes:
		*(*[]byte)(at) = v.Bytes()
		return v.Kind() == KindBytes || v.Kind() == KindString
	case formBool:
		*(*bool)(at) = v.Bool()
		return v.Kind() == KindBool
	}
	*(*Value)(at) = *v
	return true
}

func isNumber(k Kind) bool { return k >= KindByte && k <= KindDouble }

// setInt stores n, and says whether the field can hold it.
func (f *recordField) setInt(at unsafe.Pointer, n int64) bool {
	switch f.form {
	case formInt:
		*(*int)(at) = int(n)
		return int64(int(n)) == n
	case formInt32:
		*(*int32)(at) = int32(n)
		return int64(int32(n)) == n
	case formInt16:
		*(*int16)(at) = int16(n)
		return int64(int16(n)) == n
	case formInt8:
		*(*int8)(at) = int8(n)
		return int64(int8(n)) == n
	}
	*(*int64)(at) = n
	return true
}

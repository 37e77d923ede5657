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

// shape is what a Record knows of its type. Its methods take a struct of that type by its address, so that there is one
// of each for all types: what is generic is compiled into the packages of its users, where little of it is inlined.
type shape struct {
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

// emit sends the struct at p on o, anchored to t unless t is the zero Tuple.
func (s *shape) emit(o Output, t Tuple, p unsafe.Pointer) {
	if b := o.c.lane(o.i).batch(len(s.fields)); b != nil && o.c.lanes[o.i].add(b, s.appendTo(b.Vals, p)) {
		o.c.join(o.c.lanes[o.i], b, t)
		return
	}
	w := o.c.work()
	vals := s.appendTo(w.room(o.c.lane(o.i), len(s.fields)), p)
	w.anchored(o.i, t)
	o.c.emit(w, vals)
}

// emitID sends the struct at p on the default stream and tracks it under id.
func (s *shape) emitID(c *Collector, id Value, p unsafe.Pointer) {
	if c.openings != nil && id.k != KindNull {
		if b := c.lane(0).batch(len(s.fields)); b != nil && c.lanes[0].add(b, s.appendTo(b.Vals, p)) {
			c.start(c.lanes[0], b, 0, id)
			return
		}
	}
	w := c.work()
	vals := s.appendTo(w.room(c.lane(0), len(s.fields)), p)
	w.em = Emission{ID: id}
	c.emit(w, vals)
}

// appendTo appends the fields of the struct at p. What it appends holds no pointer to it.
func (s *shape) appendTo(dst []Value, p unsafe.Pointer) []Value {
	for _, f := range s.fields {
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

// get fills the struct at p with the values of t.
func (s *shape) get(t Tuple, p unsafe.Pointer) error {
	vals := t.Values()
	if len(vals) != len(s.fields) {
		return fmt.Errorf("it has %d fields %v", len(vals), t.Fields())
	}
	bad := s.read(vals, p)
	if bad < 0 {
		return nil
	}
	if err := t.Readable(bad); err != nil {
		return err
	}
	return s.unfit(vals, bad)
}

// read fills the struct at p with as many values, and returns the position of one that does not fit, else -1.
func (s *shape) read(vals []Value, p unsafe.Pointer) int {
	for i := range vals {
		if !s.fields[i].set(p, &vals[i]) {
			return i
		}
	}
	return -1
}

func (s *shape) unfit(vals []Value, i int) error {
	return fmt.Errorf("field %s is %v of kind %v", s.names[i], vals[i].Any(), vals[i].Kind())
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

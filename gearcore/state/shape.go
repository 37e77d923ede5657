package state

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// shape is a parsed schema: a letter for what is one thing, [elem], <key,elem>, ?elem, {name:elem;...}.
type shape struct {
	kind      byte
	key, elem *shape
	names     []string
	fields    []*shape
}

// parseShape parses a schema.
func parseShape(schema string) (*shape, error) {
	p := shapeParser{rest: schema}
	s := p.shape(0)
	if p.bad || p.rest != "" {
		return nil, fmt.Errorf("%w: it was written as %q, which is no schema of a struct", ErrCorrupt, schema)
	}
	return s, nil
}

type shapeParser struct {
	rest string
	bad  bool
}

func (p *shapeParser) byte() byte {
	if p.rest == "" {
		p.bad = true
		return 0
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	return c
}

func (p *shapeParser) expect(c byte) { p.bad = p.byte() != c || p.bad }

func (p *shapeParser) shape(depth int) *shape {
	s := &shape{kind: p.byte()}
	if p.bad = p.bad || depth > maxShape; p.bad {
		return s
	}
	switch s.kind {
	case '[':
		s.elem = p.shape(depth + 1)
		p.expect(']')
	case '<':
		s.key = p.shape(depth + 1)
		p.expect(',')
		s.elem = p.shape(depth + 1)
		p.expect('>')
	case '?':
		s.elem = p.shape(depth + 1)
	case '{':
		for !p.bad && !strings.HasPrefix(p.rest, "}") {
			name, rest, ok := strings.Cut(p.rest, ":")
			p.rest, p.bad = rest, !ok
			s.names = append(s.names, name)
			s.fields = append(s.fields, p.shape(depth+1))
			p.expect(';')
		}
		p.expect('}')
	default:
		p.bad = !strings.ContainsRune("biufsyvtx", rune(s.kind))
	}
	return s
}

// readerOf returns what reads values written as s into a t.
func readerOf(t reflect.Type, s *shape) (readFunc, error) {
	mismatch := fmt.Errorf("what was written as %q cannot be read as %v", s.kind, t)
	switch {
	case t == timeType:
		if s.kind != 't' {
			return nil, mismatch
		}
		return readTime, nil
	case t == valueType:
		if s.kind != 'v' {
			return nil, mismatch
		}
		return func(r *codec.Reader, v reflect.Value) { *v.Addr().Interface().(*gearcore.Value) = r.Value() }, nil
	case own(t):
		if s.kind != 'x' {
			return nil, mismatch
		}
		return readOwn, nil
	}
	k := t.Kind()
	switch {
	case k == reflect.Bool && s.kind == 'b':
		return func(r *codec.Reader, v reflect.Value) { v.SetBool(r.Byte() != 0) }, nil
	case k >= reflect.Int && k <= reflect.Uint64 && (s.kind == 'i' || s.kind == 'u'):
		return readNumber(k, s.kind), nil
	case (k == reflect.Float32 || k == reflect.Float64) && s.kind == 'f':
		return func(r *codec.Reader, v reflect.Value) { v.SetFloat(math.Float64frombits(r.Uint64())) }, nil
	case k == reflect.String && (s.kind == 's' || s.kind == 'y'):
		return func(r *codec.Reader, v reflect.Value) { v.SetString(r.Text()) }, nil
	case k == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && (s.kind == 'y' || s.kind == 's'):
		return func(r *codec.Reader, v reflect.Value) { v.SetBytes(r.Bytes()) }, nil
	case k == reflect.Struct && s.kind == '{':
		return readerOfStruct(t, s)
	case (k == reflect.Slice || k == reflect.Array) && s.kind == '[':
		return readerOfList(t, s)
	case k == reflect.Map && s.kind == '<':
		return readerOfMap(t, s)
	case k == reflect.Pointer && s.kind == '?':
		elem, err := readerOf(t.Elem(), s.elem)
		return func(r *codec.Reader, v reflect.Value) {
			if r.Byte() != 0 && r.Err == nil {
				v.Set(reflect.New(t.Elem()))
				elem(r, v.Elem())
			}
		}, err
	}
	return nil, mismatch
}

// readNumber reads an integer that was signed or not into one that is or is not.
func readNumber(k reflect.Kind, written byte) readFunc {
	return func(r *codec.Reader, v reflect.Value) {
		var u uint64
		negative := false
		if written == 'i' {
			n := r.Varint()
			u, negative = uint64(n), n < 0
		} else {
			u = r.Uvarint()
		}
		if k <= reflect.Int64 {
			if n := int64(u); (n < 0) != negative || v.OverflowInt(n) {
				r.Fail("a number does not fit %v", v.Type())
			} else {
				v.SetInt(n)
			}
			return
		}
		if negative || v.OverflowUint(u) {
			r.Fail("a number does not fit %v", v.Type())
			return
		}
		v.SetUint(u)
	}
}

func readTime(r *codec.Reader, v reflect.Value) {
	sec, nano := r.Varint(), r.Uvarint()
	if nano >= 1e9 {
		r.Fail("%d nanoseconds", nano)
		return
	}
	*v.Addr().Interface().(*time.Time) = time.Unix(sec, int64(nano)).UTC()
}

func readOwn(r *codec.Reader, v reflect.Value) {
	b := r.Bytes()
	if r.Err != nil {
		return
	}
	if err := v.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(b); err != nil {
		r.Fail("%v: %v", v.Type(), err)
	}
}

// readerOfStruct matches fields by name, and passes over those that t has not.
func readerOfStruct(t reflect.Type, s *shape) (readFunc, error) {
	type step struct {
		index int
		read  readFunc
	}
	steps := make([]step, 0, len(s.fields))
	own := fieldsOf(t)
	for i, written := range s.fields {
		st := step{index: -1, read: skipper(written)}
		for _, f := range own {
			if f.name != s.names[i] {
				continue
			}
			read, err := readerOf(t.Field(f.index).Type, written)
			if err != nil {
				return nil, fmt.Errorf("field %s of %v: %w", f.name, t, err)
			}
			st = step{f.index, read}
		}
		steps = append(steps, st)
	}
	return func(r *codec.Reader, v reflect.Value) {
		for i := range steps {
			if r.Err != nil {
				return
			}
			if steps[i].index < 0 {
				steps[i].read(r, reflect.Value{})
			} else {
				steps[i].read(r, v.Field(steps[i].index))
			}
		}
	}, nil
}

// count reads how many elements follow.
func count(r *codec.Reader) int {
	n := r.Uvarint()
	if n > maxElements || (len(r.Rest) == 0 && n > 1<<10) {
		r.Fail("%d elements", n)
		return 0
	}
	return int(n)
}

func readerOfList(t reflect.Type, s *shape) (readFunc, error) {
	elem, err := readerOf(t.Elem(), s.elem)
	if err != nil {
		return nil, err
	}
	if t.Kind() == reflect.Array {
		return func(r *codec.Reader, v reflect.Value) {
			n := count(r)
			if n > v.Len() {
				r.Fail("%d elements of an array of %d", n, v.Len())
			}
			for i := 0; i < n && r.Err == nil; i++ {
				elem(r, v.Index(i))
			}
		}, nil
	}
	return func(r *codec.Reader, v reflect.Value) {
		n := count(r)
		list := reflect.MakeSlice(t, 0, min(n, 64))
		zero := reflect.Zero(t.Elem())
		for i := 0; i < n && r.Err == nil; i++ {
			list = reflect.Append(list, zero)
			elem(r, list.Index(i))
		}
		v.Set(list)
	}, nil
}

func readerOfMap(t reflect.Type, s *shape) (readFunc, error) {
	key, err := readerOf(t.Key(), s.key)
	if err != nil {
		return nil, err
	}
	elem, err := readerOf(t.Elem(), s.elem)
	if err != nil {
		return nil, err
	}
	return func(r *codec.Reader, v reflect.Value) {
		n := count(r)
		m := reflect.MakeMapWithSize(t, min(n, 64))
		for i := 0; i < n && r.Err == nil; i++ {
			k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			key(r, k)
			elem(r, e)
			if r.Err == nil {
				m.SetMapIndex(k, e)
			}
		}
		v.Set(m)
	}, nil
}

// skipper passes over a value that was written as s.
func skipper(s *shape) readFunc {
	switch s.kind {
	case 'b':
		return func(r *codec.Reader, _ reflect.Value) { r.Byte() }
	case 'i', 'u':
		return func(r *codec.Reader, _ reflect.Value) { r.Uvarint() }
	case 'f':
		return func(r *codec.Reader, _ reflect.Value) { r.Uint64() }
	case 's', 'y', 'x':
		return func(r *codec.Reader, _ reflect.Value) { r.Bytes() }
	case 't':
		return func(r *codec.Reader, _ reflect.Value) { r.Varint(); r.Uvarint() }
	case 'v':
		return func(r *codec.Reader, _ reflect.Value) { r.Value() }
	case '?':
		elem := skipper(s.elem)
		return func(r *codec.Reader, v reflect.Value) {
			if r.Byte() != 0 {
				elem(r, v)
			}
		}
	case '{':
		fields := make([]readFunc, len(s.fields))
		for i, f := range s.fields {
			fields[i] = skipper(f)
		}
		return func(r *codec.Reader, v reflect.Value) {
			for _, f := range fields {
				f(r, v)
			}
		}
	}
	elem, key := skipper(s.elem), readFunc(func(*codec.Reader, reflect.Value) {})
	if s.kind == '<' {
		key = skipper(s.key)
	}
	return func(r *codec.Reader, v reflect.Value) {
		for n := count(r); n > 0 && r.Err == nil; n-- {
			key(r, v)
			elem(r, v)
		}
	}
}

package javaser

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/gearstorm/gearstorm/compat/classfile"
)

// Errors of [Parse].
var (
	ErrTooLarge = errors.New("java stream over a bound")
	ErrBroken   = errors.New("java stream broken")
)

// Type codes, ObjectStreamConstants.
const (
	streamMagic   = 0xACED
	streamVersion = 5
	baseHandle    = 0x7E0000

	tcNull           = 0x70
	tcReference      = 0x71
	tcClassDesc      = 0x72
	tcObject         = 0x73
	tcString         = 0x74
	tcArray          = 0x75
	tcClass          = 0x76
	tcBlockData      = 0x77
	tcEndBlockData   = 0x78
	tcBlockDataLong  = 0x7A
	tcLongString     = 0x7C
	tcProxyClassDesc = 0x7D
	tcEnum           = 0x7E

	scWriteMethod    = 0x01
	scSerializable   = 0x02
	scExternalizable = 0x04
	scBlockData      = 0x08
)

// Parse reads a stream that holds one value and nothing after it. Errors wrap [ErrTooLarge] or [ErrBroken].
// The values share data, which must not change while they are in use.
func Parse(data []byte) (Value, error) {
	r, err := newReader(data)
	if err != nil {
		return nil, err
	}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if r.pos != len(r.data) {
		return nil, r.broken("%d bytes follow the value", len(r.data)-r.pos)
	}
	return v, nil
}

// block is block data inside an annotation, endBlock its end; neither is a value outside of one.
type (
	block    []byte
	endBlock struct{}
)

type reader struct {
	data    []byte
	pos     int
	nodes   int
	handles []Value
	root    *Object // the outermost object, filled in as it is read: see Recognize
}

func newReader(data []byte) (*reader, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("read %d bytes: %w", len(data), ErrTooLarge)
	}
	r := &reader{data: data}
	magic, err := r.u16()
	if err != nil {
		return nil, err
	}
	version, err := r.u16()
	if err != nil {
		return nil, err
	}
	if magic != streamMagic || version != streamVersion {
		return nil, r.broken("it starts with %04x%04x and not with aced0005", magic, version)
	}
	return r, nil
}

func (r *reader) broken(format string, args ...any) error {
	return fmt.Errorf("%w at byte %d: %s", ErrBroken, r.pos, fmt.Sprintf(format, args...))
}

// node counts one more thing to keep.
func (r *reader) node(depth int) error {
	r.nodes++
	if r.nodes > MaxNodes {
		return fmt.Errorf("more than %d values: %w", MaxNodes, ErrTooLarge)
	}
	if depth > MaxDepth {
		return fmt.Errorf("nested deeper than %d: %w", MaxDepth, ErrTooLarge)
	}
	return nil
}

// tag begins a node and reads what it is.
func (r *reader) tag(depth int) (byte, error) {
	if err := r.node(depth); err != nil {
		return 0, err
	}
	return r.u8()
}

func (r *reader) bytes(n int) ([]byte, error) {
	if n < 0 || n > len(r.data)-r.pos {
		return nil, r.broken("%d bytes wanted, %d left", n, len(r.data)-r.pos)
	}
	b := r.data[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b, nil
}

func (r *reader) u8() (byte, error) {
	b, err := r.bytes(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (r *reader) u16() (uint16, error) {
	b, err := r.bytes(2)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(b), nil
}

func (r *reader) i32() (int32, error) {
	b, err := r.bytes(4)
	if err != nil {
		return 0, err
	}
	return int32(binary.BigEndian.Uint32(b)), nil
}

func (r *reader) i64() (int64, error) {
	b, err := r.bytes(8)
	if err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// utf reads a string with a two-byte length.
func (r *reader) utf() (string, error) {
	n, err := r.u16()
	if err != nil {
		return "", err
	}
	return r.text(int64(n))
}

func (r *reader) text(n int64) (string, error) {
	if n < 0 || n > math.MaxInt32 {
		return "", r.broken("a string of %d bytes", n)
	}
	b, err := r.bytes(int(n))
	if err != nil {
		return "", err
	}
	s, ok := classfile.ModifiedUTF8(b)
	if !ok {
		return "", r.broken("a string is not modified UTF-8")
	}
	return s, nil
}

func (r *reader) handle(v Value) int {
	r.handles = append(r.handles, v)
	return len(r.handles) - 1
}

func (r *reader) reference() (Value, error) {
	n, err := r.i32()
	if err != nil {
		return nil, err
	}
	i := int64(n) - baseHandle
	if i < 0 || i >= int64(len(r.handles)) {
		return nil, r.broken("reference to the unknown handle %#x", uint32(n))
	}
	return r.handles[i], nil
}

// content reads one value, or block data or its end.
func (r *reader) content(depth int) (Value, error) {
	tc, err := r.tag(depth)
	if err != nil {
		return nil, err
	}
	switch tc {
	case tcNull:
		return nil, nil
	case tcReference:
		return r.reference()
	case tcClassDesc, tcProxyClassDesc:
		return r.newClass(tc, depth)
	case tcObject:
		return r.object(depth)
	case tcArray:
		return r.array(depth)
	case tcString, tcLongString:
		return r.newString(tc)
	case tcEnum:
		return r.enum(depth)
	case tcClass:
		c, err := r.class(depth + 1)
		if err != nil {
			return nil, err
		}
		if c == nil {
			return nil, r.broken("a class value without class")
		}
		r.handle(c)
		return c, nil
	case tcBlockData:
		n, err := r.u8()
		if err != nil {
			return nil, err
		}
		b, err := r.bytes(int(n))
		return block(b), err
	case tcBlockDataLong:
		n, err := r.i32()
		if err != nil {
			return nil, err
		}
		b, err := r.bytes(int(n))
		return block(b), err
	case tcEndBlockData:
		return endBlock{}, nil
	}
	return nil, r.broken("type code %#02x", tc)
}

// value reads one value where no block data may stand.
func (r *reader) value(depth int) (Value, error) {
	v, err := r.content(depth)
	if err != nil {
		return nil, err
	}
	switch v.(type) {
	case block, endBlock:
		return nil, r.broken("block data where a value belongs")
	}
	return v, nil
}

func (r *reader) newString(tc byte) (string, error) {
	var n int64
	if tc == tcString {
		short, err := r.u16()
		if err != nil {
			return "", err
		}
		n = int64(short)
	} else {
		var err error
		if n, err = r.i64(); err != nil {
			return "", err
		}
	}
	s, err := r.text(n)
	if err == nil {
		r.handle(s)
	}
	return s, err
}

func (r *reader) enum(depth int) (Value, error) {
	c, err := r.class(depth + 1)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, r.broken("an enum constant without class")
	}
	e := &Enum{Class: c}
	r.handle(e)
	name, err := r.value(depth + 1)
	if err != nil {
		return nil, err
	}
	s, ok := name.(string)
	if !ok {
		return nil, r.broken("an enum constant without name")
	}
	e.Name = s
	return e, nil
}

func (r *reader) array(depth int) (Value, error) {
	c, err := r.class(depth + 1)
	if err != nil {
		return nil, err
	}
	if c == nil || len(c.Name) < 2 || c.Name[0] != '[' {
		return nil, r.broken("an array without an array class")
	}
	n, err := r.i32()
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, r.broken("an array of %d elements", n)
	}
	a := &Array{Class: c, Len: int(n)}
	r.handle(a)
	if size := primitiveSize(c.Name[1]); size > 0 {
		if int(n) > (len(r.data)-r.pos)/size {
			return nil, r.broken("an array of %d elements in %d bytes", n, len(r.data)-r.pos)
		}
		a.Raw, err = r.bytes(int(n) * size)
		return a, err
	}
	// Every element takes at least one byte and one node.
	if int(n) > len(r.data)-r.pos {
		return nil, r.broken("an array of %d elements in %d bytes", n, len(r.data)-r.pos)
	}
	if int(n) > MaxNodes-r.nodes {
		return nil, fmt.Errorf("more than %d values: %w", MaxNodes, ErrTooLarge)
	}
	a.Elements = make([]Value, n)
	for i := range a.Elements {
		if a.Elements[i], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func primitiveSize(t byte) int {
	switch t {
	case 'B', 'Z':
		return 1
	case 'C', 'S':
		return 2
	case 'I', 'F':
		return 4
	case 'J', 'D':
		return 8
	}
	return 0
}

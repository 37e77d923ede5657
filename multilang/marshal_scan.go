package multilang

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/gearcore"
)

// unmarshaler reads values that Python's marshal.dumps wrote in its version 2, which shares no objects: None, booleans,
// integers, floats, text, bytes, lists, tuples, sets (as lists) and dicts. It believes no count before the bytes are there.
// Integers get the Java kinds that scanner gives them. Text that is not UTF-8 (a lone surrogate) gets U+FFFD.
type unmarshaler struct {
	b      []byte
	i      int
	limits *Limits
	left   int             // values that may still come
	text   *gearcore.Chunk // nil: text is not copied
	whole  bool            // lists and dicts need not be parsed now
}

var errCut = fmt.Errorf("the frame ends inside a value")

func (u *unmarshaler) next() byte {
	if u.i < len(u.b) {
		return u.b[u.i]
	}
	return 0
}

// length reads a 32-bit length of things that take at least size bytes each.
func (u *unmarshaler) length(size int) (int, error) {
	if len(u.b)-u.i < 4 {
		return 0, errCut
	}
	n := binary.LittleEndian.Uint32(u.b[u.i:])
	u.i += 4
	if n > math.MaxInt32 || int(n)*size > len(u.b)-u.i {
		return 0, errCut
	}
	return int(n), nil
}

// value reads any value, strings copied.
func (u *unmarshaler) value(depth int) (gearcore.Value, error) {
	if u.left--; u.left < 0 {
		return gearcore.Value{}, tooLarge("a number of values", u.limits.Values)
	}
	if u.i >= len(u.b) {
		return gearcore.Value{}, errCut
	}
	switch c := u.b[u.i]; c {
	case 'u', 't', 'a', 'A':
		u.i++
		raw, err := u.raw(4)
		return u.str(raw), err
	case 'z', 'Z':
		u.i++
		raw, err := u.raw(1)
		return u.str(raw), err
	case '(', '[', '<', '>', ')', '{':
		if u.whole {
			if v, ok := u.deferred(depth + 1); ok {
				return v, nil
			}
		}
		if c == '{' {
			return u.dict(depth + 1)
		}
		return u.list(depth + 1)
	}
	return u.scalar()
}

// scalar reads a value that is no text and holds no others.
func (u *unmarshaler) scalar() (gearcore.Value, error) {
	c := u.b[u.i]
	u.i++
	switch c {
	case 'i':
		if len(u.b)-u.i < 4 {
			return gearcore.Value{}, errCut
		}
		n := int32(binary.LittleEndian.Uint32(u.b[u.i:]))
		u.i += 4
		return gearcore.Int(n), nil
	case 'N':
		return gearcore.Null(), nil
	case 'T', 'F':
		return gearcore.Bool(c == 'T'), nil
	case 'g':
		if len(u.b)-u.i < 8 {
			return gearcore.Value{}, errCut
		}
		f := math.Float64frombits(binary.LittleEndian.Uint64(u.b[u.i:]))
		u.i += 8
		return gearcore.Double(f), nil
	case 'l':
		return u.big()
	case 's':
		raw, err := u.raw(4)
		return gearcore.Bytes(slices.Clone(raw)), err
	}
	return gearcore.Value{}, fmt.Errorf("a value of marshal type %q: only None, bool, int, float, str, bytes, list, tuple, set and dict can cross", c)
}

// raw reads a length of width bytes and what it announces.
func (u *unmarshaler) raw(width int) ([]byte, error) {
	n := 0
	if width == 1 {
		if u.i >= len(u.b) {
			return nil, errCut
		}
		n = int(u.b[u.i])
		u.i++
	} else {
		var err error
		if n, err = u.length(1); err != nil {
			return nil, err
		}
	}
	if n > len(u.b)-u.i {
		return nil, errCut
	}
	raw := u.b[u.i : u.i+n]
	u.i += n
	return raw, nil
}

func (u *unmarshaler) str(raw []byte) gearcore.Value {
	if !isASCII(view(raw)) && !utf8.Valid(raw) {
		return gearcore.Str(strings.ToValidUTF8(string(raw), "\uFFFD"))
	}
	if u.text == nil {
		return gearcore.Str(view(raw))
	}
	return gearcore.Str(u.text.String(raw))
}

// open reads the head of a list of any kind and returns how many values follow.
func (u *unmarshaler) open() (int, error) {
	c := u.next()
	u.i++
	var n int
	var err error
	switch c {
	case '(', '[', '<', '>':
		n, err = u.length(1)
	case ')':
		if u.i >= len(u.b) {
			return 0, errCut
		}
		n = int(u.b[u.i])
		u.i++
	default:
		err = fmt.Errorf("a marshal type %q where a list should be", c)
	}
	if err == nil && n > u.left {
		err = tooLarge("a number of values", u.limits.Values)
	}
	return n, err
}

func (u *unmarshaler) list(depth int) (gearcore.Value, error) {
	if depth > u.limits.Depth {
		return gearcore.Value{}, tooLarge("a nesting depth", u.limits.Depth)
	}
	n, err := u.open()
	if err != nil {
		return gearcore.Value{}, err
	}
	out := make([]gearcore.Value, 0, min(n, len(u.b)-u.i))
	for range n {
		v, err := u.value(depth)
		if err != nil {
			return gearcore.Value{}, err
		}
		out = append(out, v)
	}
	return gearcore.List(out), nil
}

func (u *unmarshaler) dict(depth int) (gearcore.Value, error) {
	if depth > u.limits.Depth {
		return gearcore.Value{}, tooLarge("a nesting depth", u.limits.Depth)
	}
	u.i++
	var m mapBuilder
	for u.next() != '0' {
		k, err := u.value(depth)
		if err != nil {
			return gearcore.Value{}, err
		}
		if k.Kind() == gearcore.KindList || k.Kind() == gearcore.KindMap {
			return gearcore.Value{}, fmt.Errorf("a dict with a %s as key", k.Kind())
		}
		v, err := u.value(depth)
		if err != nil {
			return gearcore.Value{}, err
		}
		m.put(k, v)
	}
	u.i++
	return m.value(), nil
}

// big reads an integer in digits of 15 bits.
func (u *unmarshaler) big() (gearcore.Value, error) {
	if len(u.b)-u.i < 4 {
		return gearcore.Value{}, errCut
	}
	count := int64(int32(binary.LittleEndian.Uint32(u.b[u.i:])))
	u.i += 4
	digits := max(count, -count)
	if digits > int64(u.limits.Digits) { // a binary digit here is worth more than four decimal ones
		return gearcore.Value{}, tooLarge("a number of digits", u.limits.Digits)
	}
	if 2*digits > int64(len(u.b)-u.i) {
		return gearcore.Value{}, errCut
	}
	n := new(big.Int)
	for at := int(digits) - 1; at >= 0; at-- {
		d := binary.LittleEndian.Uint16(u.b[u.i+2*at:])
		n.Or(n.Lsh(n, 15), big.NewInt(int64(d&(1<<15-1))))
	}
	u.i += int(2 * digits)
	if count < 0 {
		n.Neg(n)
	}
	if n.IsInt64() {
		return integer(n.Int64()), nil
	}
	return gearcore.BigInt(n), nil
}

// marshalOp reads one operation.
func (d *decoder) marshalOp(u *unmarshaler, in *inbound, m *message) (hasTuple bool, err error) {
	switch u.next() {
	case 'i':
		m.cmd = cmdAck
		m.id, err = u.value(1)
		return false, err
	case 'N':
		u.i++
		m.cmd = cmdSync
		return false, nil
	}
	n, err := u.open()
	if err != nil {
		return false, err
	}
	code, err := u.value(1)
	if err != nil {
		return false, err
	}
	switch {
	case code.Kind() == gearcore.KindInt && code.Int() == opEmit && n == 3, code.Int() == opEmitMore && n == 7:
		m.cmd, m.noTaskIDs = cmdEmit, true
		m.anchors.from = len(in.anchors)
		if err = d.marshalAnchors(u, in); err != nil {
			return true, err
		}
		m.anchors.to, m.vals.from = len(in.anchors), len(in.vals)
		err = u.tuple(in)
		m.vals.to = len(in.vals)
		for at := 3; err == nil && at < n; at++ {
			var v gearcore.Value
			if v, err = u.value(1); err == nil {
				err = d.more(m, at, v)
			}
		}
		return true, err
	case code.Int() == opFail && n == 2:
		m.cmd = cmdFail
		m.id, err = u.value(1)
		return false, err
	case code.Int() == opState && n == 5:
		m.cmd = cmdState
		for at := range 3 {
			v, err := u.value(1)
			if err != nil {
				return false, err
			}
			if err := m.change.set(at, v); err != nil {
				return false, err
			}
		}
		m.vals.from = len(in.vals)
		err = u.tuple(in)
		m.vals.to = len(in.vals)
		return false, err
	case code.Int() == opMessage && n == 2:
		v, err := u.value(1)
		if err != nil {
			return false, err
		}
		return false, d.fields(m, v)
	}
	return false, wrongOp(code.Int(), n)
}

// tuple appends the elements of a list to in.vals.
func (u *unmarshaler) tuple(in *inbound) error {
	n, err := u.open()
	if err != nil {
		return fmt.Errorf("values of an emit: %w", err)
	}
	u.whole = true
	for range n {
		v, err := u.value(2)
		if err != nil {
			return err
		}
		in.vals = append(in.vals, v)
	}
	u.whole = false
	return nil
}

func (d *decoder) marshalAnchors(u *unmarshaler, in *inbound) error {
	if c := u.next(); c != '[' && c != '(' {
		v, err := u.value(1)
		if err != nil || v.IsNull() {
			return err
		}
		return d.anchor(in, v)
	}
	n, err := u.open()
	if err != nil {
		return err
	}
	for range n {
		v, err := u.value(2)
		if err != nil {
			return err
		}
		if err = d.anchor(in, v); err != nil {
			return err
		}
	}
	return nil
}

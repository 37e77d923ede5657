package multilang

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/gearcore"
)

// unpacker reads msgpack values. Integers get the Java kinds that scanner gives them, both float formats are Doubles, bin is
// bytes; extension types are errors. Text that is not UTF-8 gets U+FFFD.
type unpacker struct {
	b      []byte
	i      int
	limits *Limits
	left   int
	text   *gearcore.Chunk
}

// header is the first byte of a value with its count or content.
type header struct {
	kind packKind
	n    int // bytes of a string or bin, elements of a list, pairs of a map
	val  gearcore.Value
}

type packKind uint8

const (
	packScalar packKind = iota
	packStr
	packBin
	packList
	packMap
)

// errShort says that b ends inside a value; with a stream, more may come.
var errShort = fmt.Errorf("msgpack value is cut off")

// readHeader reads the header at b[i:] and returns the position after it.
func readHeader(b []byte, i int) (header, int, error) {
	if i >= len(b) {
		return header{}, i, errShort
	}
	c := b[i]
	i++
	switch {
	case c < 0x80:
		return scalar(gearcore.Int(int32(c))), i, nil
	case c < 0x90:
		return header{kind: packMap, n: int(c & 15)}, i, nil
	case c < 0xa0:
		return header{kind: packList, n: int(c & 15)}, i, nil
	case c < 0xc0:
		return header{kind: packStr, n: int(c & 31)}, i, nil
	case c >= 0xe0:
		return scalar(gearcore.Int(int32(int8(c)))), i, nil
	}
	size := packSize(c)
	if size < 0 {
		return header{}, i, fmt.Errorf("msgpack type byte 0x%02x is not supported", c)
	}
	if len(b)-i < size {
		return header{}, i, errShort
	}
	var u uint64
	for _, x := range b[i : i+size] {
		u = u<<8 | uint64(x)
	}
	h, err := longHeader(c, u)
	return h, i + size, err
}

func scalar(v gearcore.Value) header { return header{val: v} }

// packSize returns how many bytes follow the type byte c (0xc0 to 0xdf) before a header is complete, -1 for extensions.
func packSize(c byte) int {
	switch c {
	case 0xc0, 0xc2, 0xc3:
		return 0
	case 0xc4, 0xcc, 0xd0, 0xd9:
		return 1
	case 0xc5, 0xcd, 0xd1, 0xda, 0xdc, 0xde:
		return 2
	case 0xc6, 0xca, 0xce, 0xd2, 0xdb, 0xdd, 0xdf:
		return 4
	case 0xcb, 0xcf, 0xd3:
		return 8
	}
	return -1
}

// longHeader makes the header of type c whose length or content is u.
func longHeader(c byte, u uint64) (header, error) {
	switch c {
	case 0xc0:
		return scalar(gearcore.Null()), nil
	case 0xc2, 0xc3:
		return scalar(gearcore.Bool(c == 0xc3)), nil
	case 0xc4, 0xc5, 0xc6:
		return header{kind: packBin, n: int(u)}, nil
	case 0xd9, 0xda, 0xdb:
		return header{kind: packStr, n: int(u)}, nil
	case 0xdc, 0xdd:
		return header{kind: packList, n: int(u)}, nil
	case 0xde, 0xdf:
		return header{kind: packMap, n: int(u)}, nil
	case 0xca:
		return scalar(gearcore.Double(float64(math.Float32frombits(uint32(u))))), nil
	case 0xcb:
		return scalar(gearcore.Double(math.Float64frombits(u))), nil
	case 0xcc, 0xcd, 0xce:
		return scalar(integer(int64(u))), nil
	case 0xcf:
		if u > math.MaxInt64 {
			return scalar(gearcore.BigInt(new(big.Int).SetUint64(u))), nil
		}
		return scalar(integer(int64(u))), nil
	case 0xd0:
		return scalar(gearcore.Int(int32(int8(u)))), nil
	case 0xd1:
		return scalar(gearcore.Int(int32(int16(u)))), nil
	case 0xd2:
		return scalar(gearcore.Int(int32(u))), nil
	case 0xd3:
		return scalar(integer(int64(u))), nil
	}
	return header{}, fmt.Errorf("msgpack type byte 0x%02x is not supported", c)
}

// header reads the next header and checks that the message can hold what it announces.
func (u *unpacker) header() (header, error) {
	if u.left--; u.left < 0 {
		return header{}, tooLarge("a number of values", u.limits.Values)
	}
	h, i, err := readHeader(u.b, u.i)
	if err != nil {
		return h, err
	}
	if h.n > len(u.b)-i {
		return h, errShort // every element takes a byte at least
	}
	u.i = i
	return h, nil
}

// value reads any value. With keep its strings are copied; else they are views of the message.
func (u *unpacker) value(depth int, keep bool) (gearcore.Value, error) {
	h, err := u.header()
	if err != nil {
		return gearcore.Value{}, err
	}
	return u.content(h, depth, keep)
}

func (u *unpacker) content(h header, depth int, keep bool) (gearcore.Value, error) {
	switch h.kind {
	case packStr:
		return gearcore.Str(u.str(h.n, keep)), nil
	case packBin:
		raw := u.take(h.n)
		if keep {
			raw = slices.Clone(raw)
		}
		return gearcore.Bytes(raw), nil
	case packList:
		return u.list(h.n, depth+1, keep)
	case packMap:
		return u.pairs(h.n, depth+1, keep)
	}
	return h.val, nil
}

func (u *unpacker) take(n int) []byte {
	raw := u.b[u.i : u.i+n]
	u.i += n
	return raw
}

func (u *unpacker) str(n int, keep bool) string {
	raw := u.take(n)
	if !utf8.Valid(raw) {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	if keep {
		return u.text.String(raw)
	}
	return view(raw)
}

func (u *unpacker) list(n, depth int, keep bool) (gearcore.Value, error) {
	if depth > u.limits.Depth {
		return gearcore.Value{}, tooLarge("a nesting depth", u.limits.Depth)
	}
	if n > u.left {
		return gearcore.Value{}, tooLarge("a number of values", u.limits.Values)
	}
	out := make([]gearcore.Value, 0, n)
	for range n {
		v, err := u.value(depth, keep)
		if err != nil {
			return gearcore.Value{}, err
		}
		out = append(out, v)
	}
	return gearcore.List(out), nil
}

func (u *unpacker) pairs(n, depth int, keep bool) (gearcore.Value, error) {
	if depth > u.limits.Depth {
		return gearcore.Value{}, tooLarge("a nesting depth", u.limits.Depth)
	}
	var m mapBuilder
	for range n {
		k, err := u.value(depth, keep)
		if err != nil {
			return gearcore.Value{}, err
		}
		if k.Kind() == gearcore.KindList || k.Kind() == gearcore.KindMap {
			return gearcore.Value{}, fmt.Errorf("msgpack map with a %s as key", k.Kind())
		}
		v, err := u.value(depth, keep)
		if err != nil {
			return gearcore.Value{}, err
		}
		m.put(k, v)
	}
	return m.value(), nil
}

// decodeMsgpack reads one message, a map, into in. On an error in holds no part of it.
func (d *decoder) decodeMsgpack(frame []byte, in *inbound) error {
	mark := in.begin()
	if err := d.msgpackMessage(frame, in, in.last()); err != nil {
		in.rewind(mark)
		return &ProtocolError{What: "msgpack message of the child", Err: err, Excerpt: excerpt(frame)}
	}
	in.bytes += len(frame)
	return nil
}

func (d *decoder) msgpackMessage(frame []byte, in *inbound, m *message) error {
	u := unpacker{b: frame, limits: &d.limits, left: d.limits.Values, text: &d.text}
	top, err := u.header()
	if err != nil {
		return err
	}
	if top.kind != packMap {
		return fmt.Errorf("not a map (only messages may go to standard output: print to standard error)")
	}
	hasTuple := false
	for range top.n {
		key, err := u.value(1, false)
		if err != nil {
			return err
		}
		switch key.Str() {
		case "tuple":
			hasTuple = true
			m.vals.from = len(in.vals)
			err = u.tuple(in)
			m.vals.to = len(in.vals)
		case "anchors":
			m.anchors.from = len(in.anchors)
			err = d.msgpackAnchors(&u, in)
			m.anchors.to = len(in.anchors)
		default:
			var v gearcore.Value
			if v, err = u.value(1, false); err == nil {
				err = d.field(m, key.Str(), v)
			}
		}
		if err != nil {
			return err
		}
	}
	if u.i != len(frame) {
		return fmt.Errorf("%d bytes after the message", len(frame)-u.i)
	}
	return m.complete(hasTuple)
}

func (u *unpacker) tuple(in *inbound) error {
	h, err := u.header()
	if err != nil {
		return err
	}
	if h.kind != packList {
		return fmt.Errorf(`"tuple" is not a list`)
	}
	for range h.n {
		v, err := u.value(2, true)
		if err != nil {
			return err
		}
		in.vals = append(in.vals, v)
	}
	return nil
}

func (d *decoder) msgpackAnchors(u *unpacker, in *inbound) error {
	h, err := u.header()
	if err != nil {
		return err
	}
	if h.kind != packList {
		v, err := u.content(h, 1, false)
		if err != nil || v.IsNull() {
			return err
		}
		return d.anchor(in, v)
	}
	for range h.n {
		v, err := u.value(2, false)
		if err != nil {
			return err
		}
		if err = d.anchor(in, v); err != nil {
			return err
		}
	}
	return nil
}

// packFramer finds the end of a msgpack value in a growing buffer without looking at any byte twice: it counts the values
// that are still to come.
type packFramer struct {
	at   int // everything before is scanned
	need int // values to come; 0 at the start of a message
	seen int // values of this message
}

// end returns the length of the first message in b, 0 if b does not hold all of it yet. It must be called with the same
// beginning of b until it succeeds or fails.
func (f *packFramer) end(b []byte, limits *Limits) (int, error) {
	if f.at == 0 {
		f.need, f.seen = 1, 0
	}
	for f.need > 0 {
		h, next, err := readHeader(b, f.at)
		if err == errShort {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		switch h.kind {
		case packStr, packBin:
			if h.n > limits.MessageBytes {
				return 0, tooLarge("a string in a message", limits.MessageBytes)
			}
			if next += h.n; next > len(b) {
				return 0, nil
			}
		case packList:
			f.need += h.n
		case packMap:
			f.need += 2 * h.n
		}
		f.need--
		if f.seen++; f.seen+f.need > limits.Values {
			return 0, tooLarge("a number of values", limits.Values)
		}
		f.at = next
	}
	n := f.at
	f.at = 0
	return n, nil
}

package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"unsafe"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Reader takes the body of a frame apart. The first error sticks and empties it; every read after that gives zero values,
// so callers look at Err once per row.
type Reader struct {
	Rest []byte // not read yet
	Err  error
	// Texts has the copies of texts and bytes. Without it they are views of the body, which must not be written again then.
	Texts *gearcore.Chunk

	budget int   // how many elements of lists and maps may still be allocated
	bad    error // wrapped by every error
}

// NewReader returns a Reader of body, whose errors wrap bad. The lists and maps in it may have as many elements together as
// it has bytes, and an element takes at least one, so an honest body never exceeds that.
func NewReader(body []byte, bad error) Reader {
	return Reader{Rest: body, budget: len(body), bad: bad}
}

// Reset begins another body, and keeps Texts and what errors wrap.
func (r *Reader) Reset(body []byte) { r.Rest, r.Err, r.budget = body, nil, len(body) }

// Fail ends the reading with an error, unless there is one already.
func (r *Reader) Fail(format string, args ...any) {
	if r.Err == nil {
		r.Err = fmt.Errorf("%w: %s", r.bad, fmt.Sprintf(format, args...))
	}
	r.Rest = nil
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.Rest) == 0 {
		r.Fail("ends in the middle of a value")
		return 0
	}
	b := r.Rest[0]
	r.Rest = r.Rest[1:]
	return b
}

// Take reads n bytes as a view, nil if there are fewer.
func (r *Reader) Take(n int) []byte {
	if len(r.Rest) < n {
		r.Fail("ends in the middle of a value")
		return nil
	}
	b := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return b
}

// Uint32 reads 4 bytes.
func (r *Reader) Uint32() uint32 {
	if len(r.Rest) < 4 {
		r.Fail("ends in the middle of a number")
		return 0
	}
	v := binary.LittleEndian.Uint32(r.Rest)
	r.Rest = r.Rest[4:]
	return v
}

// Uint64 reads 8 bytes.
func (r *Reader) Uint64() uint64 {
	if len(r.Rest) < 8 {
		r.Fail("ends in the middle of a number")
		return 0
	}
	v := binary.LittleEndian.Uint64(r.Rest)
	r.Rest = r.Rest[8:]
	return v
}

// Uvarint reads an unsigned varint.
func (r *Reader) Uvarint() uint64 {
	if len(r.Rest) > 0 && r.Rest[0] < 0x80 {
		v := r.Rest[0]
		r.Rest = r.Rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 {
		r.Fail("ends in the middle of a number")
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Varint reads a zigzag varint.
func (r *Reader) Varint() int64 {
	u := r.Uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// Count reads how many things of at least size bytes follow, and believes it if they can.
func (r *Reader) Count(size int) int {
	n := r.Uvarint()
	if n > uint64(len(r.Rest)/size) {
		r.Fail("%d things in %d bytes", n, len(r.Rest))
		return 0
	}
	return int(n)
}

// Text reads a text.
func (r *Reader) Text() string {
	b := r.Bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Bytes reads a text as bytes, without spare capacity.
func (r *Reader) Bytes() []byte {
	b := r.view()
	if r.Texts != nil {
		return r.Texts.Bytes(b)
	}
	return b
}

func (r *Reader) view() []byte {
	n := r.Uvarint()
	if n > uint64(len(r.Rest)) {
		r.Fail("a text of %d bytes goes past its end", n)
		return nil
	}
	b := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return b
}

// maxShort is where texts end that have a length of at most two bytes.
const maxShort = 1 << 14

// Values reads n values and appends them to vals.
func (r *Reader) Values(vals []gearcore.Value, n int) []gearcore.Value {
	for ; n > 0 && r.Err == nil; n-- {
		p := r.Rest
		if len(p) > 2 && gearcore.Kind(p[0]) == gearcore.KindString { // most are short texts
			size, at := int(p[1]), 2
			if size >= 0x80 {
				size, at = size&0x7F|int(p[2])<<7, 3
			}
			if size < maxShort && size <= len(p)-at {
				text := p[at : at+size : at+size]
				if r.Rest = p[at+size:]; r.Texts != nil {
					text = r.Texts.Bytes(text)
				}
				vals = append(vals, gearcore.Str(unsafe.String(unsafe.SliceData(text), size)))
				continue
			}
		}
		vals = append(vals, r.value(0))
	}
	return vals
}

// Value reads one value.
func (r *Reader) Value() gearcore.Value { return r.value(0) }

func (r *Reader) value(depth int) gearcore.Value {
	switch k := gearcore.Kind(r.Byte()); k {
	case gearcore.KindString:
		return gearcore.Str(r.Text())
	case gearcore.KindLong:
		return gearcore.Long(r.Varint())
	case gearcore.KindNull:
		return gearcore.Null()
	case gearcore.KindBool:
		return gearcore.Bool(r.Byte() == 1)
	case gearcore.KindByte:
		return gearcore.Byte(int8(r.Varint()))
	case gearcore.KindShort:
		return gearcore.Short(int16(r.Varint()))
	case gearcore.KindChar:
		return gearcore.Char(uint16(r.Varint()))
	case gearcore.KindInt:
		return gearcore.Int(int32(r.Varint()))
	case gearcore.KindFloat:
		return gearcore.Float(math.Float32frombits(r.Uint32()))
	case gearcore.KindDouble:
		return gearcore.Double(math.Float64frombits(r.Uint64()))
	case gearcore.KindBytes:
		return gearcore.Bytes(r.Bytes())
	case gearcore.KindBigInt:
		return r.bigInt()
	case gearcore.KindOpaque:
		o := &gearcore.Opaque{Class: r.Text(), Hash: int32(r.Uint32())}
		o.Bytes = r.Bytes()
		return gearcore.OpaqueValue(o)
	case gearcore.KindList, gearcore.KindMap:
		return r.nested(k, depth)
	default:
		r.Fail("value of kind %d", k)
	}
	return gearcore.Value{}
}

func (r *Reader) bigInt() gearcore.Value {
	sign, mag := int(r.Byte())-1, r.view()
	b := new(big.Int).SetBytes(mag)
	if sign < -1 || sign > 1 || (sign == 0) != (b.Sign() == 0) {
		r.Fail("sign %d of a big integer does not fit it", sign)
		return gearcore.Value{}
	}
	if sign < 0 {
		b.Neg(b)
	}
	return gearcore.BigInt(b)
}

func (r *Reader) nested(k gearcore.Kind, depth int) gearcore.Value {
	if depth >= MaxDepth {
		r.Fail("lists and maps nest deeper than %d", MaxDepth)
		return gearcore.Value{}
	}
	if k == gearcore.KindList {
		vs := make([]gearcore.Value, r.elements(1))
		for i := range vs {
			if vs[i] = r.value(depth + 1); r.Err != nil {
				return gearcore.Value{}
			}
		}
		return gearcore.List(vs)
	}
	ps := make([]gearcore.Pair, r.elements(2))
	for i := range ps {
		ps[i].Key = r.value(depth + 1)
		if ps[i].Val = r.value(depth + 1); r.Err != nil {
			return gearcore.Value{}
		}
	}
	return gearcore.Map(ps)
}

// elements reads how many elements of size values follow and takes them from the budget: lists in lists cannot each claim
// what is left of the body.
func (r *Reader) elements(size int) int {
	n := r.Uvarint()
	if n > uint64(len(r.Rest)) || int(n)*size > r.budget {
		r.Fail("a list of %d goes past its end", n)
		return 0
	}
	r.budget -= int(n) * size
	return int(n)
}

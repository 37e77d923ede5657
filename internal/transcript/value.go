package transcript

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kinds of Thrift's binary protocol.
const (
	kindStop   = 0
	kindBool   = 2
	kindByte   = 3
	kindDouble = 4
	kindI16    = 6
	kindI32    = 8
	kindI64    = 10
	kindString = 11
	kindStruct = 12
	kindMap    = 13
	kindSet    = 14
	kindList   = 15
)

// kindReply and kindException are kinds of messages that answer.
const (
	kindReply     = 2
	kindException = 3
)

var errShort = fmt.Errorf("the message ends too early: %w", io.ErrUnexpectedEOF)

// message is a message with its head.
type message struct {
	old    bool // the head is in the form without a version
	method string
	kind   byte
	seq    uint32
	body   value
}

// value is a value of any type: what it holds depends on its kind.
type value struct {
	kind   byte
	number uint64  // of all kinds of numbers
	text   string  // of strings and bytes
	fields []field // of structs, in their order
	items  []value // of lists and sets, and the values of maps
	keys   []value // of maps
	of     [2]byte // kinds of the keys and of the items, which are told also where there are none
}

type field struct {
	id int16
	value
}

// field returns the field of an id.
func (v value) field(id int16) (value, bool) {
	for _, f := range v.fields {
		if f.id == id {
			return f.value, true
		}
	}
	return value{}, false
}

// Method is the name of the method that a message is about.
func Method(b []byte) (string, error) {
	d := decoder{b: b}
	m := d.head()
	return m.method, d.err
}

// decode reads a whole message.
func decode(b []byte) (message, error) {
	d := decoder{b: b}
	m := d.head()
	m.body = d.value(kindStruct, 0)
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes after the end of the message", len(d.b))
	}
	return m, d.err
}

// decoder reads from b until the first error.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.b) {
		if d.err == nil {
			d.err = errShort
		}
		return make([]byte, min(max(n, 0), 8))
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte     { return d.take(1)[0] }
func (d *decoder) uint32() uint32 { return binary.BigEndian.Uint32(d.take(4)) }

// head reads the head of a message, in the form with a version or the older one without.
func (d *decoder) head() (m message) {
	n := d.uint32()
	if n>>16 == 0x8001 {
		m.kind = byte(n)
		m.method = string(d.take(int(int32(d.uint32()))))
	} else {
		m.old = true
		m.method = string(d.take(int(int32(n))))
		m.kind = d.byte()
	}
	m.seq = d.uint32()
	return m
}

// maxDepth is how deep values may lie in each other.
const maxDepth = 32

func (d *decoder) value(kind byte, depth int) value {
	v := value{kind: kind}
	if depth > maxDepth {
		d.err = errors.New("values lie too deep in each other")
	}
	switch kind {
	case kindBool, kindByte:
		v.number = uint64(d.byte())
	case kindI16:
		v.number = uint64(binary.BigEndian.Uint16(d.take(2)))
	case kindI32:
		v.number = uint64(d.uint32())
	case kindI64, kindDouble:
		v.number = binary.BigEndian.Uint64(d.take(8))
	case kindString:
		v.text = string(d.take(int(int32(d.uint32()))))
	case kindStruct:
		for d.err == nil {
			k := d.byte()
			if k == kindStop {
				break
			}
			id := int16(binary.BigEndian.Uint16(d.take(2)))
			v.fields = append(v.fields, field{id, d.value(k, depth+1)})
		}
	case kindMap:
		v.of = [2]byte{d.byte(), d.byte()}
		for n := d.uint32(); n > 0 && d.err == nil; n-- {
			v.keys = append(v.keys, d.value(v.of[0], depth+1))
			v.items = append(v.items, d.value(v.of[1], depth+1))
		}
	case kindSet, kindList:
		v.of[1] = d.byte()
		for n := d.uint32(); n > 0 && d.err == nil; n-- {
			v.items = append(v.items, d.value(v.of[1], depth+1))
		}
	default:
		d.err = fmt.Errorf("there is no type %d", kind)
	}
	return v
}

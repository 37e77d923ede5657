package javaser

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxClassBytes bounds a class file.
const MaxClassBytes = 4 << 20

// ErrClassFile is wrapped by errors about a class file that cannot be read.
var ErrClassFile = errors.New("class file broken")

// Access flags of a method that matter here.
const (
	accPrivate   = 0x0002
	accStatic    = 0x0008
	accSynthetic = 0x1000
)

// Method is one method of a class file.
type Method struct {
	Name       string
	Descriptor string
	Flags      uint16
}

// ClassFile is what was read of a class file. Names are binary names with dots.
type ClassFile struct {
	Name, Super string
	Methods     []Method
}

// ParseClass reads the names and the method table of a class file (JVM specification, chapter 4).
func ParseClass(data []byte) (*ClassFile, error) {
	if len(data) > MaxClassBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrClassFile, len(data))
	}
	r := &classReader{data: data}
	if r.u32() != 0xCAFEBABE {
		return nil, fmt.Errorf("%w: no class file", ErrClassFile)
	}
	r.skip(4) // minor and major version
	r.pool()
	r.skip(2) // access flags
	c := &ClassFile{Name: r.className(r.u16()), Super: r.className(r.u16())}
	r.skip(2 * int(r.u16())) // interfaces
	for range r.u16() {      // fields
		r.member()
	}
	for range r.u16() {
		if m := r.member(); r.err == nil {
			c.Methods = append(c.Methods, m)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return c, nil
}

// classReader reads on after a failure, giving zeros, and keeps the first error.
type classReader struct {
	data []byte
	pos  int
	err  error

	utf8  map[uint16][]byte
	class map[uint16]uint16 // class constant -> index of its name
}

func (r *classReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w at byte %d: %s", ErrClassFile, r.pos, fmt.Sprintf(format, args...))
	}
}

func (r *classReader) bytes(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.data)-r.pos {
		r.fail("%d bytes wanted, %d left", n, len(r.data)-r.pos)
		return nil
	}
	b := r.data[r.pos : r.pos+n]
	r.pos += n
	return b
}

func (r *classReader) skip(n int) { r.bytes(n) }

func (r *classReader) u8() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *classReader) u16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *classReader) u32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Sizes of the constants that are only skipped, by tag.
var constantSize = map[byte]int{
	3: 4, 4: 4, 5: 8, 6: 8, // integer, float, long, double
	8: 2, 9: 4, 10: 4, 11: 4, 12: 4, // string, field, method and interface method references, name and type
	15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2, // method handle and type, dynamic, invoke dynamic, module, package
}

func (r *classReader) pool() {
	r.utf8, r.class = map[uint16][]byte{}, map[uint16]uint16{}
	count := r.u16()
	for i := uint16(1); i < count && r.err == nil; i++ {
		switch tag := r.u8(); tag {
		case 1:
			r.utf8[i] = r.bytes(int(r.u16()))
		case 7:
			r.class[i] = r.u16()
		default:
			size, ok := constantSize[tag]
			if !ok {
				r.fail("constant tag %d", tag)
				return
			}
			r.skip(size)
			if tag == 5 || tag == 6 {
				if i == count-1 {
					r.fail("a long constant at the end of the pool")
					return
				}
				i++ // takes two places
			}
		}
	}
}

func (r *classReader) text(i uint16) string {
	b, ok := r.utf8[i]
	if r.err != nil {
		return ""
	}
	s, valid := modifiedUTF8(b)
	if !ok || !valid {
		r.fail("constant %d is no text", i)
	}
	return s
}

// className reads a class constant; 0 stands for no superclass, which only java.lang.Object has.
func (r *classReader) className(i uint16) string {
	if i == 0 || r.err != nil {
		return ""
	}
	name, ok := r.class[i]
	if !ok {
		r.fail("constant %d is no class", i)
		return ""
	}
	return slashToDot(r.text(name))
}

// member reads a field or a method and skips its attributes.
func (r *classReader) member() Method {
	if r.err != nil {
		return Method{}
	}
	m := Method{Flags: r.u16(), Name: r.text(r.u16()), Descriptor: r.text(r.u16())}
	for range r.u16() {
		r.skip(2)
		r.skip(int(r.u32()))
		if r.err != nil {
			break
		}
	}
	return m
}

package classfile

import "strings"

// Tags of constants.
const (
	tagUTF8            = 1
	tagLong            = 5
	tagDouble          = 6
	tagClass           = 7
	tagString          = 8
	tagMethod          = 10
	tagInterfaceMethod = 11
	tagNameAndType     = 12
)

// constantSize is the size of the constants that are only skipped, by tag.
var constantSize = map[byte]int{
	3: 4, 4: 4, tagLong: 8, tagDouble: 8, // integer, float
	9:  4,        // field reference
	15: 3, 16: 2, // method handle and type
	17: 4, 18: 4, // dynamic, invoke dynamic
	19: 2, 20: 2, // module, package
}

// pair is a constant that is made of others.
type pair struct {
	tag  byte
	a, b uint16
}

// pool is the constant pool. Texts are decoded when they are first asked for, and once: a file may name one a thousand
// times.
type pool struct {
	*reader
	raw     map[uint16][]byte
	pairs   map[uint16]pair
	order   []uint16 // of pairs
	decoded map[uint16]string
	dotted  map[uint16]string // binary names, by the index of their text
}

func readPool(r *reader) *pool {
	p := &pool{reader: r, raw: map[uint16][]byte{}, pairs: map[uint16]pair{}, decoded: map[uint16]string{}, dotted: map[uint16]string{}}
	count := r.u16()
	for i := uint16(1); i < count && r.err == nil; i++ {
		switch tag := r.u8(); tag {
		case tagUTF8:
			p.raw[i] = r.bytes(int(r.u16()))
		case tagClass, tagString:
			p.add(i, pair{tag: tag, a: r.u16()})
		case tagMethod, tagInterfaceMethod, tagNameAndType:
			p.add(i, pair{tag, r.u16(), r.u16()})
		default:
			size, ok := constantSize[tag]
			if !ok {
				r.fail("constant tag %d", tag)
				return p
			}
			r.skip(size)
			if tag == tagLong || tag == tagDouble {
				if i == count-1 {
					r.fail("a long constant at the end of the pool")
					return p
				}
				i++ // takes two places
			}
		}
	}
	return p
}

func (p *pool) add(i uint16, c pair) {
	p.pairs[i] = c
	p.order = append(p.order, i)
}

func (p *pool) text(i uint16) string {
	if s, ok := p.decoded[i]; ok || p.err != nil {
		return s
	}
	b, ok := p.raw[i]
	s, valid := ModifiedUTF8(b)
	if !ok || !valid {
		p.fail("constant %d is no text", i)
		return ""
	}
	p.decoded[i] = s
	return s
}

// className reads a class constant; 0 stands for no superclass, which only java.lang.Object and modules have.
func (p *pool) className(i uint16) string {
	if i == 0 || p.err != nil {
		return ""
	}
	c, ok := p.pairs[i]
	if !ok || c.tag != tagClass {
		p.fail("constant %d is no class", i)
		return ""
	}
	if s, ok := p.dotted[c.a]; ok {
		return s
	}
	s := strings.ReplaceAll(p.text(c.a), "/", ".")
	p.dotted[c.a] = s
	return s
}

// classes lists what the class constants name.
func (p *pool) classes() []string {
	var out []string
	seen := map[string]bool{}
	for _, i := range p.order {
		if p.pairs[i].tag != tagClass {
			continue
		}
		if name, ok := element(p.className(i)); ok && !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// calls lists what the method constants name. Methods of arrays (clone) are no calls of a class.
func (p *pool) calls() []Call {
	var out []Call
	seen := map[[3]uint16]bool{}
	for _, i := range p.order {
		m := p.pairs[i]
		if m.tag != tagMethod && m.tag != tagInterfaceMethod {
			continue
		}
		nt, ok := p.pairs[m.b]
		if !ok || nt.tag != tagNameAndType {
			p.fail("constant %d is no name and type", m.b)
			return nil
		}
		class := p.className(m.a)
		if key := [3]uint16{p.pairs[m.a].a, nt.a, nt.b}; !seen[key] && !strings.HasPrefix(class, "[") {
			seen[key] = true
			out = append(out, Call{class, p.text(nt.a), p.text(nt.b)})
		}
	}
	return out
}

// texts lists the string constants.
func (p *pool) texts() []string {
	var out []string
	seen := map[uint16]bool{}
	for _, i := range p.order {
		if c := p.pairs[i]; c.tag == tagString && !seen[c.a] {
			seen[c.a] = true
			out = append(out, p.text(c.a))
		}
	}
	return out
}

// member reads a field or a method and skips its attributes.
func (p *pool) member() Method {
	m := Method{Flags: p.u16(), Name: p.text(p.u16()), Descriptor: p.text(p.u16())}
	for range p.u16() {
		p.skip(2)
		p.skip(int(p.u32()))
		if p.err != nil {
			break
		}
	}
	return m
}

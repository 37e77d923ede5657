package javaser

import (
	"fmt"
	"math"
)

// class reads a class descriptor in a place where one must stand; nil for TC_NULL.
func (r *reader) class(depth int) (*Class, error) {
	tc, err := r.tag(depth)
	if err != nil {
		return nil, err
	}
	switch tc {
	case tcNull:
		return nil, nil
	case tcReference:
		v, err := r.reference()
		if err != nil {
			return nil, err
		}
		c, ok := v.(*Class)
		if !ok || !c.complete {
			return nil, r.broken("reference to something that is no class")
		}
		return c, nil
	case tcClassDesc, tcProxyClassDesc:
		return r.newClass(tc, depth)
	}
	return nil, r.broken("type code %#02x where a class belongs", tc)
}

func (r *reader) newClass(tc byte, depth int) (*Class, error) {
	c := &Class{}
	if err := r.classHead(c, tc, depth); err != nil {
		return nil, err
	}
	if _, err := r.annotation(depth + 1); err != nil {
		return nil, err
	}
	super, err := r.class(depth + 1)
	if err != nil {
		return nil, err
	}
	c.Super = super
	chain := 0
	for s := c; s != nil; s = s.Super {
		chain++
	}
	if chain > MaxChain {
		return nil, fmt.Errorf("class %s has more than %d superclasses: %w", c.Name, MaxChain, ErrTooLarge)
	}
	c.complete = true
	return c, nil
}

// classHead reads a descriptor up to its annotation.
func (r *reader) classHead(c *Class, tc byte, depth int) (err error) {
	if tc == tcProxyClassDesc {
		return r.proxyHead(c)
	}
	if c.Name, err = r.utf(); err != nil {
		return err
	}
	if c.UID, err = r.i64(); err != nil {
		return err
	}
	r.handle(c)
	if c.Flags, err = r.u8(); err != nil {
		return err
	}
	n, err := r.u16()
	if err != nil {
		return err
	}
	const leastField = 3 // a type and the length of a name
	if int(n) > (len(r.data)-r.pos)/leastField {
		return r.broken("a class of %d fields in %d bytes", n, len(r.data)-r.pos)
	}
	c.Fields = make([]Field, n)
	for i := range c.Fields {
		if err := r.field(&c.Fields[i], depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) proxyHead(c *Class) error {
	r.handle(c)
	c.Name, c.Flags = "proxy", scSerializable
	n, err := r.i32()
	if err != nil {
		return err
	}
	for range n {
		if _, err := r.utf(); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) field(f *Field, depth int) (err error) {
	if err := r.node(depth); err != nil {
		return err
	}
	if f.Type, err = r.u8(); err != nil {
		return err
	}
	if f.Name, err = r.utf(); err != nil {
		return err
	}
	switch f.Type {
	case 'B', 'C', 'D', 'F', 'I', 'J', 'S', 'Z':
		return nil
	case 'L', '[':
		v, err := r.value(depth)
		if err != nil {
			return err
		}
		name, ok := v.(string)
		if !ok {
			return r.broken("the type of field %s is no text", f.Name)
		}
		f.ClassName = name
		return nil
	}
	return r.broken("field type %#02x", f.Type)
}

// annotation reads values and block data up to the end of the block.
func (r *reader) annotation(depth int) ([]Value, error) {
	var out []Value
	for {
		v, err := r.content(depth)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case endBlock:
			return out, nil
		case block:
			out = append(out, []byte(v))
		default:
			out = append(out, v)
		}
	}
}

func (r *reader) object(depth int) (Value, error) {
	c, err := r.class(depth + 1)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, r.broken("an object without a class")
	}
	o := &Object{Class: c}
	r.handle(o)
	if depth == 0 {
		r.root = o
	}
	var chain []*Class
	for s := c; s != nil; s = s.Super {
		chain = append(chain, s)
	}
	for i := len(chain) - 1; i >= 0; i-- {
		d, err := r.classData(chain[i], depth)
		if err != nil {
			return nil, err
		}
		o.Data = append(o.Data, d)
	}
	return o, nil
}

func (r *reader) classData(c *Class, depth int) (ClassData, error) {
	d := ClassData{Class: c}
	if err := r.node(depth); err != nil {
		return d, err
	}
	var err error
	switch {
	case c.Flags&scSerializable != 0:
		if d.Values, err = r.values(c, depth); err != nil {
			return d, err
		}
		if c.Flags&scWriteMethod != 0 {
			d.Annotations, err = r.annotation(depth + 1)
		}
	case c.Flags&scExternalizable != 0 && c.Flags&scBlockData != 0:
		d.Annotations, err = r.annotation(depth + 1)
	default:
		err = r.broken("class %s has flags %#02x, which cannot be read", c.Name, c.Flags)
	}
	return d, err
}

func (r *reader) values(c *Class, depth int) ([]Value, error) {
	// Every field takes at least one byte.
	if len(c.Fields) > len(r.data)-r.pos {
		return nil, r.broken("an object of %d fields in %d bytes", len(c.Fields), len(r.data)-r.pos)
	}
	r.nodes += len(c.Fields)
	if err := r.node(depth); err != nil {
		return nil, err
	}
	out := make([]Value, len(c.Fields))
	for i, f := range c.Fields {
		var err error
		if f.Type == 'L' || f.Type == '[' {
			out[i], err = r.value(depth + 1)
		} else {
			out[i], err = r.primitive(f.Type)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *reader) primitive(t byte) (Value, error) {
	b, err := r.bytes(primitiveSize(t))
	if err != nil {
		return nil, err
	}
	var n uint64
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	switch t {
	case 'B':
		return int8(n), nil
	case 'C':
		return uint16(n), nil
	case 'D':
		return math.Float64frombits(n), nil
	case 'F':
		return math.Float32frombits(uint32(n)), nil
	case 'I':
		return int32(n), nil
	case 'J':
		return int64(n), nil
	case 'S':
		return int16(n), nil
	default: // Z: field checked the letter
		return n != 0, nil
	}
}

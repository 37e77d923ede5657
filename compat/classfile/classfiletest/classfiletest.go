// Package classfiletest assembles class files and jars for tests: what a class is and names, without any code.
package classfiletest

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/classfile"
)

// Class is a class to assemble. Names have dots. The zero value of Java is Java 8, of Super java.lang.Object.
type Class struct {
	Name       string
	Java       int
	Flags      uint16 // public is always set
	Super      string
	Interfaces []string
	Methods    []classfile.Method
	Classes    []string // named by nothing else
	Calls      []classfile.Call
	Texts      []string
}

// Main is the method that makes a class one that can be started.
var Main = classfile.Method{Name: "main", Descriptor: "([Ljava/lang/String;)V", Flags: classfile.AccPublic | classfile.AccStatic}

// Bytes is the class file.
func (c Class) Bytes() []byte {
	p := &pool{index: map[string]uint16{}}
	super := c.Super
	if super == "" {
		super = "java.lang.Object"
	}
	var body bytes.Buffer
	put := func(v ...uint16) {
		for _, n := range v {
			binary.Write(&body, binary.BigEndian, n) // into memory, which does not fail
		}
	}
	put(c.Flags|classfile.AccPublic, p.class(c.Name), p.class(super), uint16(len(c.Interfaces)))
	for _, i := range c.Interfaces {
		put(p.class(i))
	}
	put(0, uint16(len(c.Methods))) // no fields
	for _, m := range c.Methods {
		put(m.Flags, p.utf8(m.Name), p.utf8(m.Descriptor), 0)
	}
	put(0) // no attributes
	for _, name := range c.Classes {
		p.class(name)
	}
	for _, call := range c.Calls {
		p.add(10, p.class(call.Class), p.add(12, p.utf8(call.Name), p.utf8(call.Descriptor)))
	}
	for _, text := range c.Texts {
		p.add(8, p.utf8(text))
	}
	var out bytes.Buffer
	java := c.Java
	if java == 0 {
		java = 8
	}
	binary.Write(&out, binary.BigEndian, uint32(0xCAFEBABE))
	binary.Write(&out, binary.BigEndian, []uint16{0, uint16(java + 44), p.count + 1})
	out.Write(p.data.Bytes())
	out.Write(body.Bytes())
	return out.Bytes()
}

// pool is a constant pool in the making.
type pool struct {
	data  bytes.Buffer
	index map[string]uint16
	count uint16
}

func (p *pool) put(constant []byte) uint16 {
	if i, ok := p.index[string(constant)]; ok {
		return i
	}
	p.data.Write(constant)
	p.count++
	p.index[string(constant)] = p.count
	return p.count
}

// utf8 adds a text, which must be ASCII without NUL.
func (p *pool) utf8(s string) uint16 {
	return p.put(append(binary.BigEndian.AppendUint16([]byte{1}, uint16(len(s))), s...))
}

func (p *pool) class(name string) uint16 { return p.add(7, p.utf8(strings.ReplaceAll(name, ".", "/"))) }

func (p *pool) add(tag byte, refs ...uint16) uint16 {
	b := []byte{tag}
	for _, r := range refs {
		b = binary.BigEndian.AppendUint16(b, r)
	}
	return p.put(b)
}

// Jar is a zip file of the classes and of other files by name.
func Jar(t testing.TB, files map[string]string, classes ...Class) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	add := func(name string, data []byte) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		add(name, []byte(files[name]))
	}
	for _, c := range classes {
		add(strings.ReplaceAll(c.Name, ".", "/")+".class", c.Bytes())
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

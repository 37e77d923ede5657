// Package classfile reads Java class files (JVM specification, chapter 4) as far as one can tell from outside what a
// class is and what it uses: names, the superclass and interfaces, the method table, and what the constant pool names.
// Code, fields and attributes are skipped.
//
// Input is hostile: everything is bounded by the size of the file, whose bound is [MaxBytes], nothing is decoded twice
// and no input panics. The package is pure.
package classfile

import (
	"errors"
	"fmt"
	"strings"
)

// MaxBytes bounds a class file.
const MaxBytes = 4 << 20

// ErrBroken is wrapped by errors about a class file that cannot be read.
var ErrBroken = errors.New("class file broken")

// Access flags of classes and methods.
const (
	AccPublic    = 0x0001
	AccPrivate   = 0x0002
	AccStatic    = 0x0008
	AccInterface = 0x0200
	AccAbstract  = 0x0400
	AccSynthetic = 0x1000
)

// Class is what was read of a class file. Names are binary names with dots ("java.util.Map$Entry"). Strings of one Class
// may share memory with each other, never with the data that was parsed.
type Class struct {
	Major      uint16 // version of the format: 52 is Java 8, 61 is Java 17
	Flags      uint16
	Name       string
	Super      string // "" for java.lang.Object and modules only
	Interfaces []string
	Methods    []Method

	// Classes are the classes that code and tables of this one name, in the order of the constant pool: each once,
	// elements instead of arrays, this class too.
	Classes []string
	// Calls are the methods that its code calls or refers to, each once.
	Calls []Call
	// Texts are its string constants, each once. Strings that javac joins at run time stand in parts.
	Texts []string
}

// Method is one method of a class file.
type Method struct {
	Name       string
	Descriptor string // "(ILjava/lang/String;)V"
	Flags      uint16
}

// Call is a method of a class as the caller names it: Class may only have inherited it.
type Call struct{ Class, Name, Descriptor string }

// Java is the first release of Java that runs the class.
func (c *Class) Java() int { return max(int(c.Major)-44, 1) }

// Concrete tells whether there can be instances of the class itself.
func (c *Class) Concrete() bool { return c.Flags&(AccInterface|AccAbstract) == 0 }

// Main tells whether the class can be started: it has public static void main(String[]).
func (c *Class) Main() bool {
	for _, m := range c.Methods {
		if m.Name == "main" && m.Descriptor == "([Ljava/lang/String;)V" && m.Flags&(AccPublic|AccStatic) == AccPublic|AccStatic {
			return true
		}
	}
	return false
}

// Parse reads a class file. data is not kept. Errors wrap [ErrBroken].
func Parse(data []byte) (*Class, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrBroken, len(data))
	}
	r := &reader{data: data}
	if r.u32() != 0xCAFEBABE {
		return nil, fmt.Errorf("%w: no class file", ErrBroken)
	}
	r.skip(2) // minor version
	c := &Class{Major: r.u16()}
	p := readPool(r)
	c.Flags = r.u16()
	c.Name = p.className(r.u16())
	c.Super = p.className(r.u16())
	for range r.u16() {
		if r.err != nil {
			break
		}
		c.Interfaces = append(c.Interfaces, p.className(r.u16()))
	}
	for range r.u16() { // fields
		if r.err != nil {
			break
		}
		p.member()
	}
	for range r.u16() {
		if r.err != nil {
			break
		}
		c.Methods = append(c.Methods, p.member())
	}
	c.Classes, c.Calls, c.Texts = p.classes(), p.calls(), p.texts()
	if r.err != nil {
		return nil, r.err
	}
	return c, nil
}

// element is the class that a name in the constant pool stands for: of an array it is that of the elements; ok is false
// for arrays of primitive types.
func element(name string) (class string, ok bool) {
	inner := strings.TrimLeft(name, "[")
	if inner == name {
		return name, name != ""
	}
	if len(inner) < 3 || inner[0] != 'L' || inner[len(inner)-1] != ';' {
		return "", false
	}
	return inner[1 : len(inner)-1], true
}

package gearcore

import "fmt"

// OpaqueError says that a component reads a value that only the side that made it can read.
type OpaqueError struct {
	Field, Stream, Component string
	Class                    string // of the Java object
}

func (e *OpaqueError) Error() string {
	return fmt.Sprintf("field %s of stream %s of %s: an object of Java class %s, which only Java can read", e.Field, e.Stream, e.Component, e.Class)
}

// Readable returns an *OpaqueError for an opaque value at position i of t, and nil for all others.
func (t Tuple) Readable(i int) error {
	o := t.Value(i).Opaque()
	if o == nil {
		return nil
	}
	e := &OpaqueError{Field: fmt.Sprint(i), Stream: t.Stream(), Component: t.Component(), Class: o.Class}
	if f := t.Fields(); i < len(f) {
		e.Field = f[i]
	}
	return e
}

// plain returns the value at position i; it panics with an *OpaqueError if that is opaque.
func (t Tuple) plain(i int) Value {
	v := t.Value(i)
	if v.k == KindOpaque {
		t.refuse(i)
	}
	return v
}

//go:noinline
func (t Tuple) refuse(i int) { panic(t.Readable(i)) }

package gearcore

import (
	"errors"
	"fmt"
	"testing"
)

// Whoever reads a Java object as something else is told field and class; the object itself can be had.
func TestOpaqueIsNamed(t *testing.T) {
	l := &Layout{Streams: []Stream{{Component: "numbers", Name: "default", Fields: []string{"n", "point"}}}}
	tuple := NewTuple(l, 0, 3, Int(7), OpaqueValue(&Opaque{Class: "com.x.Point"}))
	const want = "field point of stream default of numbers: an object of Java class com.x.Point, which only Java can read"
	for name, read := range map[string]func(){
		"String": func() { _ = tuple.String(1) },
		"Int":    func() { tuple.Int(1) },
		"Float":  func() { tuple.Float(1) },
		"Bool":   func() { tuple.Bool(1) },
		"Bytes":  func() { tuple.Bytes(1) },
	} {
		func() {
			defer func() {
				var e *OpaqueError
				if err, _ := recover().(error); !errors.As(err, &e) || err.Error() != want {
					t.Errorf("%s panics with %v, want %s", name, err, want)
				}
			}()
			read()
		}()
	}
	type record struct {
		N     int32
		Point string
	}
	if _, err := RecordOf[record]().Get(tuple); err == nil || err.Error() != "read a tuple from numbers as gearcore.record: "+want {
		t.Errorf("a record of it: %v", err)
	}
	if tuple.Int(0) != 7 || tuple.Value(1).Opaque().Class != "com.x.Point" || tuple.Readable(0) != nil {
		t.Errorf("the values are %v", fmt.Sprint(tuple.Values()))
	}
}

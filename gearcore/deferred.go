package gearcore

import (
	"sync"
	"unsafe"
)

// Deferred is a list or map that is kept as it was written by another program, until somebody looks inside. Whoever can
// write that form again copies Text; everybody else sees an ordinary Value, parsed once, when List or Map is first called.
// It is for values that may only pass through. It costs List and Map one branch, and other kinds nothing.
type Deferred struct {
	// Text is the value as written, Form the writing it is in; both mean something to the maker's package only.
	Text string
	Form uint8

	parse func(text string) Value
	once  sync.Once
	value Value
}

// deferredBit marks the n of a list or map whose p is a *Deferred.
const deferredBit = 1 << 63

// Defer returns a value of kind k (KindList or KindMap) that parse makes of text when it is needed. parse is called once at
// most, by any goroutine, and must give a value of that kind: text is checked before. text is kept.
func Defer(k Kind, form uint8, text string, parse func(text string) Value) Value {
	return Value{p: unsafe.Pointer(&Deferred{Text: text, Form: form, parse: parse}), n: deferredBit, k: k}
}

// Deferred returns how v is written, nil if v is no deferred value.
func (v Value) Deferred() *Deferred {
	if (v.k != KindList && v.k != KindMap) || v.n&deferredBit == 0 {
		return nil
	}
	return (*Deferred)(v.p)
}

// resolved returns the ordinary value.
func (d *Deferred) resolved() Value {
	d.once.Do(func() { d.value = d.parse(d.Text) })
	return d.value
}

//go:build race

package gearcore

import "testing"

func TestPoisonedText(t *testing.T) {
	b := []byte("a text of some length")
	if PoisonText(b); string(b) != "<recycled><recycled><" {
		t.Errorf("the text is %q", b)
	}
}

// What is left of a batch after Reset says so.
func TestRecycledBatchesAreNotRead(t *testing.T) {
	b := &Batch{Layout: &Layout{Streams: []Stream{{Component: "a", Name: "default", Fields: []string{"x"}}}}}
	b.Append(0, 1, []Value{Str("x")}, nil)
	old := b.Tuple(0)
	view, copied := old.Values(), old.Value(0)
	b.Reset()
	b.Append(0, 1, []Value{Str("y")}, nil)
	b.Reset() // its values are poisoned
	for name, read := range map[string]func(){
		"value":  func() { old.Value(0) },
		"string": func() { old.String(0) },
		"len":    func() { old.Len() },
		"roots":  func() { old.Roots() },
		"source": func() { old.Component() },
		"view":   func() { view[0].Str() },
	} {
		func() {
			defer func() {
				if r := recover(); r != RecycledError {
					t.Errorf("%s: %v, want a RecycledError", name, r)
				}
			}()
			read()
		}()
	}
	if copied.Str() != "x" {
		t.Errorf("a copied value became %q", copied.Str())
	}
	b.Append(0, 1, []Value{Str("z")}, nil)
	if got := b.Tuple(0).String(0); got != "z" {
		t.Errorf("the batch, filled again, says %q", got)
	}
}

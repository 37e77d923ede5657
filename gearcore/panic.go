package gearcore

import (
	"fmt"
	"runtime/debug"
)

// PanicError is what user code panicked with, as the error of its component that Hooks.Errored gets.
type PanicError struct {
	Value any
	Stack []byte
}

func (p *PanicError) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Unwrap returns the panic's value if it is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// Caught returns as an error what recover returned, which is not nil: a PanicError, or the MisuseError that it is.
func Caught(r any) error {
	if err, ok := r.(*MisuseError); ok {
		return err
	}
	return &PanicError{Value: r, Stack: debug.Stack()}
}

// Safely is f with a panic as an error. It is for code of anybody's in a goroutine that is not its executor's: nobody recovers there.
func Safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Caught(r)
		}
	}()
	return f()
}

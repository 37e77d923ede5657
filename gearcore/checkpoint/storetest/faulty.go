package storetest

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// Op is a method of a store.
type Op string

// The methods.
const (
	Put         Op = "put"
	PutIfAbsent Op = "put if absent"
	Get         Op = "get"
	List        Op = "list"
	Delete      Op = "delete"
)

// Call is one call of a store, before it is made. Name is the prefix of a List.
type Call struct {
	Op   Op
	Name string
	N    int // how many there were, with this one
}

// Fault is what becomes of a call; the zero Fault is that nothing is wrong.
type Fault struct {
	// Err is what is returned.
	Err error
	// After has the call made nevertheless: its answer is lost.
	After bool
	// Damage changes what Get returns, if not nil.
	Damage func([]byte) []byte
}

// Faulty is a store that does to each call what On says. On may block, and is called by whoever calls, several at a time.
type Faulty struct {
	checkpoint.Store
	On func(context.Context, Call) Fault

	mu sync.Mutex
	n  int
}

func (f *Faulty) call(ctx context.Context, op Op, name string) Fault {
	f.mu.Lock()
	f.n++
	c := Call{op, name, f.n}
	f.mu.Unlock()
	if f.On == nil {
		return Fault{}
	}
	return f.On(ctx, c)
}

// Calls is how many calls there were.
func (f *Faulty) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// do makes a call that returns nothing else.
func (f *Faulty) do(ctx context.Context, op Op, name string, call func() error) error {
	fault := f.call(ctx, op, name)
	if fault.Err != nil && !fault.After {
		return fault.Err
	}
	if err := call(); err != nil {
		return err
	}
	return fault.Err
}

// Put implements checkpoint.Store.
func (f *Faulty) Put(ctx context.Context, name string, content io.Reader) error {
	return f.do(ctx, Put, name, func() error { return f.Store.Put(ctx, name, content) })
}

// PutIfAbsent implements checkpoint.Store.
func (f *Faulty) PutIfAbsent(ctx context.Context, name string, content []byte) error {
	return f.do(ctx, PutIfAbsent, name, func() error { return f.Store.PutIfAbsent(ctx, name, content) })
}

// Delete implements checkpoint.Store.
func (f *Faulty) Delete(ctx context.Context, name string) error {
	return f.do(ctx, Delete, name, func() error { return f.Store.Delete(ctx, name) })
}

// List implements checkpoint.Store.
func (f *Faulty) List(ctx context.Context, prefix string) ([]checkpoint.Object, error) {
	if fault := f.call(ctx, List, prefix); fault.Err != nil {
		return nil, fault.Err
	}
	return f.Store.List(ctx, prefix)
}

// Get implements checkpoint.Store.
func (f *Faulty) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	fault := f.call(ctx, Get, name)
	if fault.Err != nil {
		return nil, fault.Err
	}
	r, err := f.Store.Get(ctx, name)
	if err != nil || fault.Damage == nil {
		return r, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(fault.Damage(b))), nil
}

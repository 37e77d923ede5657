package multilang

import (
	"sync"
	"time"
)

// Turns has children start a few at a time. A program that starts takes a processor for itself (an interpreter, and what it imports), and many
// at once take them all from tasks that are at work: theirs is the time that is to go on. A turn ends when the child has answered the
// handshake or has ended, and soon in any case: a program that waits for something while it starts holds up nobody for long.
//
// A nil *Turns lets all start at once. Methods are safe for concurrent use.
type Turns struct{ free chan struct{} }

// turnLimit is how long a turn lasts at most.
const turnLimit = 500 * time.Millisecond

// NewTurns is for n children at a time, one at least.
func NewTurns(n int) *Turns { return &Turns{make(chan struct{}, max(n, 1))} }

// take waits for a turn. end, which is never nil, ends it and may be called again. It is false if stop was closed first.
func (t *Turns) take(stop <-chan struct{}) (end func(), ok bool) {
	if t == nil {
		return func() {}, true
	}
	select {
	case t.free <- struct{}{}:
	case <-stop:
		return func() {}, false
	}
	var once sync.Once
	free := func() { once.Do(func() { <-t.free }) }
	limit := time.AfterFunc(turnLimit, free)
	return func() { limit.Stop(); free() }, true
}

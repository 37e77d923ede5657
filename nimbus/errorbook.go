package nimbus

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

const (
	// errorsKept is how many errors of a component are kept, as in Storm.
	errorsKept = 10
	// errorBytes bounds the text of one error.
	errorBytes = 16 << 10
)

// errorBook holds the newest errors of components. Errors are seen at once and stored by the loop a little later: a
// burst of them must not become a burst of synced writes.
type errorBook struct {
	mu    *sync.Mutex
	books map[errorKey][]cluster.Error // oldest first
	dirty map[errorKey]bool
}

type errorKey struct{ topology, component string }

type componentErrors struct {
	errorKey
	errors []cluster.Error
}

func newErrorBook() errorBook {
	return errorBook{mu: new(sync.Mutex), books: make(map[errorKey][]cluster.Error), dirty: make(map[errorKey]bool)}
}

func (b *errorBook) load(topology string, stored []cluster.Errors) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range stored {
		b.books[errorKey{topology, e.Component}] = e.Errors
	}
}

func (b *errorBook) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.books)
	clear(b.dirty)
}

// add keeps an error unless it is known already: a report that got no answer is sent again.
func (b *errorBook) add(topology, component string, e cluster.Error) {
	if len(e.Message) > errorBytes {
		e.Message = e.Message[:errorBytes]
	}
	e.Message = strings.ToValidUTF8(e.Message, "?")
	key := errorKey{topology, component}
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.ContainsFunc(b.books[key], func(o cluster.Error) bool { return o.Message == e.Message && o.Time.Equal(e.Time) }) {
		return
	}
	book := append(slices.Clone(b.books[key]), e)
	slices.SortStableFunc(book, func(x, y cluster.Error) int { return x.Time.Compare(y.Time) })
	b.books[key] = book[max(0, len(book)-errorsKept):]
	b.dirty[key] = true
}

// of returns the errors of a component, newest first, at most max.
func (b *errorBook) of(topology, component string, max int) []cluster.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := slices.Clone(b.books[errorKey{topology, component}])
	slices.Reverse(out)
	return out[:min(max, len(out))]
}

// drop forgets a topology and returns which components had errors stored or to be stored.
func (b *errorBook) drop(topology string) []cluster.Errors {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []cluster.Errors
	for key := range b.books {
		if key.topology == topology {
			out = append(out, cluster.Errors{Component: key.component})
			delete(b.books, key)
			delete(b.dirty, key)
		}
	}
	return out
}

// takeDirty returns up to max components whose errors are to be stored.
func (b *errorBook) takeDirty(max int) []componentErrors {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []componentErrors
	for key := range b.dirty {
		if len(out) == max {
			break
		}
		out = append(out, componentErrors{key, b.books[key]})
		delete(b.dirty, key)
	}
	slices.SortFunc(out, func(x, y componentErrors) int {
		return cmp.Or(cmp.Compare(x.topology, y.topology), cmp.Compare(x.component, y.component))
	})
	return out
}

// again marks a component whose errors could not be stored.
func (b *errorBook) again(key errorKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.books[key]; ok {
		b.dirty[key] = true
	}
}

// millis is the time of a count of milliseconds since 1970.
func millis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

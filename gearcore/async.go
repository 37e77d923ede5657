package gearcore

import "errors"

// ErrClosed is returned by an Async whose executor has ended.
var ErrClosed = errors.New("executor closed")

// Poster is what the engine puts behind an Async.
type Poster interface {
	// Post queues f for the executor. size is an estimate in bytes of what f holds; Post blocks while the queue holds
	// more than its cap, and returns ErrClosed once the executor has ended.
	Post(size int, f func(*Collector)) error
}

// Reporter is implemented by a Poster that takes errors at once, whatever its executor does. The engine's is one.
type Reporter interface {
	// Report reports an error of the task, and returns ErrClosed once the executor has ended.
	Report(err error) error
}

// Async lets any goroutine act on behalf of a task: what it is given is run by the executor, in the order of the
// calls, with the task's Collector. It is safe for concurrent use.
type Async struct{ p Poster }

// NewAsync returns an Async over p: for the engine and for tests of components.
func NewAsync(p Poster) *Async { return &Async{p} }

// Do runs f in the executor. size is an estimate in bytes of what f keeps in memory; Do blocks while too much is
// queued, which is how a slow executor holds back its helpers. It returns ErrClosed after the end.
func (a *Async) Do(size int, f func(*Collector)) error { return a.p.Post(size, f) }

// Report tells of an error of the task from any goroutine. It does not wait for the executor, which may be about to forget what was
// posted (Checkpointed.Restore). After the end it returns ErrClosed, and the error is not reported.
func (a *Async) Report(err error) error {
	if r, ok := a.p.(Reporter); ok {
		return r.Report(err)
	}
	return a.p.Post(16, func(c *Collector) { c.ReportError(err) })
}

// Ack acks t from any goroutine.
func (a *Async) Ack(t Tuple) error { return a.p.Post(16, func(c *Collector) { c.Ack(t) }) }

// Fail fails t from any goroutine.
func (a *Async) Fail(t Tuple) error { return a.p.Post(16, func(c *Collector) { c.Fail(t) }) }

// Emit sends vals (kept until sent) as e says.
func (a *Async) Emit(e Emission, vals []Value) error {
	n := 0
	for i := range vals {
		n += 24 + len(vals[i].Str())
	}
	return a.p.Post(n, func(c *Collector) { c.Send(e, vals) })
}

package drpc

import (
	"container/list"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/internal/budget"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// MaxFunctionBytes bounds the name of a function.
const MaxFunctionBytes = 256

// Limits bound the requests of one server. A zero field means its default.
type Limits struct {
	// Timeout is how long a request may take (drpc.request.timeout.secs). Default 10 min.
	Timeout time.Duration
	// Requests bounds those that are not answered yet (gearstorm.drpc.max.requests). One function may have half of them.
	// Default 4096.
	Requests int
	// Bytes bounds what the arguments of all of them hold, bodies of HTTP requests that are being read included.
	// Default 256 MiB.
	Bytes int64
}

func (l Limits) withDefaults() Limits {
	if l.Timeout <= 0 {
		l.Timeout = 10 * time.Minute
	}
	if l.Requests <= 0 {
		l.Requests = 4096
	}
	if l.Bytes <= 0 {
		l.Bytes = 256 << 20
	}
	return l
}

// failure is how a request ends without a result.
type failure = stormrpc.DRPCExecutionException

func newFailure(kind stormrpc.DRPCExceptionType, text string) *failure {
	return &failure{Msg: text, Type: &kind}
}

// The failures with Storm's texts (org.apache.storm.daemon.drpc.DRPC), and ours for what does not fit. Nobody changes them.
var (
	errTimedOut = newFailure(stormrpc.DRPCExceptionType_SERVER_TIMEOUT, "Timed Out")
	errShutdown = newFailure(stormrpc.DRPCExceptionType_SERVER_SHUTDOWN, "Server Shutting Down")
	errFailed   = newFailure(stormrpc.DRPCExceptionType_FAILED_REQUEST, "Request failed")
	errBusy     = newFailure(stormrpc.DRPCExceptionType_INTERNAL_ERROR,
		"Too many requests wait for an answer; try again later, or raise gearstorm.drpc.max.requests")
)

// book holds the requests that are not answered yet. It is safe for concurrent use and starts nothing.
type book struct {
	limits Limits
	bytes  budget.Bytes

	mu        sync.Mutex
	last      uint64 // id given out
	open      map[string]*request
	functions map[string]*function       // those with an open request
	waiters   map[string][]chan struct{} // of await, by function; each is closed by who takes it out
	closed    bool
}

// function is what is open for one name.
type function struct {
	waiting list.List // requests that nobody has fetched
	open    int       // fetched ones too
}

// request is owned by the call of execute that made it; place is guarded by book.mu.
type request struct {
	id, function, args string
	place              *list.Element // in waiting; nil once it was fetched
	done               chan outcome  // takes the first one
}

// outcome is a result, or why there is none.
type outcome struct {
	result  string
	failure *failure
}

func newBook(l Limits) *book {
	l = l.withDefaults()
	return &book{limits: l, bytes: budget.Bytes{Limit: l.Bytes}, open: map[string]*request{}, functions: map[string]*function{}, waiters: map[string][]chan struct{}{}}
}

// execute queues a request and waits for its end. The error is a *failure, or the cause of ctx's end.
func (b *book) execute(ctx context.Context, function, args string) (string, error) {
	if err := checkText(function, args); err != nil {
		return "", err
	}
	if !b.bytes.Take(len(args)) {
		return "", errBusy
	}
	defer b.bytes.Give(len(args))
	r, err := b.add(function, args)
	if err != nil {
		return "", err
	}
	defer b.remove(r)
	timer := time.NewTimer(b.limits.Timeout)
	defer timer.Stop()
	var late error
	select {
	case o := <-r.done:
		return o.unpack()
	case <-timer.C:
		late = errTimedOut
	case <-ctx.Done():
		late = context.Cause(ctx)
	}
	select {
	case o := <-r.done: // at the same time
		return o.unpack()
	default:
		return "", late
	}
}

func (o outcome) unpack() (string, error) {
	if o.failure != nil { // not returned as it is: a nil pointer would be an error
		return "", o.failure
	}
	return o.result, nil
}

// checkText refuses what no topology could be given.
func checkText(function, args string) error {
	switch {
	case function == "":
		return refused("the function has no name")
	case len(function) > MaxFunctionBytes:
		return refused("the name of the function has %d bytes, more than %d", len(function), MaxFunctionBytes)
	case !utf8.ValidString(function) || !utf8.ValidString(args):
		return refused("function and arguments must be UTF-8")
	}
	return nil
}

func refused(format string, args ...any) *failure {
	return newFailure(stormrpc.DRPCExceptionType_FAILED_REQUEST, fmt.Sprintf(format, args...))
}

func (b *book) add(name, args string) (*request, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.functions[name]
	switch {
	case b.closed:
		return nil, errShutdown
	case len(b.open) >= b.limits.Requests, f != nil && f.open >= max(b.limits.Requests/2, 1):
		return nil, errBusy
	}
	if f == nil {
		f = &function{}
		b.functions[name] = f
	}
	b.last++
	r := &request{id: strconv.FormatUint(b.last, 10), function: name, args: args, done: make(chan outcome, 1)}
	r.place = f.waiting.PushBack(r)
	f.open++
	b.open[r.id] = r
	b.wakeLocked(name)
	return r, nil
}

func (b *book) remove(r *request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, r.id)
	f := b.functions[r.function]
	if r.place != nil {
		f.waiting.Remove(r.place)
	}
	if f.open--; f.open == 0 {
		delete(b.functions, r.function)
	}
}

// fetch hands out the oldest request of a function that nobody has fetched; ok is false if there is none.
func (b *book) fetch(name string) (id, args string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fetchLocked(name)
}

func (b *book) fetchLocked(name string) (id, args string, ok bool) {
	f := b.functions[name]
	if f == nil || f.waiting.Len() == 0 {
		return "", "", false
	}
	r := f.waiting.Remove(f.waiting.Front()).(*request)
	r.place = nil
	return r.id, r.args, true
}

// settle ends the request with that id. One that is not open any more, or ends already, is left alone.
func (b *book) settle(id string, o outcome) {
	b.mu.Lock()
	r := b.open[id]
	b.mu.Unlock()
	if r == nil {
		return
	}
	select {
	case r.done <- o:
	default:
	}
}

// close ends all requests with errShutdown and refuses new ones.
func (b *book) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, r := range b.open {
		select {
		case r.done <- outcome{failure: errShutdown}:
		default:
		}
	}
}

// counts returns how many requests are open and how many functions they are for.
func (b *book) counts() (requests, functions int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open), len(b.functions)
}

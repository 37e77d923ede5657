package invocations

import (
	"errors"
	"fmt"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// maxServers bounds the servers that one task answers.
	maxServers = 64
	// maxUnsent is how many answers may wait for their servers before the input stops, and half of it before it goes on.
	maxUnsent = 256
)

// Results is Storm's ReturnResults: it takes (result, return-info), gives the result to the server that the request came
// from and acks the tuple then. Three tries later it fails the tuple. A result that is no text fails the request.
type Results struct {
	conf    conf.Conf
	senders map[string]*sender // by address
	crew    *crew
	async   *gearcore.Async
	unsent  int
	paused  bool
}

var (
	_ gearcore.Task   = (*Results)(nil)
	_ gearcore.Holder = (*Results)(nil)
)

// NewResults returns the bolt; nothing starts before Open.
func NewResults() *Results { return &Results{senders: map[string]*sender{}, crew: newCrew()} }

// Open implements gearcore.Task.
func (r *Results) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	r.conf, r.async = conf.Conf(ctx.Conf), c.Async()
	return nil
}

// Execute implements gearcore.Task.
func (r *Results) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	vals := t.Values()
	switch {
	case t.IsTick():
		c.Ack(t)
		return nil
	case len(vals) < 2:
		return fmt.Errorf("a tuple of %s has %d values; result and return-info are needed", t.Component(), len(vals))
	case vals[1].IsNull(): // nobody asked
		c.Ack(t)
		return nil
	case vals[1].Kind() != gearcore.KindString:
		return fmt.Errorf("return-info from %s is a %v, not the text that the spout emitted", t.Component(), vals[1].Kind())
	}
	info, err := parseReturnInfo(vals[1].Str())
	if err != nil {
		return err
	}
	s, err := r.sender(info.addr())
	if err != nil {
		return err
	}
	v := verdict{id: info.ID}
	if vals[0].Kind() == gearcore.KindString {
		v.result = vals[0].Str()
	} else {
		kind := stormrpc.DRPCExceptionType_INTERNAL_ERROR
		v.why = &stormrpc.DRPCExecutionException{Type: &kind, Msg: fmt.Sprintf("The result from %s is a %v; only text can be returned", t.Component(), vals[0].Kind())}
		c.ReportError(errors.New(v.why.Msg))
	}
	v.told = func(err error) { r.async.Do(0, func(c *gearcore.Collector) { r.told(c, t, err) }) }
	r.unsent++
	if r.unsent >= maxUnsent && !r.paused {
		r.paused = true
		c.Pause()
	}
	s.add(v)
	return nil
}

// told settles a tuple whose request has been answered, or cannot be.
func (r *Results) told(c *gearcore.Collector, t gearcore.Tuple, err error) {
	r.unsent--
	if r.paused && r.unsent <= maxUnsent/2 {
		r.paused = false
		c.Resume()
	}
	if err != nil {
		c.ReportError(fmt.Errorf("return a result: %w", err))
		c.Fail(t)
		return
	}
	c.Ack(t)
}

func (r *Results) sender(addr string) (*sender, error) {
	if s := r.senders[addr]; s != nil {
		return s, nil
	}
	if len(r.senders) >= maxServers {
		return nil, fmt.Errorf("return a result to %s: this task answers %d DRPC servers already", addr, maxServers)
	}
	s, err := newSender(addr, r.conf)
	if err != nil {
		return nil, err
	}
	r.senders[addr] = s
	r.crew.start(s)
	return s, nil
}

// Holding implements gearcore.Holder.
func (r *Results) Holding() bool { return r.unsent > 0 }

// Close implements gearcore.Task.
func (r *Results) Close() { r.crew.close() }

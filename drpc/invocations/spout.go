package invocations

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// Waits of a fetcher between two questions: at first, at most while there is nothing, at most while the server is away.
	leastWait = time.Millisecond
	mostWait  = 16 * time.Millisecond
	awayWait  = time.Second
	// closeTime is more than a server of ours holds a question.
	closeTime = time.Second
)

// Spout is Storm's DRPCSpout: it fetches the requests for one function and emits each as (args, return-info). A tuple that
// fails or times out fails its request; nothing is emitted twice.
//
// Requests are fetched one at a time and only while the topology is active and topology.max.spout.pending allows
// another, so that what cannot be worked on yet stays where other tasks can fetch it.
type Spout struct {
	function string

	fetchers []*fetcher
	senders  []*sender // beside fetchers
	crew     *crew
	async    *gearcore.Async
	active   atomic.Bool

	stop    context.CancelFunc // of the fetchers
	running sync.WaitGroup

	// Below belongs to the executor.
	closed  bool
	limit   int             // of pending; 0: none
	pending map[string]bool // message ids
	asked   int             // fetchers that look for a request
}

var (
	_ gearcore.Source = (*Spout)(nil)
	_ gearcore.Holder = (*Spout)(nil)
)

// NewSpout returns the spout of a function; nothing starts before Open.
func NewSpout(function string) *Spout {
	return &Spout{function: function, crew: newCrew(), pending: map[string]bool{}, stop: func() {}}
}

// Open implements gearcore.Source. The servers need not be there yet.
func (s *Spout) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	c.Pause() // tuples come through Async
	keys := conf.Conf(ctx.Conf)
	servers, err := serversOf(ctx)
	if err != nil {
		return err
	}
	most, err := keys.IntOr("topology.max.spout.pending", 0)
	if err != nil {
		return err
	}
	s.limit, s.async = int(most), c.Async()
	for i, at := range servers {
		l, err := newLink(at.addr(), keys)
		if err != nil {
			return err
		}
		told, err := newSender(at.addr(), keys)
		if err != nil {
			return err
		}
		s.fetchers = append(s.fetchers, &fetcher{spout: s, index: i, at: at, link: l, wanted: make(chan struct{}, 1)})
		s.senders = append(s.senders, told)
	}
	var live context.Context
	live, s.stop = context.WithCancel(context.Background())
	for i, f := range s.fetchers {
		s.crew.start(s.senders[i])
		s.running.Go(func() { f.run(live) })
	}
	return nil
}

// Next implements gearcore.Source. It has nothing to do.
func (s *Spout) Next(*gearcore.Collector) error { return gearcore.ErrIdle }

// Activate implements gearcore.Source.
func (s *Spout) Activate(*gearcore.Collector) {
	s.active.Store(true)
	s.ask()
}

// Deactivate implements gearcore.Source. A request that was just fetched is still emitted.
func (s *Spout) Deactivate(*gearcore.Collector) { s.active.Store(false) }

// Ack implements gearcore.Source.
func (s *Spout) Ack(id gearcore.Value, _ *gearcore.Collector) {
	delete(s.pending, id.Str())
	s.ask()
}

// Fail implements gearcore.Source: the caller is told that his request failed.
func (s *Spout) Fail(id gearcore.Value, _ *gearcore.Collector) {
	if key := id.Str(); s.pending[key] {
		delete(s.pending, key)
		s.fail(key)
	}
	s.ask()
}

// Holding implements gearcore.Holder.
func (s *Spout) Holding() bool { return len(s.pending) > 0 || s.asked > 0 }

// Close implements gearcore.Source. What is still open fails: nobody will answer it.
func (s *Spout) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.active.Store(false)
	for _, f := range s.fetchers {
		close(f.wanted)
	}
	timer := time.AfterFunc(closeTime, s.stop) // time to get what is being handed out
	s.running.Wait()
	timer.Stop()
	s.stop()
	for _, f := range s.fetchers {
		if r := f.held.Swap(nil); r != nil {
			s.senders[f.index].add(verdict{id: r.RequestID, failed: true})
		}
	}
	for key := range s.pending {
		s.fail(key)
	}
	clear(s.pending)
	s.crew.close()
}

// ask lets fetchers look for requests, as many as may be emitted.
func (s *Spout) ask() {
	for _, f := range s.fetchers {
		if !s.active.Load() || s.limit > 0 && len(s.pending)+s.asked >= s.limit {
			return
		}
		if !f.asked {
			f.asked = true
			s.asked++
			f.wanted <- struct{}{} // there is room: f answers each before the next
		}
	}
}

// take gets what a fetcher found, nil if it gave up, in the executor.
func (s *Spout) take(c *gearcore.Collector, f *fetcher) {
	f.asked = false
	s.asked--
	if r := f.held.Swap(nil); r != nil {
		key := strconv.Itoa(f.index) + "/" + r.RequestID
		s.pending[key] = true
		info := f.at
		info.ID = r.RequestID
		c.EmitID(gearcore.Str(key), r.FuncArgs_, info.text())
	}
	s.ask()
}

func (s *Spout) fail(key string) {
	index, id, _ := strings.Cut(key, "/")
	if i, err := strconv.Atoi(index); err == nil {
		s.senders[i].add(verdict{id: id, failed: true})
	}
}

// fetcher looks for requests at one server.
type fetcher struct {
	spout  *Spout
	index  int
	at     returnInfo // without id
	link   link
	wanted chan struct{}                        // a token for each request that is to be fetched; closed at the end
	held   atomic.Pointer[stormrpc.DRPCRequest] // fetched and not emitted yet
	asked  bool                                 // of the executor
}

func (f *fetcher) run(ctx context.Context) {
	defer f.link.close()
	for range f.wanted {
		r := f.look(ctx)
		size := 0
		if r != nil {
			size = len(r.FuncArgs_)
		}
		f.held.Store(r)
		if f.spout.async.Do(size, func(c *gearcore.Collector) { f.spout.take(c, f) }) != nil {
			return
		}
	}
}

// look asks until there is a request. It returns nil when the topology was deactivated or ctx ended.
func (f *fetcher) look(ctx context.Context) *stormrpc.DRPCRequest {
	away := false
	for wait := leastWait; f.spout.active.Load(); {
		r, held, err := f.link.next(ctx, f.spout.function)
		most := mostWait
		switch {
		case err == nil && r.RequestID != "":
			return r
		case err == nil && held:
			away, wait = false, leastWait
			continue
		case err == nil:
			away = false
		case ctx.Err() != nil:
			return nil
		default:
			most = awayWait
			if !away { // once for each time that it is away
				f.report(err)
			}
			away = true
		}
		if pause.For(ctx, wait) != nil {
			return nil
		}
		wait = min(2*wait, most)
	}
	return nil
}

func (f *fetcher) report(err error) {
	err = fmt.Errorf("fetch requests for %s from DRPC server %s, trying again: %w", f.spout.function, f.at.addr(), err)
	f.spout.async.Do(0, func(c *gearcore.Collector) { c.ReportError(err) })
}

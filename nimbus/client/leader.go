package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// ErrNoLeader is what every error of a fruitless leader lookup matches; its text lists what was tried, or
// says that nobody leads.
var ErrNoLeader = errors.New("no leading nimbus found")

// noLeader is a lookup that failed at every seed.
type noLeader struct {
	seeds []string
	tried []error
}

func (e *noLeader) Error() string {
	if e.leaderless() {
		return fmt.Sprintf("no Nimbus leads at present, asked were %s; try again in a moment, and if it stays so look at the logs of"+
			" Nimbus and whether it can reach ZooKeeper", strings.Join(e.seeds, ", "))
	}
	var b strings.Builder
	b.WriteString(ErrNoLeader.Error())
	for i, err := range e.tried {
		b.WriteString([...]string{": ", "; "}[min(i, 1)])
		b.WriteString(err.Error())
	}
	return b.String()
}

// Unwrap returns ErrNoLeader only: what single seeds answered must not be taken for the outcome.
func (e *noLeader) Unwrap() error { return ErrNoLeader }

// denied returns whether seeds were asked and each refused the caller, which asking again will not change.
func (e *noLeader) denied() bool {
	for _, err := range e.tried {
		if KindOf(err) != NotAuthorized {
			return false
		}
	}
	return len(e.tried) > 0
}

// leaderless returns whether a seed answered that nobody leads: that passes.
func (e *noLeader) leaderless() bool {
	return slices.ContainsFunc(e.tried, func(err error) bool {
		kind := KindOf(err)
		return kind == NoResult || kind == NoLeader
	})
}

// lane is one connection to the leader, made when needed and replaced when lost.
type lane struct {
	opts Options

	connecting chan struct{} // holds a token during a lookup, so that one is made for all who wait
	mu         sync.Mutex
	conn       *wire.Client
	closed     bool
	ending     context.CancelFunc // of the lookup in progress
}

func newLane(o Options) *lane { return &lane{opts: o, connecting: make(chan struct{}, 1)} }

// connection returns a usable connection to the leader. It waits through the retries of the options.
func (l *lane) connection(ctx context.Context) (*wire.Client, error) {
	if conn, err := l.current(); conn != nil || err != nil {
		return conn, err
	}
	select {
	case l.connecting <- struct{}{}:
		defer func() { <-l.connecting }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a connection to nimbus: %w", ctx.Err())
	}
	if conn, err := l.current(); conn != nil || err != nil {
		return conn, err // another call was faster
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	l.ending = cancel
	l.mu.Unlock()
	conn, err := findLeaderPatiently(ctx, l.opts)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending = nil
	switch {
	case l.closed:
		if conn != nil {
			conn.Close()
		}
		return nil, ErrClosed
	case err != nil:
		return nil, err
	}
	l.conn = conn
	return conn, nil
}

// current returns the connection if it is usable, nil if there is none.
func (l *lane) current() (*wire.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	if l.conn != nil && l.conn.Closed() {
		l.conn = nil
	}
	return l.conn, nil
}

// drop closes a connection to a Nimbus that does not lead; the next call looks for the leader.
func (l *lane) drop(conn *wire.Client) {
	conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == conn {
		l.conn = nil
	}
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.conn != nil {
		l.conn.Close()
	}
	if l.ending != nil {
		l.ending()
	}
}

// findLeaderPatiently looks for the leader until it is found, the retries are used up, or ctx ends.
func findLeaderPatiently(ctx context.Context, o Options) (*wire.Client, error) {
	begun := time.Now()
	for n := 0; ; n++ {
		conn, failed := findLeader(ctx, o)
		if failed == nil {
			return conn, nil
		}
		waits := o.Retries >= 0 && failed.leaderless() && time.Since(begun) < o.LeaderPatience
		if n >= o.Retries && !waits || failed.denied() {
			return nil, failed
		}
		if pause.For(ctx, o.backoff(n)) != nil {
			return nil, fmt.Errorf("%w (%w)", failed, ctx.Err())
		}
	}
}

// Times of a lookup. A seed that hangs delays the next one by stagger, and fails after patience.
const (
	stagger  = 300 * time.Millisecond
	patience = 5 * time.Second
)

// answer is what the seed of an index said.
type answer struct {
	seed int
	conn *wire.Client
	err  error
}

// findLeader asks each seed once, in order, and takes the first that leads to a leader: a seed that cannot be reached, fails
// or knows no leader is passed over, one that is slow is not waited for (Storm's NimbusClient.java would).
func findLeader(ctx context.Context, o Options) (*wire.Client, *noLeader) {
	ctx, cancel := context.WithTimeout(ctx, patience+time.Duration(len(o.Seeds))*stagger)
	defer cancel()
	answers := make(chan answer)
	next := time.NewTimer(0)
	defer next.Stop()
	var found *wire.Client
	tried := make([]error, len(o.Seeds))
	for asked, waiting := 0, 0; waiting > 0 || (found == nil && asked < len(o.Seeds) && ctx.Err() == nil); {
		select {
		case <-next.C:
			if found != nil || asked == len(o.Seeds) || ctx.Err() != nil {
				continue
			}
			go func(seed int) {
				conn, err := leaderBySeed(ctx, o, o.Seeds[seed])
				answers <- answer{seed, conn, err}
			}(asked)
			asked, waiting = asked+1, waiting+1
			next.Reset(stagger)
		case a := <-answers:
			waiting--
			switch {
			case a.err != nil:
				tried[a.seed] = fmt.Errorf("seed %s: %w", o.Seeds[a.seed], a.err)
				next.Reset(0)
			case found != nil:
				a.conn.Close()
			default:
				found = a.conn
				cancel() // ends the other lookups
			}
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, &noLeader{o.Seeds, slices.DeleteFunc(tried, func(err error) bool { return err == nil })}
}

// leaderBySeed asks a seed who leads and connects to that one, which has to confirm it: a leader that hangs or was deposed
// may still be what others believe.
func leaderBySeed(ctx context.Context, o Options, seed string) (*wire.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asked, err := o.endpoint(seed)
	if err != nil {
		return nil, err
	}
	conn, leader, err := ask(ctx, o, asked)
	if err != nil || leader == asked {
		return conn, err
	}
	conn.Close()
	if err := leader.validate(); err != nil {
		return nil, fmt.Errorf("leader: %w", err)
	}
	conn, confirmed, err := ask(ctx, o, leader)
	if err != nil {
		return nil, fmt.Errorf("leader: %w", err)
	}
	if confirmed != leader {
		conn.Close()
		return nil, fmt.Errorf("leader: %s says that %s leads", leader, confirmed)
	}
	return conn, nil
}

// ask connects to a Nimbus and asks it who leads.
func ask(ctx context.Context, o Options, at endpoint) (*wire.Client, endpoint, error) {
	conn, err := wire.Dial(ctx, at.String(), o.Dial)
	if err != nil {
		return nil, endpoint{}, err
	}
	summary, err := stormrpc.NewNimbusClient(conn).GetLeader(ctx)
	if err != nil {
		conn.Close()
		return nil, endpoint{}, err
	}
	return conn, endpoint{summary.Host, int(summary.Port)}, nil
}

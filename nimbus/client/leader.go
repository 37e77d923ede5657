package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// ErrNoLeader is what every error of a fruitless leader lookup matches; its text lists what was tried.
var ErrNoLeader = errors.New("no leading nimbus found")

// noLeader is a lookup that failed at every seed.
type noLeader struct{ tried []error }

func (e *noLeader) Error() string {
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

// denied returns whether every seed refused the caller, which asking again will not change.
func (e *noLeader) denied() bool {
	for _, err := range e.tried {
		if KindOf(err) != NotAuthorized {
			return false
		}
	}
	return true
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
	for n := 0; ; n++ {
		conn, failed := findLeader(ctx, o)
		if failed == nil {
			return conn, nil
		}
		if n >= o.Retries || failed.denied() {
			return nil, failed
		}
		select {
		case <-time.After(o.backoff(n)):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w (%w)", failed, ctx.Err())
		}
	}
}

// findLeader asks each seed once, as Storm's NimbusClient.java does: a seed that cannot be reached, fails or knows no leader
// is passed over; one that names itself keeps its connection.
func findLeader(ctx context.Context, o Options) (*wire.Client, *noLeader) {
	failed := &noLeader{}
	for _, seed := range o.Seeds {
		conn, err := leaderBySeed(ctx, o, seed)
		if err == nil {
			return conn, nil
		}
		failed.tried = append(failed.tried, fmt.Errorf("seed %s: %w", seed, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

func leaderBySeed(ctx context.Context, o Options, seed string) (*wire.Client, error) {
	asked, err := o.endpoint(seed)
	if err != nil {
		return nil, err
	}
	conn, err := wire.Dial(ctx, asked.String(), o.Dial)
	if err != nil {
		return nil, err
	}
	summary, err := stormrpc.NewNimbusClient(conn).GetLeader(ctx)
	if err != nil {
		conn.Close()
		return nil, err
	}
	leader := endpoint{summary.Host, int(summary.Port)}
	if leader == asked {
		return conn, nil
	}
	conn.Close()
	if err := leader.validate(); err != nil {
		return nil, fmt.Errorf("leader: %w", err)
	}
	if conn, err = wire.Dial(ctx, leader.String(), o.Dial); err != nil {
		return nil, fmt.Errorf("leader: %w", err)
	}
	return conn, nil
}

package nimbus

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// seat is one master's view of the shared state, whose session a test can end and which it can keep from leading.
type seat struct {
	*mem.Store
	deaf bool // terms seem to last for ever: the master is not told that its session ended

	mu   sync.Mutex
	free chan struct{} // closed while the master may campaign
	hang chan struct{} // writes wait until it is closed; nil for those that do not
	txns atomic.Int64

	doubt atomic.Bool // the next write takes effect, but its answer is lost
}

func newSeat(s *mem.Store) *seat {
	free := make(chan struct{})
	close(free)
	return &seat{Store: s, free: free}
}

func (s *seat) Campaign(ctx context.Context, who string) (cluster.Term, error) {
	s.mu.Lock()
	free := s.free
	s.mu.Unlock()
	select {
	case <-free:
	case <-ctx.Done():
		return cluster.Term{}, ctx.Err()
	}
	term, err := s.Store.Campaign(ctx, who)
	if s.deaf {
		term.Lost = nil
	}
	return term, err
}

func (s *seat) Txn(ctx context.Context, guard cluster.Epoch, ops ...cluster.Op) error {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.txns.Add(1)
	err := s.Store.Txn(ctx, guard, ops...)
	if s.doubt.CompareAndSwap(true, false) {
		return cluster.ErrUncertain
	}
	return err
}

// lose ends the session of a leader, which does not campaign again before release.
func (s *seat) lose() (release func()) {
	s.mu.Lock()
	free := make(chan struct{})
	s.free = free
	s.mu.Unlock()
	s.Expire()
	return func() { close(free) }
}

// masters are several of them over one state. The first leads.
type masters struct {
	t     *testing.T
	all   []*testCluster
	seats []*seat
	dirs  []string
}

func startMasters(t *testing.T, count int, change func(*Config)) *masters {
	t.Helper()
	m := &masters{t: t}
	state := mem.New()
	t.Cleanup(func() { state.Close() })
	for range count {
		m.seats = append(m.seats, newSeat(state.Peer()))
		m.dirs = append(m.dirs, filepath.Join(t.TempDir(), "blobs"))
		m.all = append(m.all, nil)
	}
	for i := range count {
		m.start(i, change)
	}
	eventually(t, "the others follow", func() bool {
		return !slices.ContainsFunc(m.all, func(c *testCluster) bool { return c.lead() != nil && !c.follows() })
	})
	return m
}

// start starts the master of a seat.
func (m *masters) start(i int, change func(*Config)) {
	m.t.Helper()
	m.all[i] = startAny(m.t, func(cfg *Config) {
		cfg.Store, cfg.BlobDir = m.seats[i], m.dirs[i]
		if change != nil {
			change(cfg)
		}
	})
	if i == 0 {
		eventually(m.t, "the first master leads", func() bool { return m.all[0].lead() == nil })
	}
}

func (n *Nimbus) follows() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.link != nil
}

// fail ends the session of the leader and returns who leads then.
func (m *masters) fail(leader *testCluster) *testCluster {
	m.t.Helper()
	m.seats[slices.Index(m.all, leader)].lose()
	return m.leaderAfter(leader)
}

// leaderAfter waits for a leader other than old that all others follow.
func (m *masters) leaderAfter(old *testCluster) *testCluster {
	m.t.Helper()
	var next *testCluster
	eventually(m.t, "another master leads and is followed", func() bool {
		next = nil
		for _, c := range m.all {
			if c != old && c.lead() == nil {
				next = c
			}
		}
		return next != nil && !slices.ContainsFunc(m.all, func(c *testCluster) bool { return c != next && c.link0() != next.self() })
	})
	return next
}

// link0 is the address of the leader that a master follows.
func (n *Nimbus) link0() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.link == nil {
		return ""
	}
	return n.link.addr
}

// copied waits until every master holds as many blobs as the cluster has.
func (m *masters) copied() {
	m.t.Helper()
	eventually(m.t, "every master holds all blobs", func() bool {
		records, err := cluster.ListBlobs(m.t.Context(), m.seats[0])
		must(m.t, err)
		return !slices.ContainsFunc(m.all, func(c *testCluster) bool {
			return slices.ContainsFunc(records, func(b cluster.Blob) bool {
				info, err := c.blobs.Info(b.Key)
				return err != nil || info.SHA256 != b.SHA256
			})
		})
	})
}

// addrs are where the masters are reached.
func (m *masters) addrs() []string {
	var out []string
	for _, c := range m.all {
		out = append(out, c.Addr())
	}
	return out
}

// finder is a client that knows all masters.
func (m *masters) finder() *client.Client {
	m.t.Helper()
	c, err := client.New(client.Options{Seeds: m.addrs(), RetryInterval: 20 * time.Millisecond, Retries: 9, Dial: wire.DialOptions{CallTimeout: waitFor}})
	must(m.t, err)
	m.t.Cleanup(func() { c.Close() })
	return c
}

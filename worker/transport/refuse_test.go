package transport

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// TestFrameThatCannotBeReadIsGivenUp sends, among others, batches for a task that only the sender knows: the receiver can
// do nothing with such a frame however often it comes.
func TestFrameThatCannotBeReadIsGivenUp(t *testing.T) {
	overEach(t, func(t *testing.T, change func(*Config)) {
		a, b := start(t, "a", change), start(t, "b", change)
		a.to(b.Addr().String(), 4, 99)
		const n = 2000
		for i := range 4 {
			if i > 0 {
				a.Outlet(99).Push(batch(testLayout(), 99, "x", "y"))
			}
			pump(a.Outlet(4), 4, i*n/4, n/4)
		}
		await(t, "the others arrive", func() bool { return b.count() >= n })
		inOrder(t, b.of(4), n)
		await(t, "the three are told of", func() bool { return a.lost.Load() == 6 })
		if _, ok := a.errs.Load(ErrRefused.Error()); !ok {
			t.Error("told another reason than ErrRefused")
		}
		if d := a.Stats().Disconnects.Load(); d > 3*maxFailures {
			t.Errorf("%d connections were used up, want at most %d", d, 3*maxFailures)
		}
		o := a.Outlet(4)
		await(t, "all credit is back", func() bool {
			l := o.lock()
			defer l.mu.Unlock()
			return o.underWay() == 0
		})
	})
}

// TestTreesOfAFrameThatIsGivenUpFail sends 150 tracked rows, more than one page of results, that the receiver cannot read.
func TestTreesOfAFrameThatIsGivenUpFail(t *testing.T) {
	k := &tracker{}
	a, b := start(t, "a", func(c *Config) { c.Tracker = k }), start(t, "b", nil)
	a.to(b.Addr().String(), 4, 99)
	a.Outlet(99).Push(tracked(99, 1, 150))
	await(t, "the rows are told as lost", func() bool { return a.lost.Load() == 150 })
	await(t, "their trees end", func() bool { return k.count() == 150 })
	for root, ops := range k.settled {
		if len(ops) != 1 || ops[0] != gearcore.AckFail {
			t.Errorf("root %d is told %v, want one failure", root, ops)
		}
	}
}

// TestGapEndsTheSession makes the sender believe that the receiver has more than it has.
func TestGapEndsTheSession(t *testing.T) {
	a, b := start(t, "a", overTCP), start(t, "b", overTCP)
	p := newProxy(t, b.Addr().String())
	a.to(p.ln.Addr().String(), 4)
	pump(a.Outlet(4), 4, 0, 10)
	await(t, "ten arrive", func() bool { return b.count() == 10 })
	l := a.Outlet(4).link.Load()
	await(t, "they are known to have", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.acked == 10 })
	// The receiver goes back to seven, as if it had been set back in time.
	b.Transport.mu.Lock()
	for _, s := range b.sessions {
		s.mu.Lock()
		s.received = 7
		s.mu.Unlock()
	}
	b.Transport.mu.Unlock()
	pump(a.Outlet(4), 4, 10, 1)
	await(t, "the frame beyond the gap is told as lost", func() bool { return a.lost.Load() == 1 })
	pump(a.Outlet(4), 4, 11, 20)
	await(t, "a new session goes on", func() bool { return b.count() == 30 })
	if got := b.of(4); got[10] != "11" || got[29] != "30" {
		t.Errorf("the new session brings %v", got[10:])
	}
}

package transport

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// byPlan is an Assignment in which those ends have a part, each with its name as its slot.
func byPlan(plan uint64, members map[string]*end) Assignment {
	a := Assignment{ID: "1-" + strconv.FormatUint(plan, 10), Epoch: 1, Plan: plan, Slots: map[string]string{}}
	for name, e := range members {
		a.Slots[name] = ""
		if e != nil {
			a.Slots[name] = e.Addr().String()
		}
	}
	return a
}

func startIn(t *testing.T, name string, plan uint64, change func(*Config)) *end {
	return start(t, name, func(c *Config) {
		c.Slot, c.Assignment = name, byPlan(plan, map[string]*end{"a": nil, "b": nil, "c": nil})
		if change != nil {
			change(c)
		}
	})
}

// TestTaskThatComesBackHasItsCredit moves a task away and back several times while its former worker still holds frames:
// frames are counted by both ends for as long as the session lasts.
func TestTaskThatComesBackHasItsCredit(t *testing.T) {
	overEach(t, func(t *testing.T, change func(*Config)) {
		a, b, c := start(t, "a", change), start(t, "b", change), start(t, "c", change)
		stays := func(where string) map[gearcore.TaskID]string {
			return map[gearcore.TaskID]string{4: where, 5: b.Addr().String(), 6: c.Addr().String()}
		}
		const n = 200
		sent := 0
		for round := range 6 {
			to := []*end{b, c}[round%2]
			if round%2 == 0 {
				to.sink.mu.Lock()
				to.hold = map[gearcore.TaskID]bool{4: true}
				to.sink.mu.Unlock()
			}
			a.SetPeers(stays(to.Addr().String()))
			a.Outlet(4).Push(batch(testLayout(), 4, strconv.Itoa(sent)))
			sent++
			await(t, "the first one arrives", func() bool { return len(b.of(4))+len(c.of(4)) >= sent })
			if round%2 == 1 {
				pump(a.Outlet(4), 4, sent, n)
				sent += n
				await(t, "all arrive", func() bool { return len(b.of(4))+len(c.of(4)) == sent })
				b.release()
			}
		}
		a.SetPeers(stays(b.Addr().String()))
		pump(a.Outlet(4), 4, sent, n)
		await(t, "all arrive at the end", func() bool { return len(b.of(4))+len(c.of(4)) == sent+n })
		o := a.Outlet(4)
		await(t, "all credit is back", func() bool {
			l := o.lock()
			defer l.mu.Unlock()
			return o.underWay() == 0 && l.flow.floating == 0
		})
	})
}

// TestLinkThatIsLeftEndsInOrder takes the last task of a peer away while it holds what it was sent.
func TestLinkThatIsLeftEndsInOrder(t *testing.T) {
	k := &tracker{}
	a := start(t, "a", func(c *Config) { c.Tracker = k })
	b, c := start(t, "b", func(c *Config) { c.Tracker = &tracker{} }), start(t, "c", nil)
	b.hold[4] = true
	a.to(b.Addr().String(), 4)
	a.Outlet(4).Push(tracked(4, 1, 1))
	await(t, "it arrives", func() bool { return b.count() == 1 })
	a.to(c.Addr().String(), 4)
	await(t, "the new link is up", a.Ready)
	if got := len(a.Links()); got != 2 || k.count() != 0 {
		t.Fatalf("%d links and %d results while the tuple is executed, want 2 and 0", got, k.count())
	}
	b.sink.mu.Lock()
	held := b.held[0]
	b.sink.mu.Unlock()
	b.eachEnd(nil, func(s *session) {
		s.proxies.settle([]gearcore.Ack{{Root: held.Roots[0].Root, Op: gearcore.AckDone}})
	})
	await(t, "the link ends once the tuple is settled", func() bool { return len(a.Links()) == 1 })
	if got := k.settled[1]; len(got) != 1 || got[0] != gearcore.AckDone {
		t.Errorf("the tuple ended with %v, want done", got)
	}
	if b.release(); a.lost.Load() != 0 {
		t.Errorf("%d tuples are lost", a.lost.Load())
	}
}

// TestPlanIsKnownBeforeWhatItMoves looks at the plan that each batch says it was sent by, while tasks move.
func TestPlanIsKnownBeforeWhatItMoves(t *testing.T) {
	overEach(t, func(t *testing.T, change func(*Config)) {
		var mu sync.Mutex
		plans := map[string]uint64{}
		note := func(c *Config) {
			if change != nil {
				change(c)
			}
			c.Deliver = func(b *gearcore.Batch) error {
				mu.Lock()
				for i := range b.Rows {
					plans[b.Tuple(i).String(0)] = b.Plan
				}
				mu.Unlock()
				b.Done(b)
				return nil
			}
		}
		a, b, c := startIn(t, "a", 1, change), startIn(t, "b", 1, note), startIn(t, "c", 1, note)
		const rounds, each = 20, 50
		for i := range uint64(rounds) {
			to := []*end{b, c}[i%2]
			a.SetAssignment(byPlan(1+i, map[string]*end{"a": a, "b": b, "c": c}))
			a.SetPeers(map[gearcore.TaskID]string{4: to.Addr().String(), 5: b.Addr().String(), 6: c.Addr().String()})
			pump(a.Outlet(4), 4, int(i)*each, each)
		}
		await(t, "all arrive", func() bool { mu.Lock(); defer mu.Unlock(); return len(plans) == rounds*each })
		for i := range rounds * each {
			if got, least := plans[strconv.Itoa(i)], uint64(1+i/each); got < least {
				t.Fatalf("tuple %d was sent by plan %d and said %d", i, least, got)
			}
		}
	})
}

// TestTaskThatComesHere pushes for a task that is elsewhere, nowhere yet, and then here.
func TestTaskThatComesHere(t *testing.T) {
	var mu sync.Mutex
	here, got := false, 0
	a := startIn(t, "a", 1, func(c *Config) {
		c.Runs = func(id gearcore.TaskID) bool { mu.Lock(); defer mu.Unlock(); return here && id == 4 }
		c.TakeBack = func(b *gearcore.Batch, waited bool) bool {
			mu.Lock()
			defer mu.Unlock()
			if here {
				got += len(b.Rows)
			}
			return here
		}
	})
	o := a.Outlet(4)
	woken := false
	for i := range 10 {
		o.Push(batch(testLayout(), 4, strconv.Itoa(i)))
	}
	o.Notify(func() { woken = true })
	mu.Lock()
	here = true
	mu.Unlock()
	a.SetPeers(nil)
	o.Push(batch(testLayout(), 4, "10"))
	mu.Lock()
	defer mu.Unlock()
	if got != 11 || !woken || !o.HasRoom() {
		t.Errorf("%d of 11 tuples came back, woken %v, room %v", got, woken, o.HasRoom())
	}
	if !a.Ready() {
		t.Error("a task that is here waits for a link")
	}
	here = false
	mu.Unlock()
	o.Push(batch(testLayout(), 4, "11")) // it has left, and nobody has said where to
	b := startIn(t, "b", 1, nil)
	a.to(b.Addr().String(), 4)
	await(t, "it arrives at the new place", func() bool { return b.count() == 1 })
	mu.Lock()
	if got != 11 {
		t.Errorf("%d tuples came back, want 11", got)
	}
}

// TestWhoHasNoPartIsRefused: a worker that a newer assignment gives nothing, and that does not know of it, gets nothing in.
func TestWhoHasNoPartIsRefused(t *testing.T) {
	overEach(t, func(t *testing.T, change func(*Config)) {
		zombie, a, b := startIn(t, "c", 1, change), startIn(t, "a", 1, change), startIn(t, "b", 1, change)
		zombie.to(b.Addr().String(), 4)
		a.to(b.Addr().String(), 4)
		zombie.Outlet(4).Push(batch(testLayout(), 4, "0"))
		a.Outlet(4).Push(batch(testLayout(), 4, "0"))
		await(t, "both are heard", func() bool { return b.count() == 2 })
		breaks := a.Stats().Disconnects.Load()
		b.SetAssignment(byPlan(2, map[string]*end{"a": a, "b": b}))
		await(t, "its connection is cut", func() bool { return !zombie.Ready() })
		refused := b.Stats().HandshakesRefused.Load()
		zombie.Outlet(4).Push(batch(testLayout(), 4, "late"))
		await(t, "it is refused", func() bool { return b.Stats().HandshakesRefused.Load() > refused+2 })
		a.Outlet(4).Push(batch(testLayout(), 4, "1"))
		await(t, "who has a part goes on by the older plan", func() bool { return b.count() == 3 })
		if got := a.Stats().Disconnects.Load(); got != breaks {
			t.Errorf("the link between workers that stay broke %d times", got-breaks)
		}
		zombie.SetAssignment(byPlan(2, map[string]*end{"a": a, "b": b}))
		await(t, "who knows the plan may say its last", func() bool { return b.count() == 4 })
	})
}

// TestPeerThatIsBackIsDialledAtOnce has a sender that would wait for a minute hear of its peer.
func TestPeerThatIsBackIsDialledAtOnce(t *testing.T) {
	b := startIn(t, "b", 1, overTCP)
	p := newProxy(t, b.Addr().String())
	a := startIn(t, "a", 1, func(c *Config) { overTCP(c); c.MinBackoff, c.MaxBackoff = time.Minute, time.Minute })
	both := byPlan(1, map[string]*end{"a": a, "b": b})
	both.Slots["b"] = p.ln.Addr().String()
	a.SetAssignment(both)
	p.mu.Lock()
	p.to = "127.0.0.1:1"
	p.mu.Unlock()
	a.to(p.ln.Addr().String(), 4)
	await(t, "the peer is away", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.dials > 0 })
	p.mu.Lock()
	p.to = b.Addr().String()
	p.mu.Unlock()
	b.to(a.Addr().String(), 5)
	await(t, "its own link is up", b.Ready)
	await(t, "it is dialled", a.Ready)
}

// TestOneWayLinkIsNoticed lets nothing through in one direction, without a word to either side: both ends notice, the tuples
// outstanding at the peer fail, and nothing that was pushed is lost once both directions work again.
func TestOneWayLinkIsNoticed(t *testing.T) {
	for _, c := range []struct {
		name string
		data bool // the direction that is blocked
	}{{"data is blocked", true}, {"answers are blocked", false}} {
		t.Run(c.name, func(t *testing.T) {
			k := &tracker{}
			short := func(c *Config) {
				c.TCPOnly, c.IdleTimeout, c.FailTimeout, c.HandshakeTimeout = true, 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
			}
			a := start(t, "a", func(c *Config) { short(c); c.Tracker = k })
			b := start(t, "b", func(c *Config) { short(c); c.Tracker = &tracker{} })
			p := newProxy(t, b.Addr().String())
			block := func(f func(bool) bool) { p.mu.Lock(); p.deaf = f; p.mu.Unlock() }
			a.to(p.ln.Addr().String(), 4)
			a.Outlet(4).Push(tracked(4, 0, 10))
			await(t, "tuples arrive", func() bool { return b.count() == 10 })
			block(func(fromDialler bool) bool { return fromDialler == c.data })
			await(t, "the sender notices", func() bool { return a.Stats().Disconnects.Load() > 0 })
			await(t, "so does the receiver", func() bool {
				quiet := true
				b.eachEnd(nil, func(s *session) { quiet = quiet && s.goneFor(time.Now()) > 0 })
				return quiet
			})
			await(t, "what is outstanding fails", func() bool { return k.count() == 10 })
			a.Outlet(4).Push(tracked(4, 10, 10))
			block(nil)
			await(t, "what waited arrives", func() bool { return b.count() == 20 })
			if a.lost.Load() != 0 {
				t.Errorf("%d tuples are lost", a.lost.Load())
			}
		})
	}
}

// TestTaskWithoutAddressIsWaitedFor has had a task without an address for longer than PeerTimeout: what is pushed for another
// one is kept all the same, until its address is known.
func TestTaskWithoutAddressIsWaitedFor(t *testing.T) {
	a := startIn(t, "a", 1, func(c *Config) { c.PeerTimeout = 50 * time.Millisecond })
	b := startIn(t, "b", 1, nil)
	a.Outlet(4).Push(batch(testLayout(), 4, "0"))
	if !a.Ready() {
		t.Error("a task without an address, which may never get one, keeps the worker from being ready")
	}
	await(t, "what nobody takes is given up", func() bool { return a.lost.Load() == 1 })
	a.Outlet(5).Push(batch(testLayout(), 5, "0"))
	a.SetPeers(map[gearcore.TaskID]string{5: b.Addr().String()})
	await(t, "it arrives", func() bool { return b.count() == 1 })
	a.Outlet(4).Push(batch(testLayout(), 4, "1"))
	a.SetPeers(map[gearcore.TaskID]string{4: b.Addr().String(), 5: b.Addr().String()})
	await(t, "what was given up once is waited for again after a change", func() bool { return b.count() == 2 })
	if got := a.lost.Load(); got != 1 {
		t.Errorf("%d tuples are lost, want the one that waited for too long", got)
	}
	await(t, "no link without an address is left", func() bool { a.Transport.mu.Lock(); defer a.Transport.mu.Unlock(); return a.links[""] == nil })
}

// TestTaskMovesWhileItsBatchIsEncoded corrects the count of a batch that came to several frames, or to none, after its outlet
// has left the link, and after it has come back.
func TestTaskMovesWhileItsBatchIsEncoded(t *testing.T) {
	for _, frames := range []int{0, 1, 3} {
		for _, back := range []bool{false, true} {
			tr, err := New(Config{Secret: testSecret, TopologyID: "topo-1-1", WorkerID: "a", Assignment: Assignment{ID: "1-1", Epoch: 1},
				Listen: "127.0.0.1:0", Layout: testLayout(), Deliver: func(*gearcore.Batch) error { return nil }})
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			here, there := map[gearcore.TaskID]string{4: "x:1", 5: "x:1", 6: "y:1"}, map[gearcore.TaskID]string{4: "y:1", 5: "x:1", 6: "y:1"}
			tr.SetPeers(here)
			o := tr.Outlet(4)
			l := o.link.Load()
			l.flow.win = window{exclusive: 2, floating: 8, targetBytes: 1 << 20}
			o.sent, o.processed = 7, 7
			o.Push(batch(testLayout(), 4, "0"))
			l.flow.take(nil, takeBytes, nil)
			tr.SetPeers(there)
			if back {
				tr.SetPeers(here)
			}
			l.settle(o, frames)
			if !back {
				tr.SetPeers(here)
			}
			if got := o.sent; o.link.Load() != l || got != uint64(7+frames) || o.processed > got {
				t.Errorf("%d frames, back %v: %d are counted, %d processed, want %d", frames, back, got, o.processed, 7+frames)
			}
		}
	}
}

// TestTaskThatIsNotNamedIsReached pushes for tasks that nobody here sends to by the present plan: before the change, so that it
// waits for credit, and after it. The link lasts until the next change.
func TestTaskThatIsNotNamedIsReached(t *testing.T) {
	a, b := startIn(t, "a", 1, nil), startIn(t, "b", 1, nil)
	b.hold[4] = true
	a.to(b.Addr().String(), 4)
	for i := range 20 {
		a.Outlet(4).Push(batch(testLayout(), 4, strconv.Itoa(i)))
	}
	await(t, "some arrive", func() bool { return b.count() > 2 })
	next := byPlan(2, map[string]*end{"a": a, "b": b})
	next.Tasks = map[gearcore.TaskID]string{4: b.Addr().String(), 5: b.Addr().String()}
	a.SetAssignment(next)
	a.SetPeers(nil)
	a.Outlet(4).Push(batch(testLayout(), 4, "20"))
	a.Outlet(5).Push(batch(testLayout(), 5, "0"))
	b.release()
	await(t, "all arrive", func() bool { return b.count() == 22 })
	a.SetPeers(nil)
	await(t, "the link ends", func() bool { return len(a.Links()) == 0 })
	a.Outlet(4).Push(batch(testLayout(), 4, "21"))
	await(t, "one that comes late arrives", func() bool { return b.count() == 23 })
	if got := a.lost.Load(); got != 0 {
		t.Errorf("%d tuples are lost", got)
	}
}

// TestSessionOfALinkThatEndedHoldsNoMemory: the receiver remembers the session for long, but not what batches were made of.
func TestSessionOfALinkThatEndedHoldsNoMemory(t *testing.T) {
	a, b := startIn(t, "a", 1, nil), startIn(t, "b", 1, func(c *Config) { c.Keeps = func(gearcore.TaskID) Keeps { return KeepsNothing } })
	b.hold[4] = true
	parcels := func() (n int, up bool) {
		b.eachEnd(nil, func(s *session) {
			s.mu.Lock()
			defer s.mu.Unlock()
			n, up = n+len(s.parcels), up || s.conn != nil
		})
		return n, up
	}
	a.to(b.Addr().String(), 4, 5)
	a.Outlet(4).Push(batch(testLayout(), 4, "0"))
	await(t, "the first is held", func() bool { return b.count() == 1 })
	a.Outlet(5).Push(batch(testLayout(), 5, "0"))
	await(t, "one is kept for reuse", func() bool { n, _ := parcels(); return n == 1 && b.count() == 2 })
	a.SetPeers(nil)
	await(t, "the link ends", func() bool { _, up := parcels(); return !up })
	if n, _ := parcels(); n != 0 || b.Stats().Sessions.Load() != 1 {
		t.Errorf("%d batches are kept for reuse by %d sessions, want none by 1", n, b.Stats().Sessions.Load())
	}
}

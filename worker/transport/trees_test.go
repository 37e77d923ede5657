package transport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// tracker is a Tracker that notes what is settled and how each received row shall end.
type tracker struct {
	mu      sync.Mutex
	books   int
	owner   func([]gearcore.Ack)
	settled map[uint64][]gearcore.AckOp // by root, in order
}

func (k *tracker) OpenBook(_ *ackers.Counts, owner func([]gearcore.Ack)) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.books++
	k.owner = owner
	return 77
}

func (k *tracker) CloseBook(book uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if book == 77 {
		k.books--
	}
}

func (k *tracker) Settle(acks []gearcore.Ack) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.settled == nil {
		k.settled = map[uint64][]gearcore.AckOp{}
	}
	for _, a := range acks {
		if a.Val != a.Root+1 {
			panic(fmt.Sprintf("%+v is of another book", a))
		}
		k.settled[a.Root] = append(k.settled[a.Root], a.Op)
	}
}

func (k *tracker) count() int { k.mu.Lock(); defer k.mu.Unlock(); return len(k.settled) }

// tell reports how roots ended, as an executor would.
func (k *tracker) tell(op gearcore.AckOp, roots ...uint64) {
	var acks []gearcore.Ack
	for _, r := range roots {
		acks = append(acks, gearcore.Ack{Root: r, Val: 77, Op: op})
	}
	k.mu.Lock()
	owner := k.owner
	k.mu.Unlock()
	owner(acks)
}

// tracked returns a batch of rows that each hold one root, which is their number.
func tracked(target gearcore.TaskID, from, n int) *gearcore.Batch {
	b := &gearcore.Batch{Layout: testLayout(), Target: target, From: 1}
	for i := from; i < from+n; i++ {
		b.Append(0, 1, []gearcore.Value{gearcore.Str(strconv.Itoa(i))}, []gearcore.RootEdge{{Root: uint64(i), Edge: uint64(i) + 1}})
	}
	return b
}

// pair is a sender and a receiver with trackers, and a proxy between them.
func pair(t *testing.T, deliver func(b *gearcore.Batch, k *tracker) error) (a, b *end, ka, kb *tracker, p *proxy) {
	t.Helper()
	ka, kb = &tracker{}, &tracker{}
	a = start(t, "a", func(c *Config) { c.Tracker, c.TCPOnly = ka, true })
	b = start(t, "b", func(c *Config) {
		c.Tracker = kb
		c.Deliver = func(b *gearcore.Batch) error { return deliver(b, kb) }
	})
	p = newProxy(t, b.Addr().String())
	a.to(p.ln.Addr().String(), 4)
	return a, b, ka, kb, p
}

// Through many breaks, every row ends once at its sender, and as the receiver said.
func TestResultsSurviveBreaks(t *testing.T) {
	const frames, rows = 400, 50
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(1, 1))
	want := map[uint64]gearcore.AckOp{}
	var later []uint64
	a, b, ka, _, p := pair(t, func(b *gearcore.Batch, k *tracker) error {
		mu.Lock()
		var done, failed []uint64
		for i := range b.Rows {
			tp := b.Tuple(i)
			n, _ := strconv.ParseUint(tp.String(0), 10, 64)
			r := tp.Roots()[0]
			if r.Edge != 77 {
				t.Errorf("row %d is of book %d", n, r.Edge)
			}
			want[n] = gearcore.AckDone
			switch rnd.IntN(4) {
			case 0:
				want[n] = gearcore.AckFail
				failed = append(failed, r.Root)
			case 1:
				later = append(later, r.Root)
			default:
				done = append(done, r.Root)
			}
		}
		if len(later) > 300 {
			rnd.Shuffle(len(later), func(i, j int) { later[i], later[j] = later[j], later[i] })
			done = append(done, later[100:]...)
			later = later[:100]
		}
		mu.Unlock()
		k.tell(gearcore.AckDone, done...)
		k.tell(gearcore.AckFail, failed...)
		k.tell(gearcore.AckFail, done...) // too late
		b.Done(b)
		return nil
	})
	o, seen := a.Outlet(4), 0
	for i := range frames {
		if !o.Push(tracked(4, i*rows, rows)) {
			room := make(chan struct{})
			o.Notify(func() { close(room) })
			<-room
		}
		if i%20 == 10 {
			await(t, "results come back", func() bool { return ka.count() > seen })
			seen = ka.count() // before the cut; what is pushed from now on brings more
			p.cut()
		}
	}
	await(t, "all rows have arrived", func() bool { mu.Lock(); defer mu.Unlock(); return len(want) == frames*rows })
	mu.Lock()
	b.Transport.cfg.Tracker.(*tracker).tell(gearcore.AckDone, later...)
	mu.Unlock()
	await(t, "all rows have ended", func() bool { return ka.count() == frames*rows })
	ka.mu.Lock()
	for n, op := range want {
		if got := ka.settled[n]; len(got) != 1 || got[0] != op {
			t.Fatalf("row %d ended with %v, want %d", n, got, op)
		}
	}
	ka.mu.Unlock()
	l := o.lock()
	l.mu.Unlock()
	if l.dues.out.Len() != 0 || a.Stats().Disconnects.Load() == 0 {
		t.Errorf("%d rows are due after %d breaks", l.dues.out.Len(), a.Stats().Disconnects.Load())
	}
}

// hold is a receiver that settles nothing.
func hold(b *gearcore.Batch, _ *tracker) error { b.Done(b); return nil }

func allFailed(t *testing.T, k *tracker, n int) {
	t.Helper()
	await(t, "what was due fails", func() bool { return k.count() == n })
	k.mu.Lock()
	defer k.mu.Unlock()
	for r, ops := range k.settled {
		if !slices.Equal(ops, []gearcore.AckOp{gearcore.AckFail}) {
			t.Errorf("root %d: %v", r, ops)
		}
	}
}

func TestDueRowsFail(t *testing.T) {
	const n = 100
	send := func(t *testing.T, a, b *end) {
		a.Outlet(4).Push(tracked(4, 1, n))
		await(t, "rows arrive", func() bool { return b.Stats().TuplesIn.Load() == n })
	}
	t.Run("the process is gone", func(t *testing.T) {
		a, b, ka, kb, _ := pair(t, hold)
		a.to(b.Addr().String(), 4)
		send(t, a, b)
		if ka.count() != 0 {
			t.Error("rows end by themselves")
		}
		b.stop()
		allFailed(t, ka, n)
		if kb.books != 0 {
			t.Errorf("%d books are open at the end", kb.books)
		}
	})
	t.Run("another process answers", func(t *testing.T) {
		a, b, ka, _, p := pair(t, hold)
		send(t, a, b)
		other := start(t, "b2", func(c *Config) { c.Tracker = &tracker{} })
		p.mu.Lock()
		p.to = other.Addr().String()
		p.mu.Unlock()
		p.cut()
		allFailed(t, ka, n)
	})
	t.Run("the peer stays away", func(t *testing.T) {
		ka := &tracker{}
		a := start(t, "a", func(c *Config) { c.Tracker, c.PeerTimeout, c.TCPOnly = ka, 50*time.Millisecond, true })
		b := start(t, "b", func(c *Config) { c.Tracker = &tracker{} })
		p := newProxy(t, b.Addr().String())
		a.to(p.ln.Addr().String(), 4)
		send(t, a, b)
		p.mu.Lock()
		p.to = "127.0.0.1:1" // connections are taken and closed
		p.mu.Unlock()
		p.cut()
		allFailed(t, ka, n)
	})
	t.Run("the task moves and its former worker settles nothing", func(t *testing.T) {
		ka := &tracker{}
		a := start(t, "a", func(c *Config) { c.Tracker, c.PeerTimeout = ka, 50*time.Millisecond })
		b, c := start(t, "b", func(c *Config) { c.Tracker = &tracker{} }), start(t, "c", nil)
		a.to(b.Addr().String(), 4)
		send(t, a, b)
		a.to(c.Addr().String(), 4)
		allFailed(t, ka, n)
	})
	t.Run("nobody takes them", func(t *testing.T) {
		a, b, ka, _, _ := pair(t, func(*gearcore.Batch, *tracker) error { return errors.New("not here") })
		send(t, a, b)
		allFailed(t, ka, n)
	})
	t.Run("they cannot be sent", func(t *testing.T) {
		a, _, ka, _, _ := pair(t, hold)
		x := &gearcore.Batch{Layout: testLayout(), Target: 4, From: 1}
		for i := range uint64(n) {
			x.Append(0, 1, []gearcore.Value{gearcore.Obj(1)}, []gearcore.RootEdge{{Root: i, Edge: i + 1}})
		}
		a.Outlet(4).Push(x)
		allFailed(t, ka, n)
	})
}

// A reset goes back like other results, and leaves the row open.
func TestResetGoesBack(t *testing.T) {
	var roots []uint64
	var mu sync.Mutex
	a, _, ka, kb, _ := pair(t, func(b *gearcore.Batch, _ *tracker) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range b.Roots {
			roots = append(roots, r.Root)
		}
		b.Done(b)
		return nil
	})
	a.Outlet(4).Push(tracked(4, 1, 3))
	await(t, "rows arrive", func() bool { mu.Lock(); defer mu.Unlock(); return len(roots) == 3 })
	kb.tell(gearcore.AckReset, roots[1])
	await(t, "the reset arrives", func() bool { return ka.count() == 1 })
	kb.tell(gearcore.AckReset, roots[1])
	kb.tell(gearcore.AckDone, roots[1])
	await(t, "the end arrives", func() bool {
		ka.mu.Lock()
		defer ka.mu.Unlock()
		got := ka.settled[2]
		return len(got) > 1 && got[len(got)-1] == gearcore.AckDone
	})
	ka.mu.Lock()
	defer ka.mu.Unlock()
	if got := ka.settled[2]; !slices.Equal(got, []gearcore.AckOp{gearcore.AckReset, gearcore.AckReset, gearcore.AckDone}) {
		t.Errorf("the row was settled with %v", got)
	}
}

// Rows that nobody settles are forgotten at both ends.
func TestUnsettledRowsAreForgotten(t *testing.T) {
	ka, kb := &tracker{}, &tracker{}
	quick := func(c *Config) { c.MessageTimeout = 5 * time.Millisecond }
	a := start(t, "a", func(c *Config) { c.Tracker = ka; quick(c) })
	b := start(t, "b", func(c *Config) { c.Tracker = kb; quick(c) })
	a.to(b.Addr().String(), 4)
	o := a.Outlet(4)
	o.Push(tracked(4, 1, 1000))
	await(t, "rows arrive", func() bool { return b.Stats().TuplesIn.Load() == 1000 })
	l := o.lock()
	l.mu.Unlock()
	left := func() int {
		n := 0
		l.dues.mu.Lock()
		n += l.dues.out.Len()
		l.dues.mu.Unlock()
		b.eachEnd(nil, func(s *session) { s.proxies.mu.Lock(); n += s.proxies.set.Len(); s.proxies.mu.Unlock() })
		return n
	}
	await(t, "nothing is left", func() bool { return left() == 0 })
	if ka.count() != 0 {
		t.Errorf("%d rows were settled", ka.count())
	}
}

// Two workers without a tracker move tracked rows as any others.
func TestNoTracker(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	b.hold[4] = true
	a.to(b.Addr().String(), 4)
	a.Outlet(4).Push(tracked(4, 0, 10))
	await(t, "rows arrive", func() bool { return b.count() == 10 })
	inOrder(t, b.of(4), 10)
	b.sink.mu.Lock()
	defer b.sink.mu.Unlock()
	if got := b.held[0]; len(got.Roots) != 0 || len(got.Tuple(0).Roots()) != 0 {
		t.Error("rows are tracked by nobody")
	}
}

func TestResultFrames(t *testing.T) {
	rs := []ackers.Result{{Frame: 1, Done: 1}, {Frame: 1 << 60, At: 1<<32 - 1, Failed: 1 << 63}, {Frame: 300, At: 7, Done: 5, Failed: 8, Reset: 1<<64 - 1}}
	body := appendResults(nil, 9, rs)[frameHeader:]
	var got []ackers.Result
	n, err := parseResults(body, func(r ackers.Result) { got = append(got, r) })
	if number, _ := resultNumber(body); err != nil || n != 3 || number != 9 || !slices.Equal(got, rs) {
		t.Errorf("%d, %v: %+v, want %+v", n, err, got, rs)
	}
	long := make([]ackers.Result, resultsPerFrame)
	for i := range long {
		long[i] = ackers.Result{Frame: 1<<64 - 1, At: 1<<32 - 1, Done: 1, Failed: 1, Reset: 1}
	}
	if n := len(appendResults(nil, 1, long)); n > frameHeader+maxGrantBody {
		t.Errorf("a full result frame has %d bytes, more than %d", n, maxGrantBody)
	}
	for _, bad := range [][]byte{nil, {frameResults}, body[:8], body[:len(body)-1], append(slices.Clone(body), 1, 1, 0), append(slices.Clone(body), 1, 1, 8),
		append(slices.Clone(body), 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0),
		append(slices.Clone(body), 1, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 1, 0, 0, 0, 0, 0, 0, 0, 0)} {
		if _, err := parseResults(bad, func(ackers.Result) {}); !errors.Is(err, ErrFrame) {
			t.Errorf("% x: %v", bad, err)
		}
	}
}

func FuzzResults(f *testing.F) {
	f.Add(appendResults(nil, 1, []ackers.Result{{Frame: 1, Done: 1}, {Frame: 1 << 40, At: 3, Failed: 2, Reset: 4}})[frameHeader:])
	f.Add(appendConfirm(nil, 7)[frameHeader:])
	f.Add([]byte{frameResults, 0, 0, 0, 0, 0, 0, 0, 0, 0x80})
	f.Fuzz(func(t *testing.T, body []byte) {
		var rs []ackers.Result
		n, err := parseResults(body, func(r ackers.Result) { rs = append(rs, r) })
		if n != len(rs) {
			t.Fatalf("%d results, %d calls", n, len(rs))
		}
		if err != nil {
			return
		}
		number, err := resultNumber(body)
		if err != nil {
			t.Fatal(err)
		}
		var again []ackers.Result
		if _, err := parseResults(appendResults(nil, number, rs)[frameHeader:], func(r ackers.Result) { again = append(again, r) }); err != nil || !slices.Equal(again, rs) {
			t.Fatalf("%+v is read as %+v, %v", rs, again, err)
		}
		d := &dues{t: &Transport{}}
		d.take(body)
		d.tell()
	})
}

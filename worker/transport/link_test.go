package transport

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

func TestOrderAndOnce(t *testing.T) { overEach(t, orderAndOnce) }

func orderAndOnce(t *testing.T, change func(*Config)) {
	a, b := start(t, "a", change), start(t, "b", change)
	a.to(b.Addr().String(), 4, 5)
	b.to(a.Addr().String(), 2)
	const n = 3000
	var wg sync.WaitGroup
	for _, task := range []gearcore.TaskID{4, 5} {
		wg.Go(func() { pump(a.Outlet(task), task, 0, n) })
	}
	wg.Go(func() { pump(b.Outlet(2), 2, 0, n) })
	wg.Wait()
	await(t, "all tuples arrive", func() bool { return a.count() == n && b.count() == 2*n })
	inOrder(t, b.of(4), n)
	inOrder(t, b.of(5), n)
	inOrder(t, a.of(2), n)
	if !a.Ready() || !b.Ready() {
		t.Error("connected transports are not ready")
	}
	if s := a.Stats(); s.TuplesOut.Load() != 2*n || s.TuplesIn.Load() != n || s.LostTuples.Load() != 0 {
		t.Errorf("counted %d out, %d in, %d lost", s.TuplesOut.Load(), s.TuplesIn.Load(), s.LostTuples.Load())
	}
}

func TestSlowTargetHoldsBackItsSenderOnly(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	b.hold[4] = true
	a.to(b.Addr().String(), 4, 5)
	o, l := a.Outlet(4), testLayout()
	pushed := 0
	await(t, "the slow target's outlet fills up", func() bool {
		for o.HasRoom() {
			o.Push(batch(l, 4, strconv.Itoa(pushed)))
			pushed++
		}
		return b.count() == 10
	})
	for o.HasRoom() {
		o.Push(batch(l, 4, strconv.Itoa(pushed)))
		pushed++
	}
	if pushed != 18 {
		t.Errorf("%d batches are accepted, want 2 and 8 under way and 8 queued", pushed)
	}
	const n = 500
	pump(a.Outlet(5), 5, 0, n)
	await(t, "the other target goes on", func() bool { return b.count() == 10+n })
	if o.HasRoom() {
		t.Error("there is room for the slow target")
	}
	woken := make(chan struct{})
	o.Notify(func() { close(woken) })
	b.release()
	<-woken
	await(t, "the rest arrives", func() bool { return b.count() == pushed+n })
	inOrder(t, b.of(4), pushed)
	await(t, "all credit is back", func() bool {
		l := o.lock()
		defer l.mu.Unlock()
		return o.underWay() == 0 && l.flow.floating == 0
	})
}

func TestBytesUnderWayAreBounded(t *testing.T) {
	a, b := start(t, "a", func(c *Config) { c.TargetBytes = 100 << 10 }), start(t, "b", func(c *Config) { c.TargetBytes = 100 << 10 })
	b.hold[4] = true
	a.to(b.Addr().String(), 4)
	o, l, big := a.Outlet(4), testLayout(), strings.Repeat("x", 60<<10)
	for range 4 {
		o.Push(batch(l, 4, big))
	}
	if o.HasRoom() {
		t.Error("an outlet with 240 KiB has room")
	}
	await(t, "two batches arrive", func() bool { return b.count() == 2 })
	b.sink.mu.Lock()
	first := b.held[0]
	b.held = b.held[1:]
	b.sink.mu.Unlock()
	first.Done(first)
	await(t, "the next one arrives", func() bool { return b.count() == 3 })
	b.release()
	await(t, "the rest arrives", func() bool { return b.count() == 4 })
}

func TestRejectedRowIsToldOf(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	a.to(b.Addr().String(), 4)
	x := batch(testLayout(), 4, "0")
	x.Append(0, 1, []gearcore.Value{gearcore.Obj(1)}, nil)
	x.Append(0, 1, []gearcore.Value{gearcore.Str("1")}, nil)
	finished := make(chan struct{})
	x.Done = func(*gearcore.Batch) { close(finished) }
	o := a.Outlet(4)
	o.Push(x)
	<-finished
	only := &gearcore.Batch{Layout: testLayout(), Target: 4}
	only.Append(0, 1, []gearcore.Value{gearcore.Obj(1)}, nil)
	for range 20 { // more than there is credit: a batch that is not sent must not use any up
		o.Push(only)
	}
	o.Push(batch(testLayout(), 4, "2"))
	await(t, "the others arrive", func() bool { return b.count() == 3 })
	inOrder(t, b.of(4), 3)
	if a.lost.Load() != 21 || a.Stats().RejectedTuples.Load() != 21 {
		t.Errorf("%d rows told, %d counted, want 21", a.lost.Load(), a.Stats().RejectedTuples.Load())
	}
	a.errs.Range(func(_, err any) bool {
		if !errors.Is(err.(error), codec.ErrObject) || !strings.Contains(err.(error).Error(), "words") {
			t.Errorf("error is %v, want codec.ErrObject that names the component", err)
		}
		return true
	})
}

func TestCutConnectionsLoseAndRepeatNothing(t *testing.T) {
	a, b := start(t, "a", overTCP), start(t, "b", overTCP)
	p := newProxy(t, b.Addr().String())
	a.to(p.ln.Addr().String(), 4, 5)
	const n = 20000
	var wg sync.WaitGroup
	for _, task := range []gearcore.TaskID{4, 5} {
		wg.Go(func() { pump(a.Outlet(task), task, 0, n) })
	}
	for cut := 1; cut <= 20; cut++ {
		await(t, "traffic goes on", func() bool { return b.count() > cut*n/20 })
		p.cut()
	}
	wg.Wait()
	await(t, "all tuples arrive", func() bool { return b.count() >= 2*n })
	inOrder(t, b.of(4), n)
	inOrder(t, b.of(5), n)
	if a.lost.Load() != 0 || a.Stats().Disconnects.Load() == 0 {
		t.Errorf("%d lost, %d disconnects", a.lost.Load(), a.Stats().Disconnects.Load())
	}
}

func TestRestartedPeerStartsANewSession(t *testing.T) { overEach(t, restartedPeer) }

func restartedPeer(t *testing.T, change func(*Config)) {
	a, b := start(t, "a", change), start(t, "b", change)
	addr := b.Addr().String()
	b.hold[4] = true
	a.to(addr, 4)
	o, l := a.Outlet(4), testLayout()
	for i := range 14 {
		o.Push(batch(l, 4, strconv.Itoa(i)))
	}
	await(t, "credit is used up", func() bool { return b.count() == 10 })
	b.stop()
	b2 := start(t, "b2", func(c *Config) { c.Listen = addr })
	await(t, "what was queued arrives at the new one", func() bool { return b2.count() == 4 })
	if got := b2.of(4); got[0] != "10" || got[3] != "13" {
		t.Errorf("new process got %v", got)
	}
	pump(o, 4, 14, 100)
	await(t, "credit is whole again", func() bool { return b2.count() == 104 })
	if lost := a.lost.Load(); lost > 10 {
		t.Errorf("%d tuples told as lost, want at most those that were under way", lost)
	}
}

func TestGonePeersDataIsDroppedAndTold(t *testing.T) {
	a, b := start(t, "a", func(c *Config) { c.PeerTimeout = 50 * time.Millisecond }), start(t, "b", nil)
	addr := b.Addr().String()
	a.to(addr, 4)
	o, l := a.Outlet(4), testLayout()
	pump(o, 4, 0, 10)
	await(t, "the first arrive", func() bool { return b.count() == 10 })
	b.stop()
	await(t, "the link is down", func() bool { return !a.Ready() })
	var done atomic.Int64
	for i := range 8 {
		x := batch(l, 4, strconv.Itoa(i))
		x.Done = func(*gearcore.Batch) { done.Add(1) }
		o.Push(x)
	}
	woken := make(chan struct{})
	o.Notify(func() { close(woken) })
	<-woken
	await(t, "what is queued is dropped", func() bool { return a.lost.Load() == 8 && done.Load() == 8 })
	if !o.Push(batch(l, 4, "x")) {
		t.Error("the outlet of a peer that is gone holds back its senders")
	}
	a.errs.Range(func(_, err any) bool {
		if !errors.Is(err.(error), ErrPeerGone) {
			t.Errorf("told %v, want ErrPeerGone", err)
		}
		return true
	})
	b2 := start(t, "b", func(c *Config) { c.Listen = addr })
	await(t, "the peer is back", a.Ready)
	o.Push(batch(l, 4, "y"))
	await(t, "traffic goes on", func() bool { return b2.count() == 1 })
}

func TestMovedTaskTakesItsQueueAlong(t *testing.T) {
	a, b, c := start(t, "a", nil), start(t, "b", nil), start(t, "c", nil)
	o, l := a.Outlet(4), testLayout()
	for i := range 5 {
		o.Push(batch(l, 4, strconv.Itoa(i))) // no address yet
	}
	b.hold[4], b.hold[5] = true, true
	a.to(b.Addr().String(), 4, 5)
	await(t, "queued before there was an address", func() bool { return b.count() == 5 })
	for i := range 10 { // 3 credits of 4's and these use up the floating ones
		o.Push(batch(l, 4, strconv.Itoa(5+i)))
		a.Outlet(5).Push(batch(l, 5, strconv.Itoa(i)))
	}
	await(t, "credit is used up", func() bool { return b.count() == 12 })
	at := len(b.of(4))
	a.SetPeers(map[gearcore.TaskID]string{4: c.Addr().String(), 5: b.Addr().String()})
	await(t, "the rest arrives at the new place", func() bool { return len(c.of(4)) == 15-at })
	b.release()
	await(t, "the other task is not disturbed", func() bool { return len(b.of(5)) == 10 })
	a.SetPeers(map[gearcore.TaskID]string{4: c.Addr().String(), 5: c.Addr().String()})
	pump(a.Outlet(5), 5, 10, 50)
	await(t, "the second task follows", func() bool { return len(c.of(5)) == 50 && a.Ready() })
}

func TestOlderAssignmentIsRefused(t *testing.T) {
	for _, c := range []struct {
		name           string
		dials, accepts int64
	}{{"dialler is older", 1, 2}, {"acceptor is older", 2, 1}} {
		t.Run(c.name, func(t *testing.T) {
			a := start(t, "a", func(cfg *Config) { cfg.Assignment.Epoch, cfg.TCPOnly = c.dials, true })
			b := start(t, "b", func(cfg *Config) { cfg.Assignment.Epoch = c.accepts })
			a.to(b.Addr().String(), 4)
			o := a.Outlet(4)
			o.Push(batch(testLayout(), 4, "0"))
			await(t, "several dials", func() bool {
				return b.Stats().HandshakesRefused.Load() > 2 || b.Stats().Sessions.Load() > 0 && c.dials == 2
			})
			if b.count() != 0 || a.Ready() {
				t.Fatal("a link between two assignment epochs works")
			}
			a.SetAssignment(Assignment{ID: "2-1", Epoch: 2})
			b.SetAssignment(Assignment{ID: "2-1", Epoch: 2})
			await(t, "the link works once both know the assignment", func() bool { return b.count() == 1 })
			b.SetAssignment(Assignment{ID: "3-1", Epoch: 3})
			await(t, "the connection of the older epoch is cut", func() bool { return !a.Ready() })
			o.Push(batch(testLayout(), 4, "1"))
			a.SetAssignment(Assignment{ID: "3-1", Epoch: 3})
			await(t, "the session goes on", func() bool { return b.count() == 2 })
			inOrder(t, b.of(4), 2)
		})
	}
}

func TestPeersThatDiffer(t *testing.T) {
	b := start(t, "b", nil)
	for _, c := range []struct {
		name   string
		change func(*Config)
	}{
		{"secret", func(c *Config) { c.Secret = []byte(strings.Repeat("x", 32)) }},
		{"topology", func(c *Config) { c.TopologyID = "other-1-1" }},
		{"layout", func(c *Config) { c.Layout = &gearcore.Layout{Streams: testLayout().Streams[:2]} }},
		{"version of the graph", func(c *Config) { c.Graph = 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := b.Stats().HandshakesRefused.Load()
			a := start(t, "a", c.change)
			a.to(b.Addr().String(), 4)
			a.Outlet(4).Push(batch(testLayout(), 4, "0"))
			await(t, "the link is refused", func() bool { return b.Stats().HandshakesRefused.Load() > before+1 })
			if a.Ready() || b.count() != 0 {
				t.Error("the link works")
			}
		})
	}
}

func TestSilentPeerIsNoticed(t *testing.T) {
	a, b := start(t, "a", func(c *Config) { c.IdleTimeout = 100 * time.Millisecond }), start(t, "b", nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	// The stranger shakes hands like a peer and then says nothing.
	var conns atomic.Int64
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			tr, _, err := acceptHandshake(c, testSecret)
			if err != nil {
				c.Close()
				continue
			}
			self := b.identity()
			tr.writeProof(c, labelAccept, appendWelcome(nil, &welcome{self: self, maxFrame: 1 << 20, win: window{2, 8, 1 << 20}}))
		}
	}()
	a.to(ln.Addr().String(), 4)
	await(t, "silence ends the connection", func() bool { return conns.Load() > 1 && a.Stats().Disconnects.Load() > 0 })
	idle := start(t, "idle", func(c *Config) { c.IdleTimeout = 2 * time.Second }) // which a busy machine does not take for a pause
	idle.to(b.Addr().String(), 4)
	await(t, "link is up", idle.Ready)
	before := b.Stats().BytesIn.Load()
	await(t, "an idle link is kept up by pings", func() bool { return b.Stats().BytesIn.Load() >= before+6*9 })
	if idle.Stats().Disconnects.Load() != 0 {
		t.Error("an idle link broke")
	}
}

func TestNewConnectionTakesTheSessionOver(t *testing.T) {
	b := start(t, "b", nil)
	self := b.identity()
	self.worker, self.session = "a", 77
	var old net.Conn
	for i := range 3 {
		c, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		w, err := dialHandshake(c, testSecret, &self)
		if err != nil || w.resumed != (i > 0) || w.received != uint64(i) {
			t.Fatalf("connection %d: resumed %v after %d frames, %v", i, w.resumed, w.received, err)
		}
		if old != nil {
			old.SetReadDeadline(time.Now().Add(10 * time.Second))
			for buf := make([]byte, 256); ; {
				if _, err := old.Read(buf); err != nil {
					var ne net.Error
					if errors.As(err, &ne) && ne.Timeout() {
						t.Fatal("the connection before stays open")
					}
					break
				}
			}
		}
		buf, _, _, _ := appendData(nil, uint64(i+1), batch(testLayout(), 4, strconv.Itoa(i)), 0, 1<<20, nil)
		sum(buf)
		c.Write(buf)
		await(t, "frame arrives", func() bool { return b.count() == i+1 })
		old = c
	}
	if b.Stats().Sessions.Load() != 1 {
		t.Errorf("%d sessions", b.Stats().Sessions.Load())
	}
}

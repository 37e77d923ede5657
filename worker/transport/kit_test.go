package transport

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

var testSecret = []byte("0123456789abcdef0123456789abcdef")

// sink is a receiver's Deliver: it notes what came, in order, and calls Done when told to hold nothing.
type sink struct {
	mu   sync.Mutex
	got  []string
	hold map[gearcore.TaskID]bool
	held []*gearcore.Batch
}

func (s *sink) deliver(b *gearcore.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.Rows {
		s.got = append(s.got, fmt.Sprint(b.Target, ":", b.Tuple(i).String(0)))
	}
	if s.hold[b.Target] {
		s.held = append(s.held, b)
	} else {
		b.Done(b)
	}
	return nil
}

func (s *sink) count() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.got) }

// release stops holding and finishes what was held.
func (s *sink) release() {
	s.mu.Lock()
	held := s.held
	s.hold, s.held = nil, nil
	s.mu.Unlock()
	for _, b := range held {
		b.Done(b)
	}
}

// of returns what came for a task.
func (s *sink) of(task int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, g := range s.got {
		if v, ok := strings.CutPrefix(g, strconv.Itoa(task)+":"); ok {
			out = append(out, v)
		}
	}
	return out
}

// end is a transport under test, running until stop or the end of the test.
type end struct {
	*Transport
	*sink
	lost atomic.Int64
	errs sync.Map
	stop func()
}

func start(t testing.TB, worker string, change func(*Config)) *end {
	t.Helper()
	e := &end{sink: &sink{hold: map[gearcore.TaskID]bool{}}}
	cfg := Config{
		Secret: testSecret, TopologyID: "topo-1-1", WorkerID: worker, Assignment: Assignment{ID: "1-1", Epoch: 1}, Listen: "127.0.0.1:0",
		Layout: testLayout(), Deliver: e.deliver, FloatingBatches: 8, PeerTimeout: time.Minute, MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
		Lost: func(b *gearcore.Batch, err error) { e.lost.Add(int64(len(b.Rows))); e.errs.Store(err.Error(), err) },
	}
	if change != nil {
		change(&cfg)
	}
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Transport = tr
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	e.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("transport of %s ends with %v", worker, err)
		}
	})
	t.Cleanup(e.stop)
	return e
}

func (e *end) to(other string, tasks ...gearcore.TaskID) {
	m := map[gearcore.TaskID]string{}
	for _, task := range tasks {
		m[task] = other
	}
	e.SetPeers(m)
}

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func batch(l *gearcore.Layout, target gearcore.TaskID, texts ...string) *gearcore.Batch {
	b := &gearcore.Batch{Layout: l, Target: target, From: 1}
	for _, s := range texts {
		b.Append(0, 1, []gearcore.Value{gearcore.Str(s)}, []gearcore.RootEdge{{Root: 7, Edge: 9}})
	}
	return b
}

// pump pushes n batches of one numbered row to a target, waiting for room like an executor.
func pump(o *Outlet, target gearcore.TaskID, from, n int) {
	l := testLayout()
	for i := from; i < from+n; i++ {
		if !o.Push(batch(l, target, strconv.Itoa(i))) {
			room := make(chan struct{})
			o.Notify(func() { close(room) })
			<-room
		}
	}
}

func inOrder(t *testing.T, got []string, n int) {
	t.Helper()
	if len(got) != n {
		t.Errorf("%d tuples, want %d", len(got), n)
	}
	for i, g := range got {
		if g != strconv.Itoa(i) {
			t.Fatalf("tuple %d is %s", i, g)
		}
	}
}

// proxy relays connections until they are cut.
type proxy struct {
	ln   net.Listener
	to   string
	mu   sync.Mutex
	open map[net.Conn]bool

	dials int             // guarded by mu
	deaf  func(bool) bool // guarded by mu: drops what comes from the dialler (true) or goes to it; may be nil
}

func newProxy(t testing.TB, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, to: to, open: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.relay(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); p.cut(); wg.Wait() })
	return p
}

func (p *proxy) relay(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	p.dials++
	to := p.to
	p.mu.Unlock()
	d, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer d.Close()
	p.mu.Lock()
	p.open[c], p.open[d] = true, true
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, w := range [][2]net.Conn{{c, d}, {d, c}} {
		wg.Go(func() {
			buf := make([]byte, 4096)
			for {
				n, err := w[0].Read(buf)
				if err != nil {
					w[1].Close()
					return
				}
				p.mu.Lock()
				drop := p.deaf != nil && p.deaf(w[0] == c)
				p.mu.Unlock()
				if drop {
					continue
				}
				if _, err := w[1].Write(buf[:n]); err != nil {
					w[0].Close()
					return
				}
			}
		})
	}
	wg.Wait()
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
	clear(p.open)
}

// kinds are the ways that two workers of one host can be connected.
var kinds = []struct {
	name   string
	change func(*Config)
}{{"tcp", overTCP}, {"unix", func(c *Config) { c.NoRing = true }}, {"ring", nil}}

func overTCP(c *Config) { c.TCPOnly = true }

// overEach runs f once for each kind of connection.
func overEach(t *testing.T, f func(t *testing.T, change func(*Config))) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { f(t, k.change) })
	}
}

package worker

import (
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
)

// cable relays connections to an address until it is pulled out.
type cable struct {
	to   string
	mu   sync.Mutex
	out  bool
	open map[net.Conn]bool
}

func newCable(t *testing.T, port int, to string) *cable {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{to: to, open: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { c.relay(conn) })
		}
	})
	t.Cleanup(func() { ln.Close(); c.pull(); wg.Wait() })
	return c
}

// holds notes conns as open, or closes them when the cable is out.
func (c *cable) holds(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		if c.out {
			conn.Close()
		}
		c.open[conn] = true
	}
	return !c.out
}

func (c *cable) relay(conn net.Conn) {
	defer conn.Close()
	if !c.holds(conn) {
		return
	}
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !c.holds(far) {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(far, conn); far.Close() })
	wg.Go(func() { io.Copy(conn, far); conn.Close() })
	wg.Wait()
}

// pull cuts all connections and lets no new ones through until plugged in.
func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = true
	for conn := range c.open {
		conn.Close()
	}
	clear(c.open)
}

func (c *cable) plugIn() {
	c.mu.Lock()
	c.out = false
	c.mu.Unlock()
}

// TestTwoSecondsWithoutAConnection takes the network away for two seconds while a spout emits as fast as it can and
// nothing is acked: every tuple arrives once and in order.
func TestTwoSecondsWithoutAConnection(t *testing.T) {
	var sent, got, wrong atomic.Int64
	var stop atomic.Bool
	tb := storm.NewTopologyBuilder().Ackers(0).AddConfig("gearstorm.transport.unix", false)
	tb.SetSpout("words", storm.SpoutFunc(func(c *storm.Collector) error {
		if stop.Load() {
			return storm.ErrIdle
		}
		c.Emit(gearcore.Long(sent.Add(1)-1), "a text of some length that takes its place in the frame")
		return nil
	}), 1).Fields("n", "word")
	tb.SetBolt("sink", storm.BoltFunc(func(in storm.Tuple, _ storm.Emitter) error {
		if n := got.Add(1) - 1; in.Int(0) != n {
			wrong.Add(1)
		}
		return nil
	}), 1).ShuffleGrouping("words")
	topo, err := tb.Build()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	far := "127.0.0.1:" + strconv.Itoa(ports[2])
	wire := newCable(t, ports[1], far)
	c := newCluster(t, topo, map[int][][2]int64{ports[0]: {{2, 2}}, ports[1]: {{1, 1}}}) // words 2, sink 1
	c.start(ports[0])
	c.startOn(ports[1], far)
	await(t, "tuples go through", func() bool { return got.Load() > 20_000 })
	wire.pull()
	before := got.Load()
	<-time.After(2 * time.Second)
	if d := got.Load() - before; d > 100_000 {
		t.Errorf("%d tuples came with the cable out", d)
	}
	wire.plugIn()
	await(t, "tuples go through again", func() bool { return got.Load() > before+100_000 })
	stop.Store(true)
	await(t, "all are there", func() bool { return got.Load() >= sent.Load() })
	if got.Load() != sent.Load() || wrong.Load() != 0 {
		t.Errorf("%d tuples sent, %d arrived, %d of them out of order", sent.Load(), got.Load(), wrong.Load())
	}
}

package transport

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// stingy is a connection that takes few bytes at once, and all of them from who waits.
type stingy struct {
	net.Conn
	mu      sync.Mutex
	got     []byte // guarded by mu
	written writes // guarded by mu
	takes   int
}

// writes counts those by who waits, and whole ones by who does not.
type writes struct{ waiting, quick int }

func (c *stingy) count() writes { c.mu.Lock(); defer c.mu.Unlock(); return c.written }

func (c *stingy) SetWriteDeadline(time.Time) error { return nil }

func (c *stingy) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, p...)
	c.written.waiting++
	return len(p), nil
}

func (c *stingy) writeNow(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(p), c.takes)
	if c.got = append(c.got, p[:n]...); n == len(p) {
		c.written.quick++
	}
	return n, nil
}

// granted returns the last total that whole frames told; a frame that was torn fails the test.
func (c *stingy) granted(t *testing.T) (total uint64) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for rest := c.got; ; {
		body, tail, _, err := nextFrame(rest, maxGrantBody, false)
		if err != nil {
			t.Fatal(err)
		}
		if body == nil {
			return total
		}
		rest = tail
		if _, err := parseGrants(body, func(g grant) { total = g.processed }); err != nil {
			t.Fatal(err)
		}
	}
}

// TestQuickReplies tells of batches from this goroutine over connections that take all, a part, or nothing at once.
func TestQuickReplies(t *testing.T) {
	const batches = 200
	for _, takes := range []int{0, 1, 20, 1 << 20} {
		e := start(t, "w", nil)
		s, _ := e.session(&identity{worker: "v", session: 1, process: 1})
		c, stop, stopped := &stingy{takes: takes}, make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			s.writeReplies(stream{Conn: c, kind: "test"}, stop)
		}()
		await(t, "the greeting", func() bool { return c.count().waiting > 0 })
		for range batches {
			s.arrived(gearcore.TaskID(1))
			s.finish(1, 10, nil)
			s.tellQuick()
		}
		await(t, "all batches to be granted", func() bool { return c.granted(t) == batches })
		if takes > 1000 {
			await(t, "a reply that nobody waited for", func() bool { s.tellQuick(); return c.count().quick > 0 })
		} else if n := c.count().quick; n > 0 {
			t.Errorf("a connection that takes %d bytes at once took %d replies so", takes, n)
		}
		close(stop)
		<-stopped
		if s.writeQuick() {
			t.Error("a reply was written after the end of the connection")
		}
	}
}

package engine

import (
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

func TestPauseOfASource(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name                   string
		quiet, wait, max, from time.Duration // from: the clock
		least, most            time.Duration
	}{
		{"it had something just now", 0, ms, 32 * ms, 12345, ms, ms},
		{"still short", 32 * ms, ms, 32 * ms, 12345, ms, ms},
		{"longer", 320 * ms, ms, 32 * ms, 12345, 7 * ms, 10 * ms},
		{"at most", time.Hour, ms, 32 * ms, 12345, 24 * ms, 32 * ms},
		{"at most what is asked for", time.Hour, ms, 3 * ms, 12345, 2 * ms, 3 * ms},
		{"never shorter than the wait", time.Hour, 100 * ms, 32 * ms, 12345, 100 * ms, 100 * ms},
		{"never longer", time.Hour, ms, 1, 12345, ms, ms},
		{"a short wait grows as well", 320 * ms, 10 * time.Microsecond, 32 * ms, 12345, 7 * ms, 10 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := &executor{spouting: &spouting{}, run: &run{}, e: &Engine{cfg: Config{SpoutWaitMax: c.max}}}
			x.now, x.spoutWait = c.from, c.wait
			if got := x.pause(c.quiet); got < c.least || got > c.most {
				t.Errorf("%v, want %v to %v", got, c.least, c.most)
			}
		})
	}
	ends := map[time.Duration]bool{}
	for i := range 100 {
		x := &executor{spouting: &spouting{}, run: &run{}, e: &Engine{cfg: Config{SpoutWaitMax: 32 * ms}}}
		x.now, x.spoutWait = time.Duration(i)*80*time.Microsecond, ms
		ends[x.now+x.pause(time.Hour)] = true
	}
	if len(ends) > 2 {
		t.Errorf("100 sources that pause within 8 ms are asked at %d different times", len(ends))
	}
}

// polled is a source that counts how often it is asked, and has nothing until it is told so.
type polled struct {
	counter
	n int
}

func (s *polled) Next(c *gearcore.Collector) error {
	s.n++
	return s.counter.Next(c)
}

// TestIdleSourceIsAskedLessAndLess runs a source that has nothing for a second, and then an ack for it.
func TestIdleSourceIsAskedLessAndLess(t *testing.T) {
	top := newTopology(1)
	src := &polled{}
	src.limit, src.track = 1, true
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	var held gearcore.Tuple
	var async *gearcore.Async
	top.add("sink", dag.Bolt, 1, 1, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error {
		held, async = tp, c.Async()
		return nil
	}), from("src", dag.Shuffle))
	d, clock := newDriver(t, top.config(t))
	askedIn := func(from, until time.Duration) int {
		clock.advance(t, d, from)
		src.n = 0
		clock.advance(t, d, until)
		return src.n
	}
	if n := askedIn(0, 32*time.Millisecond); n < 25 || n > 40 {
		t.Errorf("asked %d times in the first 32 ms", n)
	}
	if n := askedIn(2*time.Second, 3*time.Second); n < 31 || n > 63 {
		t.Errorf("asked %d times in the third second", n)
	}
	now := 3 * time.Second
	if err := async.Ack(held); err != nil {
		t.Fatal(err)
	}
	settle(t, d)
	if n := askedIn(now, now+2*time.Millisecond); n == 0 {
		t.Error("not asked soon after an ack")
	}
	if src.acked.Load() != 1 {
		t.Error("the ack did not come")
	}
}

package jvmhost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// oneBook is an Engine with one book.
type oneBook struct {
	counts *ackers.Counts
	owner  func([]gearcore.Ack)
	closed bool
}

func (b *oneBook) OpenBook(c *ackers.Counts, owner func([]gearcore.Ack)) uint64 {
	b.counts, b.owner = c, owner
	return 7
}

func (b *oneBook) CloseBook(id uint64) { b.closed = id == 7 }

// returned returns what a channel would tell Java of exports since it was asked last, as "op first+n".
func returned(t *testing.T, ch *channel) (all []string) {
	t.Helper()
	for buf := ch.out; len(buf) > 0; {
		kind, body, rest, _, err := nextFrame(buf)
		if err != nil {
			t.Fatal(err)
		}
		if buf = rest; kind == frameReturned {
			all = append(all, fmt.Sprintf("%d %d+%d", body[0], binary.LittleEndian.Uint64(body[1:]), binary.LittleEndian.Uint32(body[9:])))
		}
	}
	ch.out, ch.tail = nil, 0
	return all
}

// What leaves Java with trees that stay there is told of once, by its number, and not before the last receiver is done.
func TestExports(t *testing.T) {
	b := &oneBook{}
	ch := newChannel(&task{ctx: &gearcore.Context{Task: 1}}, nil, nil)
	x := newExports(b, ch, time.Second)
	now := time.Now()
	root := func(i int) uint64 {
		roots := x.tuple(i).Roots()
		if len(roots) != 1 || roots[0].Edge != 7 {
			t.Fatalf("tuple %d has roots %v", i, roots)
		}
		return roots[0].Root
	}
	is := func(when string, want ...string) {
		t.Helper()
		if got := returned(t, ch); !slices.Equal(got, want) {
			t.Errorf("%s: Java hears %q, want %q", when, got, want)
		}
	}
	end := func(op gearcore.AckOp, roots ...uint64) {
		var acks []gearcore.Ack
		for _, r := range roots {
			if op != gearcore.AckDone || b.counts.Release(r) {
				acks = append(acks, gearcore.Ack{Root: r, Op: op})
			}
		}
		b.owner(acks)
	}

	x.open(70, now)
	var roots []uint64
	for i := range 70 {
		roots = append(roots, root(i))
		b.counts.Add(roots[i], 1) // a receiver
		x.sent(i)
	}
	is("sent to one each")
	end(gearcore.AckDone, roots[:66]...)
	is("most are done", "1 1+66")
	end(gearcore.AckReset, roots[66])
	end(gearcore.AckFail, roots[66], roots[67], roots[0])
	is("two fail, and one that was done", "3 67+1", "2 67+2")

	b.counts.Add(roots[69], 1)
	end(gearcore.AckDone, roots[69])
	is("one of two receivers is done")
	end(gearcore.AckDone, roots[69])
	is("the other one too", "1 70+1")

	x.open(2, now)
	x.sent(0) // nobody gets it
	is("sent to nobody", "1 71+1")

	x.open(1, now)
	b.counts.Add(root(0), 1)
	held := root(0)
	x.sent(0)
	for i := range 6 {
		x.open(1, now.Add(time.Duration(2*i+2)*time.Second))
		end(gearcore.AckReset, held)
		is("reset", "3 73+1")
	}
	end(gearcore.AckDone, held)
	is("done after many timeouts", "1 73+1")
	if n := x.proxies.Len(); n > 4 || len(x.told) > 8 {
		t.Errorf("after many timeouts %d rows and %d pages are kept", n, len(x.told))
	}
	if x.close(); !b.closed {
		t.Error("the book is still open")
	}
}

// counted is hooks that write down what they are told.
type counted struct {
	gearcore.Hooks
	all []string
}

func (c *counted) Emitted(id gearcore.TaskID, s gearcore.StreamID, n, transferred int) {
	c.all = append(c.all, fmt.Sprint("emitted ", id, s, n, transferred))
}

func (c *counted) Executed(id gearcore.TaskID, s gearcore.StreamID, n int, busy time.Duration, sampled int) {
	c.all = append(c.all, fmt.Sprint("executed ", id, s, n, busy, sampled))
}

func (c *counted) Acked(id gearcore.TaskID, s gearcore.StreamID, n int) {
	c.all = append(c.all, fmt.Sprint("acked ", id, s, n))
}

func (c *counted) Failed(id gearcore.TaskID, s gearcore.StreamID, n int) {
	c.all = append(c.all, fmt.Sprint("failed ", id, s, n))
}

func (c *counted) Took(id gearcore.TaskID, s gearcore.StreamID, n int, d time.Duration) {
	c.all = append(c.all, fmt.Sprint("took ", id, s, n, d))
}

// What Java counted reaches the hooks; what it cannot have counted gives the process up.
func TestCounts(t *testing.T) {
	hooks := &counted{}
	host := &Host{hooks: hooks}
	task := &task{host: host, ctx: &gearcore.Context{Task: 3, Layout: &gearcore.Layout{Streams: make([]gearcore.Stream, 2)}}}
	count := func(body ...byte) error {
		rp := &reply{}
		if err := rp.add(frameStats, body, 0, &gearcore.Chunk{}); err != nil {
			return err
		}
		return task.count(rp.stats)
	}
	if err := count(1, 1, 5, 6, 0, 2, 0, 4, 100, 4, 3, 0, 4, 0, 0, 4, 0, 1, 0, 0, 5, 0, 2, 99, 0); err != nil {
		t.Fatal(err)
	}
	want := []string{"emitted 3 1 5 6", "executed 3 0 4 100ns 4", "acked 3 0 4", "failed 3 0 1", "took 3 0 2 99ns"}
	if !slices.Equal(hooks.all, want) {
		t.Errorf("hooks heard %q, want %q", hooks.all, want)
	}
	for name, body := range map[string][]byte{
		"a kind that is none":        {6, 0, 1, 0, 0},
		"a stream that is none":      {1, 2, 1, 1, 0},
		"half of a count":            {1, 0, 1},
		"more tuples than there are": {3, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0},
	} {
		if err := count(body...); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The process hears who is local once for every change, and a task that is not any more holds something until Java says left.
func TestLocal(t *testing.T) {
	h := &Host{changed: make(chan struct{}, 1), tasks: map[uint64]*attached{}}
	told := 0
	h.Local([]gearcore.TaskID{1, 2})
	if line := h.localLine(&told); line != "" {
		t.Errorf("without an engine Java hears %q", line)
	}
	h.Bind(&oneBook{}, nil)
	h.Local([]gearcore.TaskID{2, 5})
	b := &Bolt{task: task{host: h, ctx: &gearcore.Context{Task: 5, Layout: &gearcore.Layout{}}, cur: &channel{}}, hs: handles{first: 1}}
	h.attach(&b.task)
	if line := h.localLine(&told); line != "local 2,5\n" || b.Holding() {
		t.Errorf("Java hears %q; holding %v", line, b.Holding())
	}
	h.Local([]gearcore.TaskID{2})
	if line := h.localLine(&told); line != "local 2\n" || !b.Holding() {
		t.Errorf("Java hears %q; holding %v", line, b.Holding())
	}
	if line := h.localLine(&told); line != "" {
		t.Errorf("Java hears %q again", line)
	}
	rp := &reply{}
	if err := rp.add(frameLeft, nil, 0, &gearcore.Chunk{}); err != nil {
		t.Fatal(err)
	}
	if err := b.begin(rp); err != nil || b.Holding() {
		t.Errorf("after left: %v, holding %v", err, b.Holding())
	}
	h.Local([]gearcore.TaskID{2, 5})
	if err := b.begin(rp); err != nil { // said before Java heard of that
		t.Error(err)
	}
	h.Local([]gearcore.TaskID{2})
	if !b.Holding() {
		t.Error("a task that came back and leaves again holds nothing before Java says left again")
	}
}

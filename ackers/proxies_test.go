package ackers

import (
	"math/rand/v2"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// wire is a sender and a receiver under test: rows travel, results come back in numbered messages that breaks lose.
type wire struct {
	t       *testing.T
	rnd     *rand.Rand
	out     Outstanding
	in      Proxies
	seq     uint64
	taken   uint64 // number of the last message the sender took
	under   [][]Result
	numbers []uint64
	at      map[uint64][2]uint64 // proxy root -> roots of the row
	holds   []uint64             // proxy roots not settled
	want    map[uint64]gearcore.AckOp
	got     map[uint64]gearcore.AckOp
	resets  map[uint64]int
}

// send makes a frame of n rows, some of which are tracked, with one or two roots.
func (w *wire) send(n int) {
	w.seq++
	b := &gearcore.Batch{}
	for range n {
		var roots []gearcore.RootEdge
		for range w.rnd.IntN(3) {
			roots = append(roots, gearcore.RootEdge{Root: w.rnd.Uint64() | 1, Edge: 5})
		}
		b.Append(0, 1, nil, roots)
	}
	from, to := w.rnd.IntN(2), len(b.Rows)
	skip := w.rnd.IntN(2 * n)
	w.out.Sent(w.seq, b, from, to, func(row int) bool { return row == skip })
	var rows [][2]uint64
	for i := from; i < to; i++ {
		if r := b.Tuple(i).Roots(); i != skip && len(r) > 0 {
			two := [2]uint64{r[0].Root}
			if len(r) > 1 {
				two[1] = r[1].Root
			}
			rows = append(rows, two)
		}
	}
	proxies := make([]gearcore.RootEdge, len(rows))
	w.in.Open(w.seq, 9, proxies)
	for i, p := range proxies {
		if _, was := w.at[p.Root]; was || p.Edge != 9 {
			w.t.Fatalf("proxy %v comes twice", p)
		}
		w.at[p.Root] = rows[i]
		w.holds = append(w.holds, p.Root)
	}
}

// settle ends a random row, twice, or makes it young.
func (w *wire) settle() {
	if len(w.holds) == 0 {
		return
	}
	i := w.rnd.IntN(len(w.holds))
	root := w.holds[i]
	if w.rnd.IntN(5) == 0 {
		w.in.Settle(root, gearcore.AckReset)
		for _, r := range w.at[root] {
			w.resets[r]++
		}
		return
	}
	w.holds[i] = w.holds[len(w.holds)-1]
	w.holds = w.holds[:len(w.holds)-1]
	op := gearcore.AckDone
	if w.rnd.IntN(4) == 0 {
		op = gearcore.AckFail
	} else if !w.in.Release(root) {
		w.t.Fatalf("the only holder of proxy %x is not the last one", root)
	}
	w.in.Settle(root, op)
	w.in.Settle(root, gearcore.AckFail)
	w.in.Settle(root, gearcore.AckDone)
	for _, r := range w.at[root] {
		if r != 0 {
			w.want[r] = op
		}
	}
}

// tell sets a message out.
func (w *wire) tell() {
	number, rs := w.in.Next(nil, 1+w.rnd.IntN(3))
	if number > 0 {
		w.under, w.numbers = append(w.under, rs), append(w.numbers, number)
	} else if len(rs) > 0 || w.in.Fresh() {
		w.t.Fatal("results without a number")
	}
}

// arrive takes the oldest message.
func (w *wire) arrive() {
	if len(w.under) == 0 {
		return
	}
	if w.numbers[0] != w.taken+1 {
		w.t.Fatalf("message %d after %d", w.numbers[0], w.taken)
	}
	w.taken = w.numbers[0]
	for _, r := range w.under[0] {
		for _, a := range w.out.Settle(r, nil) {
			if a.Val != 5 {
				w.t.Fatalf("%+v is of another book", a)
			}
			if a.Op == gearcore.AckReset {
				w.resets[a.Root]--
				continue
			}
			if _, was := w.got[a.Root]; was {
				w.t.Fatalf("root %x ended twice", a.Root)
			}
			w.got[a.Root] = a.Op
		}
	}
	w.under, w.numbers = w.under[1:], w.numbers[1:]
	if w.rnd.IntN(2) == 0 {
		w.in.Confirm(w.taken)
	}
}

// pause breaks the connection.
func (w *wire) pause() {
	w.under, w.numbers = nil, nil
	w.in.Resume(w.taken)
}

func TestResultsComeBackOnce(t *testing.T) {
	for seed := range uint64(300) {
		w := &wire{t: t, rnd: rand.New(rand.NewPCG(seed, 3)), at: map[uint64][2]uint64{}, want: map[uint64]gearcore.AckOp{}, got: map[uint64]gearcore.AckOp{}, resets: map[uint64]int{}}
		for range 600 {
			switch w.rnd.IntN(12) {
			case 0:
				w.send(1 + w.rnd.IntN(200))
			case 1, 2:
				w.tell()
			case 3, 4:
				w.arrive()
			case 5:
				if w.rnd.IntN(8) == 0 {
					w.pause()
				}
			default:
				for range 1 + w.rnd.IntN(20) {
					w.settle()
				}
			}
		}
		for len(w.holds) > 0 {
			w.settle()
		}
		for w.in.Fresh() || len(w.under) > 0 {
			w.tell()
			w.arrive()
		}
		w.in.Confirm(w.taken)
		for r, op := range w.want {
			if w.got[r] != op {
				t.Fatalf("seed %d: root %x ended with %d, want %d", seed, r, w.got[r], op)
			}
		}
		if len(w.got) != len(w.want) || w.out.Len() != 0 || len(w.out.frames) != 0 || w.in.Len() != 0 {
			t.Fatalf("seed %d: %d roots ended, want %d; left are %d rows in %d frames, %d proxies", seed, len(w.got), len(w.want), w.out.Len(), len(w.out.frames), w.in.Len())
		}
		if w.in.vacant.len() != len(w.in.pages) || w.in.told.len() != 0 {
			t.Fatalf("seed %d: %d of %d pages are free at the end", seed, w.in.vacant.len(), len(w.in.pages))
		}
	}
}

// What nobody settles is forgotten with the third rotation, without a word; what was young lives longer.
func TestForgottenAfterThreeTimeouts(t *testing.T) {
	var out Outstanding
	var in Proxies
	roots := make([]gearcore.RootEdge, 100)
	in.Open(1, 9, roots)
	b := &gearcore.Batch{}
	for i := range roots {
		b.Append(0, 1, nil, []gearcore.RootEdge{{Root: uint64(i + 1)}})
	}
	out.Sent(1, b, 0, len(roots), nil)
	in.Settle(roots[0].Root, gearcore.AckDone)
	in.Settle(roots[99].Root, gearcore.AckFail)
	for i, want := range []int{98, 98, 35, 0} {
		if i == 1 {
			in.Settle(roots[98].Root, gearcore.AckReset) // of the second page
		}
		in.Rotate()
		if in.Len() != want {
			t.Fatalf("after %d rotations there are %d proxies, want %d", i+1, in.Len(), want)
		}
	}
	if in.Fresh() || in.vacant.len() != len(in.pages) {
		t.Error("there is something to tell about rows that are forgotten")
	}
	in.Settle(roots[5].Root, gearcore.AckDone)
	if in.Fresh() {
		t.Error("a forgotten proxy is alive")
	}
	for i, want := range []int{100, 100, 0} {
		if out.Rotate(); out.Len() != want {
			t.Fatalf("after %d rotations %d rows are outstanding, want %d", i+1, out.Len(), want)
		}
	}
	if acks := out.Fail(nil); len(acks) != 0 {
		t.Errorf("forgotten rows fail: %v", acks)
	}
}

func TestLostPeerFailsWhatIsOutstanding(t *testing.T) {
	var out Outstanding
	b := &gearcore.Batch{}
	for i := range 130 {
		b.Append(0, 1, nil, []gearcore.RootEdge{{Root: uint64(i + 1), Edge: 7}})
	}
	out.Sent(1, b, 0, 130, nil)
	out.Sent(2, b, 0, 10, nil)
	out.Settle(Result{Frame: 1, At: 0, Done: 1<<63 | 1}, nil)
	out.Settle(Result{Frame: 1, At: 2, Failed: 1}, nil)
	got := map[uint64]int{}
	for _, a := range out.Fail(nil) {
		if a.Op != gearcore.AckFail || a.Val != 7 {
			t.Fatalf("%+v", a)
		}
		got[a.Root]++
	}
	for r := uint64(1); r <= 130; r++ {
		want := 1
		if r <= 10 {
			want++
		}
		if r == 1 || r == 64 || r == 129 {
			want--
		}
		if got[r] != want {
			t.Errorf("root %d failed %d times, want %d", r, got[r], want)
		}
	}
	if out.Len() != 0 || len(out.Settle(Result{Frame: 1, Done: 1<<64 - 1}, nil)) != 0 || len(out.Fail(nil)) != 0 {
		t.Error("something is left")
	}
}

// Results about frames, places and rows that do not exist say nothing.
func TestOutstandingIgnoresNonsense(t *testing.T) {
	var out Outstanding
	b := &gearcore.Batch{}
	for range 70 {
		b.Append(0, 1, nil, []gearcore.RootEdge{{Root: 1}})
	}
	out.Sent(3, b, 0, 70, nil)
	for _, r := range []Result{{Frame: 2, Done: 1}, {Frame: 3, At: 2, Done: 1}, {Frame: 3, At: 1<<32 - 1, Failed: 1}, {Frame: 3, At: 1, Done: ^uint64(63), Failed: 1 << 6, Reset: 1 << 50}} {
		if acks := out.Settle(r, nil); len(acks) != 0 {
			t.Errorf("%+v means %v", r, acks)
		}
	}
	if out.Len() != 70 {
		t.Errorf("%d rows are outstanding, want 70", out.Len())
	}
}

func TestResultsDoNotAllocate(t *testing.T) {
	var out Outstanding
	var in Proxies
	b := &gearcore.Batch{}
	for range 200 {
		b.Append(0, 1, nil, []gearcore.RootEdge{{Root: 1}})
	}
	roots := make([]gearcore.RootEdge, 200)
	var rs []Result
	var acks []gearcore.Ack
	seq := uint64(0)
	round := func() {
		seq++
		out.Sent(seq, b, 0, 200, nil)
		in.Open(seq, 1, roots)
		for _, r := range roots {
			in.Settle(r.Root, gearcore.AckDone)
		}
		var number uint64
		number, rs = in.Next(rs[:0], 100)
		acks = acks[:0]
		for _, r := range rs {
			acks = out.Settle(r, acks)
		}
		in.Confirm(number)
	}
	if n := testing.AllocsPerRun(200, round); n > 0 {
		t.Errorf("200 rows allocate %v times", n)
	}
	if len(acks) != 200 {
		t.Errorf("%d rows ended, want 200", len(acks))
	}
}

// BenchmarkRows is the cost of following one tracked row to another worker and back, both ends.
func BenchmarkRows(b *testing.B) {
	var out Outstanding
	var in Proxies
	batch := &gearcore.Batch{}
	for range 256 {
		batch.Append(0, 1, nil, []gearcore.RootEdge{{Root: 1}})
	}
	roots := make([]gearcore.RootEdge, 256)
	var rs []Result
	var acks []gearcore.Ack
	b.ReportAllocs()
	for i := 0; i < b.N; i += 256 {
		seq := uint64(i + 1)
		out.Sent(seq, batch, 0, 256, nil)
		in.Open(seq, 1, roots)
		for _, r := range roots {
			if in.Release(r.Root) {
				in.Settle(r.Root, gearcore.AckDone)
			}
		}
		var number uint64
		number, rs = in.Next(rs[:0], 100)
		acks = acks[:0]
		for _, r := range rs {
			acks = out.Settle(r, acks)
		}
		in.Confirm(number)
	}
}

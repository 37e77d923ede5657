package sim

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

func TestLedgerTranscript(t *testing.T) {
	f, err := os.Open("testdata/ledger.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var l XOR
	got, n := "", 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		n++
		switch line := sc.Text(); {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "-> "):
			if got != line[3:] {
				t.Fatalf("line %d: got %q, want %q", n, got, line[3:])
			}
		default:
			got = command(t, &l, strings.Fields(line))
		}
	}
	if n < 50 {
		t.Fatalf("the transcript has only %d lines", n)
	}
}

var opNames = map[gearcore.AckOp]string{gearcore.AckDone: "done", gearcore.AckFail: "fail", gearcore.AckReset: "reset"}

func command(t *testing.T, l *XOR, w []string) string {
	t.Helper()
	num := func(s string) (v uint64) {
		for _, p := range strings.Split(s, "^") {
			n, err := strconv.ParseUint(p, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			v ^= n
		}
		return v
	}
	var out []gearcore.Ack
	switch w[0] {
	case "init":
		out = l.Apply(gearcore.Ack{Root: num(w[1]), Val: num(w[2]), Spout: gearcore.TaskID(num(w[3])), Op: gearcore.AckInit}, nil)
	case "ack":
		out = l.Apply(gearcore.Ack{Root: num(w[1]), Val: num(w[2]), Op: gearcore.AckXor}, nil)
	case "fail":
		out = l.Apply(gearcore.Ack{Root: num(w[1]), Op: gearcore.AckFail}, nil)
	case "reset":
		out = l.Apply(gearcore.Ack{Root: num(w[1]), Op: gearcore.AckReset}, nil)
	case "rotate":
		l.Rotate()
	default:
		t.Fatalf("unknown command %v", w)
	}
	s := ""
	for _, a := range out {
		s += fmt.Sprintf("%s %d to %d; ", opNames[a.Op], a.Root, a.Spout)
	}
	return s + fmt.Sprintf("open %d", l.Len())
}

// script is one spout tuple in the model: every edge is made and done, told in any order.
type script struct {
	root  uint64
	msgs  []gearcore.Ack
	fails bool
	told  bool // how it ended
}

// write makes the messages of a random tree, as a spout and its bolts would send them.
func write(rnd *rand.Rand, root uint64) *script {
	tr := &script{root: root}
	init, open := uint64(0), []uint64{}
	for range rnd.IntN(3) {
		e := rnd.Uint64()
		init ^= e
		open = append(open, e)
	}
	tr.msgs = append(tr.msgs, gearcore.Ack{Root: root, Val: init, Spout: 3, Op: gearcore.AckInit})
	for size := 0; len(open) > 0; size++ {
		i := rnd.IntN(len(open))
		edge := open[i]
		open = append(open[:i], open[i+1:]...)
		if rnd.IntN(40) == 0 {
			tr.msgs = append(tr.msgs, gearcore.Ack{Root: root, Op: gearcore.AckFail})
			tr.fails = true
			continue
		}
		val := edge
		for range rnd.IntN(3) {
			if size < 12 {
				e := rnd.Uint64()
				val ^= e
				open = append(open, e)
			}
		}
		tr.msgs = append(tr.msgs, gearcore.Ack{Root: root, Val: val, Op: gearcore.AckXor})
	}
	return tr
}

// Every tree without a failure ends with exactly one AckDone, at its last message and not before; every other one
// that heard of its failure fails once and is never done.
func TestLedgerAgainstTrees(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var l XOR
		trees := map[uint64]*script{}
		var deck []gearcore.Ack
		for range 50 {
			tr := write(rnd, rnd.Uint64()|1)
			trees[tr.root] = tr
			deck = append(deck, tr.msgs...)
		}
		rnd.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		left := map[uint64]int{}
		for _, m := range deck {
			left[m.Root]++
		}
		for _, m := range deck {
			left[m.Root]--
			for _, r := range l.Apply(m, nil) {
				tr := trees[r.Root]
				if tr.told {
					t.Fatalf("seed %d: root %x ended twice", seed, r.Root)
				}
				tr.told = true
				if r.Op == gearcore.AckDone && (tr.fails || left[r.Root] > 0) {
					t.Fatalf("seed %d: root %x done with %d messages to come, failing %v", seed, r.Root, left[r.Root], tr.fails)
				}
				if r.Op == gearcore.AckFail && !tr.fails {
					t.Fatalf("seed %d: root %x failed for nothing", seed, r.Root)
				}
			}
		}
		for _, tr := range trees {
			if !tr.told {
				t.Fatalf("seed %d: root %x (failing %v) never ended", seed, tr.root, tr.fails)
			}
		}
	}
}

// The table against a map, with many keys that share a home.
func TestTableAgainstMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	var tab table[int]
	want := map[uint64]int{}
	for i := range 200_000 {
		key := uint64(rnd.IntN(400)+1) << uint(rnd.IntN(2)*40)
		switch rnd.IntN(3) {
		case 0:
			at, fresh := tab.put(key)
			if _, had := want[key]; had == fresh {
				t.Fatalf("step %d: put(%x) says fresh %v", i, key, fresh)
			}
			tab.slots[at].val, want[key] = i, i
		case 1:
			if at := tab.find(key); at >= 0 {
				tab.remove(at)
			}
			delete(want, key)
		default:
			at := tab.find(key)
			w, had := want[key]
			if (at >= 0) != had || had && tab.slots[at].val != w {
				t.Fatalf("step %d: find(%x) = %v, want %v, %v", i, key, at, w, had)
			}
		}
		if rnd.IntN(1000) == 0 {
			tab.shrink()
		}
		if tab.n != len(want) {
			t.Fatalf("step %d: %d entries, want %d", i, tab.n, len(want))
		}
	}
}

func TestTableGivesMemoryBack(t *testing.T) {
	var l XOR
	for i := range uint64(100_000) {
		l.Apply(gearcore.Ack{Root: i + 1, Val: 1, Op: gearcore.AckXor}, nil)
	}
	for range 20 {
		l.Rotate()
	}
	if l.Len() != 0 || len(l.roots.slots) > minSlots {
		t.Errorf("%d roots in %d slots after 20 rotations", l.Len(), len(l.roots.slots))
	}
}

func TestLedgerDoesNotAllocate(t *testing.T) {
	var l XOR
	out := make([]gearcore.Ack, 0, 4)
	root := uint64(1)
	round := func() {
		for range 100 {
			root += 0x9e3779b97f4a7c15
			out = l.Apply(gearcore.Ack{Root: root, Val: 7, Spout: 1, Op: gearcore.AckInit}, out[:0])
			out = l.Apply(gearcore.Ack{Root: root, Val: 7, Op: gearcore.AckXor}, out)
		}
	}
	if n := testing.AllocsPerRun(100, round); n > 0 {
		t.Errorf("100 trees allocate %v times", n)
	}
	if len(out) != 1 || l.Len() != 0 {
		t.Errorf("left: %v, %d", out, l.Len())
	}
}

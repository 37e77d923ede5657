package ackers

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

func TestCountsTranscript(t *testing.T) {
	f, err := os.Open("testdata/counts.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var p Pending
	roots := map[string]uint64{}
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
			got = count(t, &p, roots, strings.Fields(line))
		}
	}
	if n < 60 {
		t.Fatalf("the transcript has only %d lines", n)
	}
}

func count(t *testing.T, p *Pending, roots map[string]uint64, w []string) string {
	t.Helper()
	num := func() int {
		n, err := strconv.Atoi(w[2])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var out []string
	switch w[0] {
	case "open":
		roots[w[1]] = p.Open(gearcore.Str(w[1]), Origin{}, num())
	case "add":
		p.Add(roots[w[1]], uint32(num()))
	case "release":
		if p.Release(roots[w[1]]) {
			out = append(out, "last")
		}
	case "take":
		if id, _ := p.Take(roots[w[1]]); id != nil {
			out = append(out, id.Str())
		} else {
			out = append(out, "unknown")
		}
	case "reset":
		p.Reset(roots[w[1]])
	case "rotate":
		for _, e := range p.Rotate(nil) {
			out = append(out, e.ID.Str())
		}
	default:
		t.Fatalf("unknown command %v", w)
	}
	s := strings.Join(out, " ")
	if s != "" {
		s += "; "
	}
	return s + fmt.Sprintf("in flight %d", p.Len())
}

func taken(p *Pending, root uint64) bool {
	id, _ := p.Take(root)
	return id != nil
}

// Roots that nobody opened are no roots, whatever their bits.
func TestCountsIgnoreNonsense(t *testing.T) {
	var p Pending
	for _, root := range []uint64{0, 1, 1 << 32, 1<<32 | 511, 1<<32 | 512, 1<<64 - 1} {
		p.Add(root, 1)
		if taken(&p, root) {
			t.Errorf("empty: %x is a root", root)
		}
	}
	r := p.Open(gearcore.Null(), Origin{}, 1)
	for _, root := range []uint64{0, r ^ 1<<32, r ^ 1<<63, r | 1<<31, r + chunkSlots} {
		p.Reset(root)
		if taken(&p, root) {
			t.Errorf("one open: %x is a root", root)
		}
	}
	if !p.Release(r) || p.Len() != 1 {
		t.Error("the open root has changed")
	}
}

// Holders of a root that has ended do nothing to the next root in its slot.
func TestEndedRootsAreApart(t *testing.T) {
	for _, refs := range []int{1, 3} {
		var p Pending
		old := p.Open(gearcore.Null(), Origin{}, 2)
		p.Take(old)
		for range chunkSlots - 1 {
			p.Take(p.Open(gearcore.Null(), Origin{}, 1))
		}
		next := p.Open(gearcore.Null(), Origin{}, refs)
		if uint32(next) != uint32(old) || next == old {
			t.Fatalf("roots %x and %x do not share a slot", old, next)
		}
		disturb := func() { p.Add(old, 7); p.Release(old); p.Release(old); p.Reset(old) }
		disturb()
		p.Add(next, 2)
		disturb()
		for i := range refs + 2 {
			disturb()
			if last := p.Release(next); last != (i == refs+1) {
				t.Errorf("%d references: given back %d, last: %v", refs, i+1, last)
			}
		}
		if taken(&p, old) {
			t.Error("a root ended twice")
		}
	}
}

// A slot is used again, under another root, and late; generations never become 0.
func TestSlotsAreUsedInTurn(t *testing.T) {
	var p Pending
	seen := map[uint64]bool{}
	last := map[uint32]int{}
	for i := range 10 * chunkSlots {
		r := p.Open(gearcore.Null(), Origin{}, 1+i%3)
		if seen[r] || r>>32 == 0 {
			t.Fatalf("root %x comes twice or is none", r)
		}
		seen[r] = true
		if at, was := last[uint32(r)]; was && i-at < chunkSlots {
			t.Fatalf("slot %d is used again after %d others", uint32(r), i-at)
		}
		last[uint32(r)] = i
		p.Take(r)
	}
}

// Generations come round after 2^32 roots of a slot, and words that nobody writes to are not left behind by half of that.
func TestGenerationsComeRound(t *testing.T) {
	var p Pending
	for range chunkSlots {
		p.Take(p.Open(gearcore.Null(), Origin{}, 1))
	}
	for _, from := range []uint32{1<<31 - 1<<20 - 3, 1<<31 - 3, 1<<32 - 1<<20 - 3, 1<<32 - 4} {
		for i := range p.chunks[0].entries {
			p.chunks[0].entries[i].gen = from
			p.chunks[0].words[i].Store(uint64(from/refreshEvery*refreshEvery) << 32) // as the owner has left it
		}
		for i := range 10 * chunkSlots {
			r := p.Open(gearcore.Null(), Origin{}, 1)
			if r>>32 == 0 {
				t.Fatal("generation 0")
			}
			if i%3 == 0 {
				p.Add(r, 1)
				if p.Release(r) {
					t.Fatalf("root %x of two references is complete after one", r)
				}
			}
			if !p.Release(r) {
				t.Fatalf("root %x is not complete", r)
			}
			p.Take(r)
		}
	}
}

// Holders in many goroutines pass references on, split them and give them back: each tree is complete once, at the end.
func TestCountsFromManyGoroutines(t *testing.T) {
	const roots, workers = 3000, 4
	var p Pending
	var done [roots]atomic.Int32
	place := map[uint64]int{}
	type ref struct {
		root uint64
		left int
	}
	work := make(chan ref, 1<<20)
	var open sync.WaitGroup
	for i := range roots {
		refs := 1 + i%4
		r := p.Open(gearcore.Null(), Origin{}, refs)
		place[r] = i
		open.Add(refs)
		for range refs {
			work <- ref{r, 4}
		}
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for h := range work {
				kids := h.left % 3
				switch {
				case kids == 0:
					if p.Release(h.root) {
						done[place[h.root]].Add(1)
					}
				case kids > 1:
					p.Add(h.root, uint32(kids-1))
				}
				open.Add(kids)
				for range kids {
					work <- ref{h.root, h.left - 1}
				}
				open.Done()
			}
		})
	}
	open.Wait()
	close(work)
	wg.Wait()
	for i := range done {
		if n := done[i].Load(); n != 1 {
			t.Fatalf("tree %d was complete %d times", i, n)
		}
	}
}

func TestCountsDoNotAllocate(t *testing.T) {
	var p Pending
	round := func() {
		for range 100 {
			r := p.Open(gearcore.Long(1), Origin{}, 2)
			p.Add(r, 3)
			for range 4 {
				p.Release(r)
			}
			if !p.Release(r) {
				t.Fatal("not the last one")
			}
			p.Take(r)
		}
	}
	if n := testing.AllocsPerRun(100, round); n > 0 {
		t.Errorf("100 trees allocate %v times", n)
	}
}

// BenchmarkCounts is a tree of three tuples in a row: opened, passed on for nothing, given back, taken.
func BenchmarkCounts(b *testing.B) {
	for _, pending := range []int{1000, 32768} {
		b.Run(strconv.Itoa(pending), func(b *testing.B) {
			var p Pending
			ring := make([]uint64, pending)
			b.ReportAllocs()
			for i := range b.N {
				r := &ring[i%pending]
				if *r != 0 && p.Release(*r) {
					p.Take(*r)
				}
				*r = p.Open(gearcore.Long(int64(i)), Origin{Task: 1, Stream: 2, At: 3}, 1)
			}
		})
	}
}

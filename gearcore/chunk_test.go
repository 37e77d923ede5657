package gearcore

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func TestStringsOfChunksStay(t *testing.T) {
	c := NewCollector(&nullSink{})
	buf := make([]byte, 0, 64)
	var kept []string
	for i := range 20_000 {
		buf = fmt.Appendf(buf[:0], "text %d", i)
		kept = append(kept, c.String(buf))
		if i%4000 == 0 {
			runtime.GC()
		}
	}
	for i, s := range kept {
		if want := fmt.Sprintf("text %d", i); s != want {
			t.Fatalf("string %d is %q", i, s)
		}
	}
}

func TestSizesOfChunkedPieces(t *testing.T) {
	c := NewCollector(&nullSink{})
	for _, n := range []int{0, 1, minChunk - 1, minChunk, minChunk + 1, maxPiece, maxPiece + 1, maxChunk, 1 << 20} {
		b := []byte(strings.Repeat("x", n))
		got := c.Bytes(b)
		if len(got) != n || cap(got) != n || string(got) != string(b) {
			t.Errorf("%d bytes became %d with a capacity of %d", n, len(got), cap(got))
		}
		if n > 0 {
			if b[0] = 'y'; got[0] != 'x' {
				t.Errorf("the copy of %d bytes is none", n)
			}
		}
		if next := c.String([]byte("next")); next != "next" || n > 0 && got[n-1] != 'x' {
			t.Errorf("after %d bytes the next piece is %q, or wrote into them", n, next)
		}
	}
}

func TestChunksGrow(t *testing.T) {
	c := NewCollector(&nullSink{})
	piece := make([]byte, 100)
	c.Bytes(piece)
	if c.texts().size != minChunk {
		t.Errorf("the first chunk has %d bytes, want %d", c.texts().size, minChunk)
	}
	if a := testing.AllocsPerRun(100_000, func() { _ = c.String(piece) }); a > 0.01 {
		t.Errorf("%v allocations a string", a)
	}
	if c.texts().size != maxChunk {
		t.Errorf("chunks have grown to %d bytes, want %d", c.texts().size, maxChunk)
	}
}

func BenchmarkString(b *testing.B) {
	c := NewCollector(&nullSink{})
	piece := make([]byte, 100)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n += len(c.String(piece))
	}
}

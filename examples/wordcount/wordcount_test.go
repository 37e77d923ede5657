package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/compat/storm/stormtest"
)

// writeText makes files with n lines each, some empty, and returns their folder.
func writeText(t *testing.T, files, n int) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for f := range files {
		var b strings.Builder
		for range n {
			for range r.IntN(6) {
				fmt.Fprintf(&b, "w%d, ", r.IntN(50))
			}
			b.WriteByte('\n')
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.txt", f)), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNextWord(t *testing.T) {
	for line, want := range map[string]string{
		"":                         "",
		"   ":                      "",
		"a":                        "a",
		"func (b *count) add(w_1)": "func b count add w_1",
		"größe: naïve\u00a0x":      "gr e na ve x",
		"x\x00y\xffz":              "x y z",
		"_ 9 __a9__":               "_ 9 __a9__",
	} {
		var got []string
		for w, rest, ok := nextWord(line); ok; w, rest, ok = nextWord(rest) {
			got = append(got, w)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("words of %q are %q, want %q", line, s, want)
		}
	}
}

func TestListText(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b/y.go", "a.go", "b/x.txt", "c.bin", "z.go"} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), []byte("1234567890"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		limit int64
		want  string
	}{{0, "a.go b/x.txt b/y.go z.go c.bin"}, {1, "a.go"}, {10, "a.go"}, {11, "a.go b/x.txt"}, {1000, "a.go b/x.txt b/y.go z.go c.bin"}} {
		got, err := listText([]string{dir, filepath.Join(dir, "c.bin")}, c.limit)
		for i := range got {
			got[i], _ = filepath.Rel(dir, got[i])
		}
		if s := strings.Join(got, " "); err != nil || s != c.want {
			t.Errorf("limit %d: %s, %v, want %s", c.limit, s, err, c.want)
		}
	}
	if _, err := listText([]string{filepath.Join(dir, "gone")}, 0); err == nil {
		t.Error("no error for a file that is not there")
	}
}

// TestWindow checks the window against the plain rule: its start is the first line that is not acked.
func TestWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var w window
	acked := map[int]bool{}
	next := 0
	for range 5000 {
		if r.IntN(2) == 0 {
			if id := w.add(position{line: next}, "x"); id != int64(next) {
				t.Fatalf("line %d got id %d", next, id)
			}
			next++
		}
		id := r.IntN(next + 3)
		if (w.get(int64(id)) != nil) != (id < next && !acked[id]) {
			t.Fatalf("get(%d) is wrong", id)
		}
		w.ack(int64(id))
		if id < next {
			acked[id] = true
		}
		want := progress{start: position{line: firstNot(acked)}, ahead: len(acked) - firstNot(acked)}
		if got := w.progress(position{line: next}); got != want {
			t.Fatalf("progress is %v, want %v", got, want)
		}
	}
}

func firstNot(acked map[int]bool) int {
	n := 0
	for acked[n] {
		n++
	}
	return n
}

// run is the topology without an engine: a spout, the work of split, and two counters.
type run struct {
	spout  *stormtest.Spout
	counts [2]*stormtest.Bolt
	roots  map[int64]int // words of a line that are not acked yet
	words  map[storm.Tuple]int64
	sent   [2]int // words, by counter
	seen   [2]int // acks looked at
}

func newRun(t *testing.T, dir, out string) *run {
	conf := map[string]any{keyDir: out, keyText: []string{dir}}
	x := &run{roots: map[int64]int{}, words: map[storm.Tuple]int64{}}
	x.spout = stormtest.NewSpout(t, storm.SpoutFactory(func() storm.Spout { return &lines{} }),
		func(d *storm.Declarer) { d.Fields("file", "line", "text") }, conf)
	for i := range x.counts {
		x.counts[i] = stormtest.NewBolt(t, storm.BoltFactory(func() storm.Bolt { return &count{} }),
			func(d *storm.Declarer) { d.Fields("word", "count") }, conf)
		x.counts[i].Input("split", "default", "file", "line", "index", "word")
	}
	return x
}

// step takes what the spout emitted through split and count; lose is asked for each line whether it gets lost.
func (x *run) step(lose func() bool) {
	for _, e := range x.spout.Emits() {
		id := e.ID.Int()
		x.roots[id]++ // the line itself
		index := 0
		for w, rest, ok := nextWord(e.Values[2].(string)); ok; w, rest, ok = nextWord(rest) {
			b := x.counts[len(w)%2]
			x.sent[len(w)%2]++
			x.words[b.Send("split", "default", e.Values[0], e.Values[1], index, w)] = id
			x.roots[id]++
			index++
		}
		if lose() {
			delete(x.roots, id)
			x.spout.Fail(e.ID)
			continue
		}
		x.settle(id)
	}
	for i, b := range x.counts {
		for _, t := range b.Acked()[x.seen[i]:] {
			x.settle(x.words[t])
		}
		x.seen[i] = len(b.Acked())
	}
}

func (x *run) settle(id int64) {
	n, ok := x.roots[id]
	if !ok {
		return
	}
	if x.roots[id]--; n == 1 {
		delete(x.roots, id)
		x.spout.Ack(storm.Long(id))
	}
}

// finish lets the late flushes happen until all is acked.
func (x *run) finish(t *testing.T) {
	for range 10_000 {
		x.spout.Next(1000)
		x.step(func() bool { return false })
		if len(x.roots) == 0 {
			return
		}
		for i, b := range x.counts {
			if x.sent[i] > len(b.Acked()) { // its flush is on its way
				b.Wait()
			}
		}
	}
	t.Fatal("the text is not acked after 10,000 steps")
}

func TestEveryWordIsCountedOnce(t *testing.T) {
	dir, out := writeText(t, 3, 700), t.TempDir()
	x := newRun(t, dir, out)
	x.finish(t)
	v := verdictOf(t, dir, out)
	if v.lost != 0 || v.duplicated != 0 || v.foreign != 0 || v.words < 3000 || v.distinct != 50 {
		t.Errorf("%+v", v)
	}
	x.counts[0].Tick()
	top := x.counts[0].Values()
	if len(top) == 0 || len(top) > topWords {
		t.Errorf("top: %v", top)
	}
}

// TestKilledMidway abandons all components again and again, with lines under way and a torn ledger, and starts new ones.
func TestKilledMidway(t *testing.T) {
	dir, out := writeText(t, 3, 700), t.TempDir()
	r := rand.New(rand.NewPCG(5, 6))
	for range 6 {
		x := newRun(t, dir, out)
		for range 5 {
			x.spout.Next(60)
			x.step(func() bool { return r.IntN(10) == 0 })
		}
		tear(t, out)
	}
	newRun(t, dir, out).finish(t)
	v := verdictOf(t, dir, out)
	if v.lost != 0 || v.foreign != 0 || v.duplicated == 0 {
		t.Errorf("%+v, want nothing lost and something twice", v)
	}
}

// tear appends half an entry to the newest ledger, as a kill in the middle of a write does.
func tear(t *testing.T, out string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(out, "count-*.ledger"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	f, err := os.OpenFile(names[len(names)-1], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("1 2 0 w4"); err != nil {
		t.Fatal(err)
	}
}

func verdictOf(t *testing.T, dir, out string) verdict {
	t.Helper()
	files, err := listText([]string{dir}, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, err := readText(files)
	if err != nil {
		t.Fatal(err)
	}
	v, err := judge(text, out)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestJudgeSeesLossAndStrangers holds the judge itself to its job.
func TestJudgeSeesLossAndStrangers(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("one two\n\nthree\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ledger := "0 0 0 one\n0 0 0 one\n0 0 1 one\n0 2 0 three\n0 2 1 three\n5 0 0 one\n0 9 0 one\n0 0 7 three\n0 1 0 two"
	if err := os.WriteFile(filepath.Join(out, "count-0-1-1.ledger"), []byte(ledger), 0o644); err != nil {
		t.Fatal(err)
	}
	want := verdict{words: 3, distinct: 3, lost: 1, duplicated: 1, foreign: 5}
	if got := verdictOf(t, dir, out); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if err := os.WriteFile(filepath.Join(out, "count-0-2-1.ledger"), []byte("0 0 one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	files, _ := listText([]string{dir}, 0)
	text, _ := readText(files)
	if _, err := judge(text, out); err == nil || !strings.Contains(err.Error(), "line 1: not an entry") {
		t.Errorf("a ledger with a broken line: %v", err)
	}
}

func TestProgress(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "p"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, want := range []progress{{}, {position{1, 2}, 3}, {position{1142, 99999}, 2000}, {position{0, 7}, 0}} {
		if want != (progress{}) {
			if err := writeProgress(f, want); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := readProgress(f); got != want || err != nil {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	if _, err := f.WriteAt([]byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if p, err := readProgress(f); err == nil {
		t.Errorf("read %v from a broken file", p)
	}
}

func TestWordsBefore(t *testing.T) {
	text := &text{words: make([]uint32, 9), lines: [][]uint32{{0, 2, 2, 5}, {5}, {5, 6, 9}}}
	for _, c := range []struct {
		p    progress
		want int
	}{
		{progress{}, 0}, {progress{position{0, 1}, 0}, 2}, {progress{position{0, 1}, 1}, 2}, {progress{position{0, 0}, 3}, 5},
		{progress{position{0, 2}, 2}, 6}, {progress{position{2, 1}, 0}, 6}, {progress{position{2, 1}, 7}, 9}, {progress{position{3, 0}, 0}, 9},
	} {
		if got := text.wordsBefore(c.p); got != c.want {
			t.Errorf("%v: %d words, want %d", c.p, got, c.want)
		}
	}
}

func TestTop(t *testing.T) {
	var got top
	r := rand.New(rand.NewPCG(7, 8))
	counts := map[string]int64{}
	for range 20_000 {
		w := fmt.Sprint("w", int(r.ExpFloat64()*8))
		counts[w]++
		got.offer(w, counts[w])
	}
	var want []wordCount
	for w, n := range counts {
		want = append(want, wordCount{w, n})
	}
	sortTop(want)
	if d := cmp.Diff(want[:topWords], got.words); d != "" {
		t.Error(d)
	}
}

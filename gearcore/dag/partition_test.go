package dag

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// picker returns a partitioner over n tasks, nil where the grouping has none.
func picker(tb testing.TB, k GroupingKind, n int, idx ...int) Partitioner {
	tb.Helper()
	r := &Route{Grouping: Grouping{Kind: k}, Fields: idx, Target: &Processor{Name: "x"}}
	for i := range n {
		r.Tasks = append(r.Tasks, gearcore.TaskID(4+i))
	}
	p, err := NewPartitioner(r, gearcore.HashJava, 7)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestPartitioners(t *testing.T) {
	key := []gearcore.Value{gearcore.Str("word"), gearcore.Int(1)}
	pick := func(k GroupingKind, times int, idx ...int) (out []int) {
		p := picker(t, k, 3, idx...)
		for range times {
			out = append(out, p.Pick(key))
		}
		return out
	}
	for _, c := range []struct {
		name string
		got  []int
		want []int
	}{
		{"fields", pick(Fields, 2, 0), []int{1, 1}}, // "word" is 1 of 3
		{"two fields", pick(Fields, 1, 0, 1), []int{gearcore.FloorMod(gearcore.FieldsHash(key, []int{0, 1}, gearcore.HashJava), 3)}},
		{"fields without fields", pick(Fields, 1), []int{0}},
		{"global", pick(Global, 1), []int{0}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s picked %v, want %v", c.name, c.got, c.want)
		}
	}
	pk := pick(PartialKey, 4, 0)
	slices.Sort(pk)
	if pk[0] != pk[1] || pk[2] != pk[3] || pk[1] == pk[2] {
		t.Errorf("partial key did not alternate between two tasks: %v", pk)
	}
	seen := [3]int{}
	for _, i := range pick(None, 300) {
		seen[i]++
	}
	if slices.Min(seen[:]) < 50 {
		t.Errorf("none is not random: %v of 300", seen)
	}
	for _, k := range []GroupingKind{All, Direct, Custom, Shuffle, LocalOrShuffle} {
		if p := picker(t, k, 3); p != nil {
			t.Errorf("%s has the partitioner %T", k, p)
		}
	}
	if _, err := NewPartitioner(&Route{Tasks: []gearcore.TaskID{1, 2}, Target: &Processor{Name: "x"}}, gearcore.HashJava, 1); err == nil {
		t.Error("a route without a grouping has a partitioner")
	}
}

// One field of any kind goes where the general rule says.
func TestOneFieldAgreesWithTheGeneralRule(t *testing.T) {
	vals := []gearcore.Value{gearcore.Str("a"), gearcore.Str("é😀 long enough for a block"), gearcore.Long(-1), gearcore.Int(-1), gearcore.Double(2.5),
		gearcore.Null(), gearcore.Bytes([]byte{1, 255}), gearcore.List([]gearcore.Value{gearcore.Int(3)})}
	for _, n := range []int{1, 2, 3, 4, 7, 48, 1000} {
		p := picker(t, Fields, n, 0)
		for _, v := range vals {
			vs := []gearcore.Value{v}
			if got, want := p.Pick(vs), gearcore.FloorMod(gearcore.FieldsHash(vs, []int{0}, gearcore.HashJava), n); got != want {
				t.Errorf("%v goes to %d of %d, want %d", v.Any(), got, n, want)
			}
		}
	}
}

func TestDivisorIsFloorMod(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 7, 48, 1 << 16, 1<<24 - 3, 1<<31 - 1} {
		d := modulus(n)
		for i := range 2000 {
			h := int32(rand.Uint32())
			if i < 4 {
				h = []int32{0, -1, -1 << 31, 1<<31 - 1}[i]
			}
			if got, want := d.floorMod(h), gearcore.FloorMod(h, n); got != want {
				t.Fatalf("%d modulo %d is %d, want %d", h, n, got, want)
			}
		}
	}
}

func TestKeyGroupsAreContiguousAndKept(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 48, 1000, gearcore.KeyGroups} {
		next := 0
		for i := range n {
			lo, hi := OwnedGroups(i, n)
			if lo != next || hi-lo < gearcore.KeyGroups/n || hi-lo > gearcore.KeyGroups/n+1 {
				t.Fatalf("task %d of %d has groups %d to %d; the last one ended at %d", i, n, lo, hi, next)
			}
			for g := lo; g < hi; g++ {
				if GroupOwner(g, n) != i {
					t.Fatalf("group %d of task %d of %d is owned by %d", g, i, n, GroupOwner(g, n))
				}
			}
			next = hi
		}
		if next != gearcore.KeyGroups {
			t.Errorf("%d tasks have %d groups", n, next)
		}
	}
	p := picker(t, KeyGroups, 5, 1)
	vals := []gearcore.Value{gearcore.Null(), gearcore.Str("key")}
	lo, hi := OwnedGroups(p.Pick(vals), 5)
	if g := gearcore.KeyGroup(gearcore.FieldsHash(vals, []int{1}, gearcore.HashJava)); g < lo || g >= hi {
		t.Errorf("a key of group %d went to the task with %d to %d", g, lo, hi)
	}
	many := &Route{Grouping: Grouping{Kind: KeyGroups}, Tasks: make([]gearcore.TaskID, gearcore.KeyGroups+1), Target: &Processor{Name: "x"}}
	if _, err := NewPartitioner(many, gearcore.HashJava, 1); err == nil {
		t.Error("more tasks than key groups were accepted")
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	vals := []gearcore.Value{gearcore.Str("some word"), gearcore.Long(7)}
	for _, k := range []GroupingKind{Fields, PartialKey, KeyGroups, None, Global} {
		p := picker(t, k, 4, 0)
		if n := testing.AllocsPerRun(100, func() { p.Pick(vals) }); n != 0 {
			t.Errorf("%s allocates %v times", k, n)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	vals := []gearcore.Value{gearcore.Str("word01234")}
	for _, k := range []GroupingKind{Fields, PartialKey, KeyGroups, None} {
		b.Run(fmt.Sprint(k), func(b *testing.B) {
			p := picker(b, k, 4, 0)
			for b.Loop() {
				p.Pick(vals)
			}
		})
	}
}

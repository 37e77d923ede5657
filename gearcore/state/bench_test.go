package state

import (
	"fmt"
	"testing"
)

func counter(tb testing.TB, keys int) (*Store, *Value[string, int64], []string) {
	s, err := New(Config{Name: "bench"})
	if err != nil {
		tb.Fatal(err)
	}
	v := NewValue(s, "counts", Strings[string](), Codec[int64](Ints[int64]()))
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("key-%09d", i)
		v.Set(names[i], 0)
	}
	return s, v, names
}

// TestHotPathAllocatesNothing is the budget of reading and changing what is there.
func TestHotPathAllocatesNothing(t *testing.T) {
	_, v, names := counter(t, 100)
	i := 0
	for what, f := range map[string]func(){
		"Get": func() { v.Get(names[i%100]) },
		"Update": func() {
			add := int64(i)
			v.Update(names[i%100], func(n *int64) { *n += add })
		},
		"Ref": func() { n, _ := v.Ref(names[i%100]); *n++ },
		"Set": func() { v.Set(names[i%100], 7) },
	} {
		if n := testing.AllocsPerRun(1000, func() { f(); i++ }); n > 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, keys := range []int{1000, 100_000, 1_000_000} {
		_, v, names := counter(b, keys)
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			b.ReportAllocs()
			at := uint32(1)
			for b.Loop() {
				at = at*1664525 + 1013904223
				v.Update(names[at%uint32(keys)], func(n *int64) { *n++ })
			}
		})
		b.Run(fmt.Sprint(keys, "/plain-map"), func(b *testing.B) {
			m := map[string]*int64{}
			for _, n := range names {
				m[n] = new(int64)
			}
			at := uint32(1)
			for b.Loop() {
				at = at*1664525 + 1013904223
				*m[names[at%uint32(keys)]]++
			}
		})
	}
}

package state

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// TestKeysAreWhereTheirRecordsCome compares the groups of keys with what the partitioner does with the values they are routed by.
func TestKeysAreWhereTheirRecordsCome(t *testing.T) {
	for _, mode := range []gearcore.HashMode{gearcore.HashByValue, gearcore.HashJava} {
		route := &dag.Route{Tasks: make([]gearcore.TaskID, 7), Fields: []int{0}}
		route.Grouping.Kind = dag.KeyGroups
		p, err := dag.NewPartitioner(route, mode, 1)
		if err != nil {
			t.Fatal(err)
		}
		check := func(what string, group int, v any) {
			t.Helper()
			val, err := gearcore.FromAny(v)
			if err != nil {
				t.Fatal(err)
			}
			if want := p.Pick([]gearcore.Value{val}); dag.GroupOwner(group, 7) != want {
				t.Errorf("%s: group %d is of task %d, its records go to %d", what, group, dag.GroupOwner(group, 7), want)
			}
			if got := GroupOf(mode, val); got != group {
				t.Errorf("%s: group %d, GroupOf says %d", what, group, got)
			}
		}
		for _, n := range []int64{0, 1, -1, 127, 1 << 40, -1 << 40} {
			s := big.NewInt(n).String()
			check("string", Strings[string]().Group(&s, mode), s)
			i := n
			check("int64", Ints[int64]().Group(&i, mode), i)
			i32, i16, i8, u8, u16, u32, u64 := int32(n), int16(n), int8(n), uint8(n), uint16(n), uint32(n), uint64(n)
			check("int32", Ints[int32]().Group(&i32, mode), i32)
			check("int16", Ints[int16]().Group(&i16, mode), i16)
			check("int8", Ints[int8]().Group(&i8, mode), i8)
			check("uint8", Ints[uint8]().Group(&u8, mode), u8)
			check("uint16", Ints[uint16]().Group(&u16, mode), u16)
			check("uint32", Ints[uint32]().Group(&u32, mode), u32)
			check("uint64", Ints[uint64]().Group(&u64, mode), u64)
			k, err := KeyOf(gearcore.Long(n))
			if err != nil {
				t.Fatal(err)
			}
			check("Key", Keys().Group(&k, mode), n)
			pair := Pair[string, int64]{s, 5}
			check("Pair", Pairs(Strings[string](), Codec[int64](Ints[int64]())).Group(&pair, mode), s)
		}
	}
}

func TestLookup(t *testing.T) {
	s, _ := New(Config{Name: "c[0]"})
	text, num := Strings[string](), Codec[int64](Ints[int64]())
	v := NewValue(s, "value", Ints[int64](), Struct[pane]())
	l := NewList(s, "list", text, Values())
	m := NewMap(s, "map", text, Codec[string](text), num)
	q := NewTimers(s, "timers", text)
	k := NewValue(s, "keys", Keys(), Bytes())
	v.Set(-5, pane{Count: 3, Tags: []string{"x"}})
	l.Append("a", gearcore.Long(1), gearcore.Str("<two> & more"), gearcore.List([]gearcore.Value{gearcore.Null()}))
	m.Set("a", "x", 1)
	m.Set("a", "y", 2)
	q.Set("a", 20)
	q.Set("a", 10)
	one, _ := KeyOf(gearcore.Str("a"))
	two, _ := KeyOf(gearcore.Str("a"), gearcore.Long(2), gearcore.Bool(true))
	k.Set(one, []byte("b"))
	k.Set(two, []byte("c"))
	for _, c := range []struct{ handle, key, want string }{
		{"value", "-5", `{"Count":3,"Tags":["x"]}`}, {"value", "6", ""}, {"list", "a", `[1,"<two> & more",[null]]`}, {"list", "b", ""},
		{"map", "a", `{"x":1,"y":2}`}, {"map", "b", ""}, {"timers", "a", "[10,20]"}, {"timers", "b", ""},
		{"keys", "a", `"b"`}, {"keys", `["a",2,true]`, `"c"`}, {"keys", "b", ""},
	} {
		text, found, err := s.Lookup(c.handle, c.key)
		if err != nil || found != (c.want != "") || string(text) != c.want || found && !json.Valid(text) {
			t.Errorf("%s of %s: %s, %v, %v, want %s", c.key, c.handle, text, found, err, c.want)
		}
	}
	for _, c := range []struct{ handle, key, want string }{{"nothing", "a", `there is no state "nothing"`}, {"value", "a", `key "a" of value`}, {"keys", "[", `parse key`}} {
		if _, _, err := s.Lookup(c.handle, c.key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %v, want %q", c.key, c.handle, err, c.want)
		}
	}
}

// TestInspect looks at all states at once, and at one of them.
func TestInspect(t *testing.T) {
	now := int64(1000)
	s, _ := New(Config{Name: "c[0]", Now: func() int64 { return now }})
	text, num := Strings[string](), Codec[int64](Ints[int64]())
	NewValue(s, "numbers", Ints[int64](), num)
	v := NewValue(s, "texts", text, num, WithTTL(TTL{After: time.Second, OnRead: true}))
	NewTimers(s, "timers", text).Set("a", 20)
	v.Set("a", 7)
	show := func(q gearcore.StateQuery) string {
		found, err := s.Inspect(q)
		out := ""
		for _, e := range found {
			out += fmt.Sprintf("%s %s %s, ", e.State, e.Kind, e.JSON)
		}
		if err != nil {
			out += err.Error()
		}
		return out
	}
	for _, c := range []struct {
		q    gearcore.StateQuery
		want string
	}{
		{gearcore.StateQuery{}, "numbers value , texts value , timers timers , "},
		{gearcore.StateQuery{State: "texts"}, "texts value , "},
		{gearcore.StateQuery{Key: "a", HasKey: true}, "texts value 7, "},
		{gearcore.StateQuery{Key: "b", HasKey: true}, ""},
		{gearcore.StateQuery{State: "timers", Key: "a", HasKey: true}, "timers timers [20], "},
		{gearcore.StateQuery{State: "nosuch", Key: "a", HasKey: true}, `there is no state "nosuch": there are numbers, texts, timers`},
		{gearcore.StateQuery{State: "numbers", Key: "a", HasKey: true}, `key "a" of numbers: strconv.ParseInt: parsing "a": invalid syntax`},
	} {
		if got := show(c.q); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
	now += 600
	if got := show(gearcore.StateQuery{Key: "a", HasKey: true}); got != "texts value 7, " {
		t.Errorf("before its end: %q", got)
	}
	if now += 600; v.Has("a") {
		t.Error("being looked at has prolonged the life of an entry")
	}
}

// TestNumbersThatJSONHasNot are shown as texts, wherever they are.
func TestNumbersThatJSONHasNot(t *testing.T) {
	s, _ := New(Config{Name: "c[0]"})
	text, vals := Strings[string](), Values()
	v, m := NewValue(s, "v", text, vals), NewMap(s, "m", text, Codec[string](text), vals)
	f, l := NewValue(s, "f", text, Codec[float64](Floats[float64]())), NewList(s, "l", text, Codec[float64](Floats[float64]()))
	odd := []gearcore.Value{gearcore.Double(math.NaN()), gearcore.Double(math.Inf(1)), gearcore.Float(float32(math.Inf(-1))), gearcore.Float(0.1), gearcore.Double(0.1)}
	v.Set("a", gearcore.List([]gearcore.Value{gearcore.Map([]gearcore.Pair{{Key: gearcore.Str("x"), Val: gearcore.List(odd)}})}))
	m.Set("a", "k", odd[0])
	f.Set("a", math.Inf(-1))
	l.Append("a", 1.5)
	l.Append("a", math.NaN())
	for name, want := range map[string]string{
		"v": `[{"x":["NaN","Infinity","-Infinity",0.1,0.1]}]`, "m": `{"k":"NaN"}`, "f": `"-Infinity"`, "l": `[1.5,"NaN"]`,
	} {
		if got, found, err := s.Lookup(name, "a"); err != nil || !found || string(got) != want {
			t.Errorf("%s: %s, %v, %v, want %s", name, got, found, err, want)
		}
	}
	if found, err := s.Inspect(gearcore.StateQuery{Key: "a", HasKey: true}); err != nil || len(found) != 4 {
		t.Errorf("%d of 4 states are shown, %v", len(found), err)
	}
}

// TestTTL lets entries expire by the clock and by event time, in memory and on disk.
// A Peek brings nothing into memory, and sees what Get does.
func TestPeek(t *testing.T) {
	s, err := New(Config{Dir: t.TempDir(), Memory: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := NewValue(s, "v", Ints[int](), Codec[string](Strings[string]()))
	for i := range 1000 {
		v.Set(i, fmt.Sprint("value ", i))
	}
	for range 3 { // what was used is passed over first
		s.checkSize = true
		if err := s.Trim(); err != nil {
			t.Fatal(err)
		}
	}
	in := s.Len()
	if in == 1000 {
		t.Fatal("all is in memory")
	}
	v.Delete(7)
	v.Set(8, "eight")
	in = s.Len()
	for i := range 1000 {
		got, ok := v.Peek(i)
		want := fmt.Sprint("value ", i)
		if i == 8 {
			want = "eight"
		}
		if i == 7 && ok || i != 7 && (!ok || got != want) {
			t.Errorf("%d: %q, %v", i, got, ok)
		}
	}
	if _, ok := v.Peek(1000); ok || s.Len() != in {
		t.Errorf("%v, and %d entries are in memory after looking, %d before", ok, s.Len(), in)
	}
}

func TestTTL(t *testing.T) {
	for _, cfg := range []Config{{}, {Dir: t.TempDir(), Memory: 1}} {
		now := int64(1_000_000)
		cfg.Now = func() int64 { return now }
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.lim.growth = 1
		text, num := Strings[string](), Codec[int64](Ints[int64]())
		written := NewValue(s, "written", text, num, WithTTL(TTL{After: time.Minute}))
		read := NewValue(s, "read", text, num, WithTTL(TTL{After: time.Minute, OnRead: true}))
		event := NewMap(s, "event", text, Codec[string](text), num, WithTTL(TTL{After: time.Minute, EventTime: true}))
		s.SetEventTime(500_000)
		for _, k := range []string{"a", "b"} {
			written.Set(k, 1)
			read.Set(k, 1)
			event.Set(k, "x", 1)
		}
		trim := func() {
			if err := s.Trim(); err != nil {
				t.Fatal(err)
			}
		}
		state := func(what string, a, b, c, d bool) {
			t.Helper()
			_, gotC := event.Get("a", "x")
			gotD := false
			event.Each("b", func(string, *int64) bool { gotD = true; return true })
			gotA, gotB := written.Has("a"), false
			read.Each(func(k string, _ int64) bool { gotB = gotB || k == "b"; return true })
			if gotA != a || gotB != b || gotC != c || gotD != d {
				t.Errorf("%s, disk %v: %v %v %v %v, want %v %v %v %v", what, s.disk != nil, gotA, gotB, gotC, gotD, a, b, c, d)
			}
			trim()
		}
		trim()
		state("at first", true, true, true, true)
		now += 40_000
		read.Get("a")
		written.Get("a")
		state("after 40 s", true, true, true, true)
		trim()
		now += 30_000
		if !read.Has("a") {
			t.Error("what was read is gone")
		}
		state("after 70 s", false, false, true, true)
		s.SetEventTime(560_000)
		state("by event time", false, false, false, false)
		s.SetEventTime(gearcore.End)
		if s.eventTime != 560_000 {
			t.Error("the end of input is taken for a time")
		}
		vault := newVault()
		for range 3 { // the sweep, in memory or by a cold cycle
			part, _, _ := save(t, s, uint64(now), vault)
			s.Commit(uint64(now))
			now++
			again, _ := New(Config{Now: cfg.Now})
			v := NewValue(again, "written", text, num, WithTTL(TTL{After: time.Minute}))
			NewValue(again, "read", text, num)
			NewMap(again, "event", text, Codec[string](text), num)
			if err := again.Restore(recovery(part, vault)); err != nil {
				t.Fatal(err)
			}
			if v.Has("b") {
				t.Error("it is back after a restore")
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestListGoesOnBehindWhatExpired: a list whose front was dropped lives longer than its elements, and what is put there then is in it.
func TestListGoesOnBehindWhatExpired(t *testing.T) {
	now := int64(1_000_000)
	s, err := New(Config{Name: "c", Now: func() int64 { return now }})
	if err != nil {
		t.Fatal(err)
	}
	l := NewList(s, "list", Strings[string](), Codec[int64](Ints[int64]()), WithTTL(TTL{After: time.Minute}))
	l.Append("a", 1, 2, 3)
	now += 40_000
	l.DropFirst("a", 1)
	now += 40_000
	l.Append("a", 4)
	l.Append("a", 5)
	var got []int64
	l.Each("a", func(_ int, x int64) bool {
		got = append(got, x)
		return true
	})
	if want := []int64{4, 5}; !slices.Equal(got, want) {
		t.Errorf("the list is %v, want %v", got, want)
	}
	if x, ok := l.Get("a", l.Len("a")-1); x != 5 || !ok {
		t.Errorf("its last element is %d, %v", x, ok)
	}
}

// TestListWithoutWhatExpired: the first element of a list with a TTL is the first that is there, for everything that counts elements.
func TestListWithoutWhatExpired(t *testing.T) {
	now := int64(1_000_000)
	s, err := New(Config{Name: "c", Now: func() int64 { return now }})
	if err != nil {
		t.Fatal(err)
	}
	l := NewList(s, "list", Strings[string](), Codec[int64](Ints[int64]()), WithTTL(TTL{After: time.Minute}))
	for x := range int64(listChunk) {
		l.Append("a", x)
	}
	now += 40_000
	l.Append("a", 17, 18, 19)
	now += 40_000
	if x, ok := l.Get("a", 0); l.Len("a") != 3 || x != 17 || !ok {
		t.Errorf("it has %d elements, the first is %d, %v", l.Len("a"), x, ok)
	}
	l.DropFirst("a", 1)
	got := map[int]int64{}
	l.Each("a", func(i int, x int64) bool {
		got[i] = x
		return true
	})
	if want := map[int]int64{0: 18, 1: 19}; !maps.Equal(got, want) {
		t.Errorf("without its first element the list is %v, want %v", got, want)
	}
	l.Delete("a")
	if l.Len("a") != 0 || s.Len() != 0 {
		t.Errorf("it has %d elements and the store %d entries after all", l.Len("a"), s.Len())
	}
}

// TestTTLBeforeEventTime: what is written before the first watermark lives from that on, in memory, on disk and behind a restore.
func TestTTLBeforeEventTime(t *testing.T) {
	const w = 1_700_000_000_000
	for _, cfg := range []Config{{}, {Dir: t.TempDir(), Memory: 1}} {
		open := func() (*Store, *Value[string, int64]) {
			s, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			s.lim.growth = 1
			return s, NewValue(s, "v", Strings[string](), Codec[int64](Ints[int64]()), WithTTL(TTL{After: time.Minute, EventTime: true}))
		}
		s, v := open()
		for _, k := range []string{"a", "b", "c"} {
			v.Set(k, 1)
		}
		if err := s.Trim(); err != nil {
			t.Fatal(err)
		}
		vault := newVault()
		part, _, _ := save(t, s, 1, vault)
		again, restored := open()
		if err := again.Restore(recovery(part, vault)); err != nil {
			t.Fatal(err)
		}
		for i, v := range []*Value[string, int64]{v, restored} {
			v.t.store.SetEventTime(w)
			n := 0
			v.Each(func(string, int64) bool { n++; return true })
			if !v.Has("a") || v.End("a") != w+60_000 || n != 3 {
				t.Errorf("store %d, disk %v: a ends at %d, and there are %d", i, cfg.Dir != "", v.End("a"), n)
			}
			v.t.store.SetEventTime(w + 60_000)
			if v.Has("a") || v.End("a") != 0 {
				t.Errorf("store %d, disk %v: a is still there", i, cfg.Dir != "")
			}
			if err := v.t.store.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestSweepForgets deletes what nobody asks for any more.
func TestSweepForgets(t *testing.T) {
	now := int64(1)
	s, _ := New(Config{Now: func() int64 { return now }})
	v := NewValue(s, "v", Ints[int](), Nothing(), WithTTL(TTL{After: time.Second}))
	for i := range 1000 {
		v.Set(i, struct{}{})
	}
	save(t, s, 1, newVault())
	now = 5000
	v.Set(5, struct{}{})
	save(t, s, 2, newVault())
	if s.Len() != 1 {
		t.Errorf("%d entries are left, want 1", s.Len())
	}
}

// TestTimersThatMove sets and takes back timers far more often than there are: what is kept stays small.
func TestTimersThatMove(t *testing.T) {
	s, _ := New(Config{})
	q := NewTimers(s, "q", Strings[string]())
	for i := range int64(10_000) {
		q.Delete("session", i)
		q.Set("session", i+1)
	}
	if len(q.heap) > 200 || q.Len() != 1 || q.t.end > 10 {
		t.Errorf("%d alarms in %d slots for %d timers", len(q.heap), q.t.end, q.Len())
	}
	if at, ok := q.Next(); !ok || at != 10_000 {
		t.Errorf("next at %d, %v", at, ok)
	}
	var due []int64
	for _, at := range []int64{5, 3, 3, 9, 1} {
		q.Set("x", at)
	}
	q.Due(7, func(k string, at int64) error {
		due = append(due, at)
		if at == 3 {
			q.Set("y", 4)
			q.Delete("x", 5)
		}
		return nil
	})
	if len(due) != 3 || due[0] != 1 || due[1] != 3 || due[2] != 4 {
		t.Errorf("due were %v", due)
	}
	if n := testing.AllocsPerRun(100, func() { q.Due(7, nil) }); n > 0 {
		t.Errorf("nothing due allocates %v times", n)
	}
}

// TestKeysAsPeopleWriteThem: a text of digits and numbers of all kinds are found as they are written, whichever the key is.
func TestKeysAsPeopleWriteThem(t *testing.T) {
	s, err := New(Config{Name: "c"})
	if err != nil {
		t.Fatal(err)
	}
	v := NewValue(s, "v", Keys(), Values())
	m := NewMap(s, "m", Keys(), Codec[Key](Keys()), Values())
	set := func(what string, vals ...gearcore.Value) {
		k, err := KeyOf(vals...)
		if err != nil {
			t.Fatal(err)
		}
		v.Set(k, gearcore.Str(what))
		m.Set(k, k, gearcore.Str(what))
	}
	set("a text of digits", gearcore.Str("123"))
	set("a text", gearcore.Str("infinity"))
	set("of an int32", gearcore.Int(7))
	set("of an int", gearcore.Long(-8))
	set("of an int16", gearcore.Short(9))
	set("a fraction", gearcore.Double(1.5))
	set("two of a kind", gearcore.Int(17), gearcore.Str("18"), gearcore.Int(19))
	set("a number", gearcore.Long(5))
	set("its digits", gearcore.Str("5"))
	for text, want := range map[string]string{
		"123": "a text of digits", "infinity": "a text", "7": "of an int32", "-8": "of an int", "9": "of an int16", "1.5": "a fraction",
		`[17, "18", 19]`: "two of a kind", "5": "a number", `["5"]`: "its digits", "77": "", `["77"]`: "", "18": "",
	} {
		got, found, err := s.Lookup("v", text)
		if err != nil || found != (want != "") || found && string(got) != fmt.Sprintf("%q", want) {
			t.Errorf("%s: %s, %v, %v, want %q", text, got, found, err, want)
		}
		if got, found, err := s.Lookup("m", text); err != nil || found != (want != "") || found && !strings.Contains(string(got), want) {
			t.Errorf("%s in a map: %s, %v, %v, want %q", text, got, found, err, want)
		}
	}
	for _, text := range []string{"[", `[1e999]`} {
		if _, _, err := s.Lookup("v", text); err == nil || !strings.Contains(err.Error(), "parse key") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

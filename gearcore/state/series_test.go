package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// TestSeries lets elements end one by one, drops some, and finds them again behind a restore, in memory and on disk.
func TestSeries(t *testing.T) {
	for _, cfg := range []Config{{}, {Dir: t.TempDir(), Memory: 1}} {
		open := func() (*Store, *Series[string, string]) {
			s, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			s.lim.growth = 1
			return s, NewSeries(s, "q", Strings[string](), Codec[string](Strings[string]()), WithTTL(TTL{After: 100 * time.Millisecond, EventTime: true}))
		}
		s, q := open()
		shows := func(q *Series[string, string], want string) {
			t.Helper()
			got := ""
			for _, e := range q.All("k") {
				got += fmt.Sprintf("%d%s %d ", e.Number, e.Value, e.End)
			}
			if got != want {
				t.Errorf("disk %v: it has %s, want %s", cfg.Dir != "", got, want)
			}
			if err := q.m.t.store.Trim(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range int64(12) {
			s.SetEventTime(gearcore.Watermark(1000 + 10*i))
			q.Set("k", i, fmt.Sprint("e", i))
			q.Set("other", i, "x")
		}
		shows(q, "2e2 1120 3e3 1130 4e4 1140 5e5 1150 6e6 1160 7e7 1170 8e8 1180 9e9 1190 10e10 1200 11e11 1210 ")
		q.Drop("k", 0, 8)
		shows(q, "8e8 1180 9e9 1190 10e10 1200 11e11 1210 ")
		q.Drop("k", 9, 1<<50)
		shows(q, "8e8 1180 ")
		text, found, err := s.Lookup("q", "k")
		if string(text) != `["e8"]` || !found || err != nil || s.Handles()["q"] != "list" {
			t.Errorf("it shows %s, %v, %v", text, found, err)
		}
		vault := newVault()
		part, _, _ := save(t, s, 1, vault)
		again, restored := open()
		if err := again.Restore(recovery(part, vault)); err != nil {
			t.Fatal(err)
		}
		again.SetEventTime(1170)
		shows(restored, "8e8 1180 ")
		again.SetEventTime(1180)
		shows(restored, "")
		for _, s := range []*Store{s, again} {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// The clock of TTLs stands still while the machine's has been set back.
func TestClockOfTTLsRises(t *testing.T) {
	shows := []int64{5, 9, 3, 8, 10}
	now := rising(func() int64 {
		first := shows[0]
		shows = shows[1:]
		return first
	})
	for i, want := range []int64{5, 9, 9, 9, 10} {
		if got := now(); got != want {
			t.Errorf("reading %d is %d, want %d", i, got, want)
		}
	}
}

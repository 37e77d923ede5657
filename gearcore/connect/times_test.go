package connect

import (
	"math"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

func TestTooFar(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for _, c := range []struct {
		at    int64
		ahead time.Duration
		want  bool
	}{
		{math.MinInt64, MaxAhead, false}, {0, MaxAhead, false}, {1_700_000_000_000, 0, false}, {1_700_000_000_001, 0, true},
		{1_700_086_400_000, MaxAhead, false}, {1_700_086_400_001, MaxAhead, true}, {1_700_000_000_000_000, MaxAhead, true},
		{gearcore.MaxTime, -1, false}, {gearcore.MaxTime + 1, -1, true}, {math.MaxInt64, -1, true}, {math.MaxInt64, math.MaxInt64, true},
	} {
		if got := TooFar(c.at, now, c.ahead); got != c.want {
			t.Errorf("%d with %v: %v, want %v", c.at, c.ahead, got, c.want)
		}
	}
}

func TestRarely(t *testing.T) {
	var r Rarely
	begun := time.UnixMilli(1_700_000_000_000)
	for i, want := range []bool{true, false, false, true, false} {
		if got := r.Now(begun.Add(time.Duration(i) * 20 * time.Second)); got != want {
			t.Errorf("after %d s: %v, want %v", 20*i, got, want)
		}
	}
}

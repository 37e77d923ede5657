package storm

import (
	"math"
	"testing"
)

// A tuple of a time long before 1970 does not bring the watermark to its end, after which all others would be late.
func TestTimeBeforeAllTimes(t *testing.T) {
	id := streamID{"in", "default"}
	s := &streamTimes{inputs: []streamID{id}, lag: 5, newest: map[streamID]int64{}}
	for _, step := range []struct {
		newest, want int64
		risen        bool
	}{{math.MinInt64, 0, false}, {-1, 0, false}, {5, 0, false}, {100, 95, true}, {100, 0, false}} {
		s.newest[id] = step.newest
		if w, risen := s.advance(); w != step.want || risen != step.risen {
			t.Errorf("newest time %d: watermark %d, risen %v, want %d, %v", step.newest, w, risen, step.want, step.risen)
		}
	}
	if s.last != 95 {
		t.Errorf("the watermark is %d, want 95", s.last)
	}
}

package storm

// streamTimes makes the watermark of a windowed bolt as Storm's WaterMarkEventGenerator: the least, over the streams that it listens to, of the
// newest time less the lag, once each of them has brought a tuple.
type streamTimes struct {
	inputs int // how many streams there are
	lag    int64
	newest map[streamID]int64
	last   int64 // watermark
}

type streamID struct{ component, stream string }

// saw notes a tuple's time and says whether it is on time.
func (s *streamTimes) saw(t Tuple, at int64) bool {
	id := streamID{t.Component(), t.Stream()}
	if newest, ok := s.newest[id]; !ok || at > newest {
		s.newest[id] = at
	}
	return at >= s.last
}

// advance returns the watermark if it has risen since the last time.
func (s *streamTimes) advance() (w int64, risen bool) {
	if len(s.newest) < s.inputs {
		return 0, false
	}
	w = none
	for _, at := range s.newest {
		w = min(w, at)
	}
	w -= s.lag
	if w <= s.last {
		return 0, false
	}
	s.last = w
	return w, true
}

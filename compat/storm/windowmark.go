package storm

import "slices"

// windowMarks is what a task knows of its windows beside their tuples. The zero value is that of a task that begins.
type windowMarks struct {
	// Of the eviction policy.
	Begun                                bool
	Reference, Drift, Current, Processed int64
	// Of the trigger.
	Count     int
	End, Last int64
	// Of the watermark: the newest time of each stream.
	Watermark int64
	Newest    []newestTime
	// Of the queue.
	Triggers  uint64
	SinceScan int
	// Of a windowStore: the number of the next tuple, those of the last window and those that left it since, and the streams that tuples
	// name by their place here.
	Next         uint64
	Window, Left []numbers
	Streams      []keptStream
}

type newestTime struct {
	Component, Stream string
	At                int64
}

// streamTimes makes the watermark of a windowed bolt as Storm's WaterMarkEventGenerator: the least, over the streams that it listens to, of
// the newest time less the lag, once each of them has brought a tuple.
type streamTimes struct {
	inputs []streamID
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
	if len(s.newest) < len(s.inputs) {
		return 0, false
	}
	w = none
	for _, at := range s.newest {
		w = min(w, at)
	}
	if w <= s.last || w-s.lag <= s.last { // the first, since the lag of a time long before 1970 would be one long after it
		return 0, false
	}
	s.last = w - s.lag
	return s.last, true
}

func (s *streamTimes) save(m *windowMarks) {
	m.Watermark = s.last
	for id, at := range s.newest {
		m.Newest = append(m.Newest, newestTime{id.component, id.stream, at})
	}
}

// load leaves out streams that an earlier version of the topology listened to: they would hold back the watermark for ever.
func (s *streamTimes) load(m *windowMarks) {
	s.last = m.Watermark
	clear(s.newest)
	for _, n := range m.Newest {
		if id := (streamID{n.Component, n.Stream}); slices.Contains(s.inputs, id) {
			s.newest[id] = n.At
		}
	}
}

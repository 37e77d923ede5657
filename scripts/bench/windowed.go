package main

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/stream"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// Events of kindWindow, the same as those of Events.java: event time begins at eventBegin, eventTicks events happen in each of its
// milliseconds, and come out of order by less than eventJitter.
const (
	eventBegin  = 1_700_000_000_000
	eventKeys   = 1000
	eventTicks  = 10
	eventJitter = 1000 // ms
	windowTime  = 10 * time.Second
	windowLag   = time.Second
	// openEvents is how many events may be in windows that are not complete when the source stops.
	openEvents = eventTicks * (int64(windowTime+windowLag)/int64(time.Millisecond) + eventJitter)
)

type event struct {
	Key  string
	Time int64
}

// windows counts events by key in windows of event time.
func windows(s *shape) *stream.Topology {
	t := stream.New("windows")
	times := stream.Times(func(e event) time.Time { return time.UnixMilli(e.Time) }, stream.Bounded(windowLag))
	in := stream.From(t, sourceName, func() stream.Source[event] { return &eventSource{shape: s} }, times)
	byKey := stream.KeyBy(in, "by-key", func(e event) string { return e.Key })
	counts := stream.Count(stream.Window(byKey, window.Tumbling(windowTime)), middleName, stream.Parallelism(s.Tasks))
	sink := stream.SinkFactory[stream.Pane[string, int64]](func() stream.Sink[stream.Pane[string, int64]] { return &totals{shape: s} })
	stream.To(counts, sinkName, sink, stream.Parallelism(1))
	return t
}

// eventSource is the twin of Events.java.
type eventSource struct {
	*shape
	tally *tally
	keys  []string
	n     int64
}

func (s *eventSource) Open(ctx *gearcore.Context) (err error) {
	for i := range eventKeys {
		s.keys = append(s.keys, fmt.Sprintf("key%04d", i))
	}
	s.tally, err = s.join(ctx.Component)
	return err
}

func (s *eventSource) Next(out *stream.Out[event]) error {
	for range publishEvery {
		i := s.n
		out.Emit(event{s.keys[i*7919%eventKeys], eventBegin + i/eventTicks - i*31%eventJitter})
		s.n++
	}
	s.tally.emitted.Store(s.n)
	return nil
}

func (s *eventSource) Close() {}

// totals adds up counts, so that its figures are of events that were counted. Its twin is Totals.java.
type totals struct {
	*shape
	tally  *tally
	events int64
}

func (s *totals) Open(ctx *gearcore.Context) (err error) {
	s.tally, err = s.join(ctx.Component)
	return err
}

func (s *totals) Write(p stream.Pane[string, int64], _ time.Time) error {
	s.events += p.Value
	s.tally.arrived(s.events, 0)
	return nil
}

func (s *totals) Close() {}

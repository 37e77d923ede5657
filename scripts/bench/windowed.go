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
	windowSpan  = int64(windowTime / time.Millisecond)
	// openEvents is how many events may be in windows that are not complete when the source stops.
	openEvents = eventTicks * (windowSpan + int64(windowLag/time.Millisecond) + eventJitter)
	// eventsPerCount is how many events of a key are in a window: its events are all late by the same time.
	eventsPerCount = eventTicks * windowSpan / eventKeys
)

// eventAt is when event i happened.
func eventAt(i int64) int64 { return eventBegin + i/eventTicks - i*31%eventJitter }

// countedEvents computes one by one how many of the first n events are in windows that are complete when they were emitted.
func countedEvents(n int64) (counted int64) {
	const disorder = eventTicks * eventJitter // an event that follows as many others is later than all of them
	newest := int64(0)
	for i := max(0, n-disorder); i < n; i++ {
		newest = max(newest, eventAt(i))
	}
	complete := (newest - int64(windowLag/time.Millisecond)) / windowSpan * windowSpan
	first := max(0, (complete-eventBegin)*eventTicks)
	counted = first
	for i := first; i < min(n, first+disorder); i++ {
		if eventAt(i) < complete {
			counted++
		}
	}
	return counted
}

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
		out.Emit(event{s.keys[i*7919%eventKeys], eventAt(i)})
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

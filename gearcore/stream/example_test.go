package stream_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/stream"
	"github.com/gearstorm/gearstorm/gearcore/stream/streamtest"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// Line is what somebody wrote, and when.
type Line struct {
	Text string
	At   int64 // seconds since 1970
}

// Time is when it was written.
func (l Line) Time() time.Time { return time.Unix(l.At, 0) }

// log is a source of lines. In these examples streamtest sends them instead.
var log = stream.Slice([]Line{})

// discard is a sink. In these examples streamtest gets what it would.
func discard[T any]() stream.SinkFunc[T] { return func(T, time.Time) error { return nil } }

// show prints what an end got.
func show[T any](h *streamtest.Harness, end string) {
	for _, v := range streamtest.Take[T](h, end) {
		fmt.Println(v)
	}
}

// Words are counted by windows of ten seconds of the time at which they were written. Lines may be up to five seconds
// out of order: a window is complete when a line came that is five seconds younger than its end.
func Example() {
	t := stream.New("word-count")
	lines := stream.From(t, "lines", log, stream.Times(Line.Time, stream.Bounded(5*time.Second)))
	words := stream.FlatMap(lines, "split", func(l Line, emit func(string)) {
		for _, w := range strings.Fields(l.Text) {
			emit(w)
		}
	})
	byWord := stream.KeyBy(words, "by-word", func(w string) string { return w })
	counts := stream.Count(stream.Window(byWord, window.Tumbling(10*time.Second)), "count")
	stream.To(counts, "out", discard[stream.Pane[string, int64]]())

	h := streamtest.Run(streamtest.Must, t)
	h.Send("lines", Line{"to be", 3}, Line{"or not", 12}, Line{"to be", 8}) // the last one is late, but not too late
	h.Send("lines", Line{"that is", 15})
	show[stream.Pane[string, int64]](h, "out")
	// Output:
	// to@[0,10000)=2
	// be@[0,10000)=2
}

// What comes after its window was complete leaves aside, and so does what has no time that can be believed. With Lateness a
// window waits longer, and shows itself again whenever something was added.
func Example_late() {
	t := stream.New("late")
	lines := stream.From(t, "lines", log, stream.Times(Line.Time, stream.Bounded(0)))
	byText := stream.KeyBy(lines, "by-text", func(l Line) string { return l.Text })
	counts := stream.Count(stream.Window(byText, window.Tumbling(10*time.Second),
		stream.Lateness(20*time.Second), stream.Accumulating()), "count")
	stream.To(counts, "out", discard[stream.Pane[string, int64]]())
	stream.To(stream.Late[Line](counts), "late", discard[Line]())
	stream.To(stream.Untimed[Line](lines), "untimed", discard[Line]())

	h := streamtest.Run(streamtest.Must, t)
	h.Send("lines", Line{"a", 3}, Line{"b", 11}, Line{"no time", -1})
	h.Send("lines", Line{"a", 4})
	h.Send("lines", Line{"b", 45})
	h.Send("lines", Line{"a", 5})
	show[stream.Pane[string, int64]](h, "out")
	show[Line](h, "late")
	show[Line](h, "untimed")
	// Output:
	// a@[0,10000)=1
	// a@[0,10000)=2 late
	// b@[10000,20000)=1
	// {a 5}
	// {no time -1}
}

// Bid and Auction are what Example_join puts together.
type (
	Auction struct {
		Item string
		At   int64
	}
	Bid struct {
		Item  string
		Price int
		At    int64
	}
)

// Two streams are joined by key and window.
func Example_join() {
	t := stream.New("auctions")
	auctions := stream.From(t, "auctions", stream.Slice([]Auction{}), stream.Times(func(a Auction) time.Time { return time.Unix(a.At, 0) }, stream.Bounded(0)))
	bids := stream.From(t, "bids", stream.Slice([]Bid{}), stream.Times(func(b Bid) time.Time { return time.Unix(b.At, 0) }, stream.Bounded(0)))
	best := stream.CoGroup(
		stream.Window(stream.KeyBy(auctions, "auction-item", func(a Auction) string { return a.Item }), window.Tumbling(time.Minute)),
		stream.KeyBy(bids, "bid-item", func(b Bid) string { return b.Item }), "best",
		func(item string, s stream.Sides[Auction, Bid], emit func(string)) {
			most := 0
			for _, b := range s.Right {
				most = max(most, b.Price)
			}
			if len(s.Left) > 0 {
				emit(fmt.Sprintf("%s: %d bids, at most %d", item, len(s.Right), most))
			}
		})
	stream.To(best, "out", discard[string]())

	h := streamtest.Run(streamtest.Must, t)
	h.Send("auctions", Auction{"lamp", 1}, Auction{"chair", 2})
	h.Send("bids", Bid{"lamp", 7, 5}, Bid{"lamp", 9, 6}, Bid{"table", 3, 7})
	h.End()
	show[string](h, "out")
	// Unordered output:
	// lamp: 2 bids, at most 9
	// chair: 0 bids, at most 0
}

// A Processor is a step of one's own, with state by key and timers. This one tells who wrote nothing for a minute.
type silence struct{ last *stream.Value[string, int64] }

func (s *silence) Process(l Line, c *stream.Scope[string, string]) error {
	if last, ok := s.last.Get(); ok {
		c.DropTimer(time.Unix(last, 0).Add(time.Minute))
	}
	s.last.Set(l.At)
	c.SetTimer(c.Time().Add(time.Minute))
	return nil
}

func (s *silence) Timer(_ time.Time, c *stream.Scope[string, string]) error {
	last, _ := s.last.Get()
	s.last.Delete()
	c.Emit(fmt.Sprintf("%s wrote last at %d", c.Key(), last))
	return nil
}

// State and timers are in checkpoints: a crash changes nothing.
func ExampleProcess() {
	t := stream.New("silence")
	lines := stream.From(t, "lines", log, stream.Times(Line.Time, stream.Bounded(0)))
	byWho := stream.KeyBy(lines, "by-who", func(l Line) string { return l.Text })
	silent := stream.Process(byWho, "silent", func(s *stream.State[string]) stream.Processor[string, Line, string] {
		return &silence{stream.NewValue[int64](s, "last")}
	})
	stream.To(silent, "out", discard[string]())

	h := streamtest.Run(streamtest.Must, t)
	h.Send("lines", Line{"ada", 1}, Line{"grace", 10}).Checkpoint()
	h.Send("lines", Line{"ada", 30}).Crash()
	h.Rescale("silent", 3)
	h.Send("lines", Line{"eve", 80})
	show[string](h, "out")
	// Output:
	// grace wrote last at 10
}

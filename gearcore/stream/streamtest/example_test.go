package streamtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/stream"
	"github.com/gearstorm/gearstorm/gearcore/stream/streamtest"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// words declares a word count by windows of ten seconds.
func words() *stream.Topology {
	t := stream.New("word-count")
	lines := stream.From(t, "lines", stream.Slice[string](nil), stream.SourceTimes[string](stream.Bounded(2*time.Second)))
	split := stream.FlatMap(lines, "split", func(line string, emit func(string)) {
		for _, w := range strings.Fields(line) {
			emit(w)
		}
	})
	byWord := stream.KeyBy(split, "by-word", func(w string) string { return w })
	counts := stream.Count(stream.Window(byWord, window.Tumbling(10*time.Second)), "count", stream.Parallelism(2))
	stream.To(counts, "out", stream.SinkFunc[stream.Pane[string, int64]](func(stream.Pane[string, int64], time.Time) error { return nil }))
	stream.To(stream.Late[string](counts), "late", stream.SinkFunc[string](func(string, time.Time) error { return nil }))
	stream.To(stream.Untimed[string](lines), "untimed", stream.SinkFunc[string](func(string, time.Time) error { return nil }))
	return t
}

func TestWordCount(t *testing.T) {
	h := streamtest.Run(t, words())
	h.Send("lines", streamtest.At(1, "a b a"), streamtest.At(9, "b"), "no time", streamtest.At(11, "a"))
	h.Expect("out").Expect("untimed", "no time")
	h.Send("lines", streamtest.At(8, "a")).Send("lines", streamtest.At(12, "c"))
	h.Expect("out", "a@[0,10000)=3", "b@[0,10000)=2").Expect("late")
	h.Send("lines", streamtest.At(7, "z"))
	h.Expect("late", "z")
	h.End("lines").Expect("out", "a@[10000,20000)=1", "c@[10000,20000)=1")
}

func TestWordCountGoesOnFromCheckpoints(t *testing.T) {
	h := streamtest.Run(t, words())
	h.Send("lines", streamtest.At(1, "a b a")).Checkpoint().Send("lines", streamtest.At(2, "a"), streamtest.At(13, "a"))
	h.Expect("out", "a@[0,10000)=3", "b@[0,10000)=1")
	h.Rollback().Expect("out", "a@[0,10000)=3", "b@[0,10000)=1")
	h.Checkpoint().Crash().Expect("out")
	h.Send("lines", streamtest.At(7, "z")).Expect("late", "z")
	h.Rescale("count", 5).Rescale("count", 1)
	h.Send("lines", streamtest.At(14, "a")).End("lines").Expect("out", "a@[10000,20000)=2")
}

// A source that has more tasks than what it was sent goes to does not hold back event time with those that have nothing.
func TestSourceWithMoreTasks(t *testing.T) {
	h := streamtest.Run(t, words())
	h.Send("lines", streamtest.At(1, "a b a")).Rescale("lines", 3)
	h.Send("lines", streamtest.At(13, "a")).Expect("out", "a@[0,10000)=2", "b@[0,10000)=1")
	h.Rescale("lines", 1).Send("lines", streamtest.At(14, "a")).End("lines").Expect("out", "a@[10000,20000)=2")
}

package exact

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/file"
	"github.com/gearstorm/gearstorm/gearcore/stream"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// Windows describes a topology that counts events by key in windows of event time, a fifth of the events out of order. What its sources
// emit, and so what comes out, follows from the numbers of the events alone: no clock of a machine has a part in it.
type Windows struct {
	// Dir gets the counts, on a disk that all workers see. It must exist and be absolute.
	Dir string `json:"dir"`
	// Events is how many each of the two sources emits, Rate how many a second; 0: as many as it can.
	Events int `json:"events"`
	Rate   int `json:"rate"`
	// Workers is topology.workers; default 1. Conf goes over the rest of the configuration.
	Workers int            `json:"workers"`
	Conf    map[string]any `json:"-"`
}

// windowsMark is the first of a worker's program arguments that say that its topology is one of Windows.
const windowsMark = "gearstorm-windows"

const (
	windowSources = 2
	windowKeys    = 31
	windowSize    = time.Second
	eventEvery    = 2 * time.Millisecond // of a source's events, in their own time
	eventLate     = 800 * time.Millisecond
)

// firstEvent is when the first event happened: far from where any clock of a test is.
var firstEvent = time.Date(2020, 2, 2, 0, 0, 0, 0, time.UTC)

// event is one of a source's; n counts from 0.
type event struct {
	Source, N int
}

// at is when it happened: in the order of the numbers, but a fifth of them happened up to eventLate earlier.
func (e event) at() time.Time {
	at := firstEvent.Add(time.Duration(e.N) * eventEvery)
	if h := mix(e.Source, e.N); h%5 == 0 {
		at = at.Add(-time.Duration(h/5%uint64(eventLate/time.Millisecond)) * time.Millisecond)
	}
	return at
}

func (e event) key() string { return "k" + strconv.Itoa(int(mix(e.N, e.Source)%windowKeys)) }

// mix makes a number of two that looks random.
func mix(a, b int) uint64 {
	h := uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b+1)*0xbf58476d1ce4e5b9
	h ^= h >> 29
	h *= 0x94d049bb133111eb
	return h >> 3
}

// count is a line of the output.
type count struct {
	Key   string
	Start int64 // of the window, in milliseconds since 1970
	Count int64
}

func (w Windows) define(t *stream.Topology) {
	events := stream.From(t, "events", func() stream.Source[event] { return &eventSource{w: w} },
		stream.Times(event.at, stream.Bounded(eventLate)), stream.Parallelism(windowSources))
	byKey := stream.KeyBy(events, "by-key", event.key)
	counts := stream.Count(stream.Window(byKey, window.Tumbling(windowSize)), "count", stream.Parallelism(2))
	lines := stream.Map(counts, "lines", func(p stream.Pane[string, int64]) count { return count{p.Key, p.Span.Start, p.Value} })
	stream.ToTask(lines, "out", func() (gearcore.Task, error) { return file.NewSink(file.SinkOptions{Dir: w.Dir}) }, stream.Parallelism(2))
}

// Build makes the topology. Its components are found in workers by WindowsRegistryOf.
func (w Windows) Build() (*storm.Topology, error) {
	if !filepath.IsAbs(w.Dir) || w.Events < 1 || w.Rate < 0 {
		return nil, fmt.Errorf("a topology with windows needs an absolute folder and events, at a rate that is not below 0: it has %q, %d and %d", w.Dir, w.Events, w.Rate)
	}
	described := conf.Conf{}
	if err := described.Describe(windowsMark, w); err != nil {
		return nil, err
	}
	t := stream.New("windows")
	w.define(t)
	b := storm.NewTopologyBuilder()
	b.AddStream(t)
	b.Workers(max(w.Workers, 1))
	for key, value := range described {
		b.AddConfig(key, value)
	}
	for key, value := range w.Conf {
		b.AddConfig(key, value)
	}
	return b.Build()
}

// WindowsRegistryOf makes the components for a worker of a topology with that conf; nil if the topology is not one of Windows.
func WindowsRegistryOf(c conf.Conf) (*storm.Registry, error) {
	var w Windows
	if ours, err := c.Described(windowsMark, &w); !ours || err != nil {
		return nil, err
	}
	built, err := w.Build()
	if err != nil {
		return nil, err
	}
	return built.Components, nil
}

// Wrong compares what came out with what a sequential computation gives; "" is that all is the same. left is how many windows have not come out yet.
func (w Windows) Wrong() (wrong string, left int, err error) {
	want := map[string]int64{}
	for s := range windowSources {
		for n := range w.Events {
			e := event{s, n}
			want[fmt.Sprintf("%s\t%d", e.key(), e.at().Truncate(windowSize).UnixMilli())]++
		}
	}
	files, err := filepath.Glob(filepath.Join(w.Dir, "part-*"))
	if err != nil {
		return "", 0, err
	}
	slices.Sort(files)
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", 0, err
		}
		for line := range strings.Lines(string(b)) {
			at := strings.LastIndexByte(line, '\t')
			if at < 0 {
				return fmt.Sprintf("%s has the line %q", filepath.Base(path), line), 0, nil
			}
			name := line[:at]
			n, err := strconv.ParseInt(strings.TrimSpace(line[at:]), 10, 64)
			if err != nil || n != want[name] {
				return fmt.Sprintf("%s counts %q, want %d, 0 being a window that is not or came twice", filepath.Base(path), line, want[name]), 0, nil
			}
			delete(want, name)
		}
	}
	return "", len(want), nil
}

// eventSource emits the events of a source.
type eventSource struct {
	w     Windows
	index int
	next  int
	began time.Time // next was base then
	base  int
}

func (s *eventSource) Open(ctx *gearcore.Context) error {
	s.index, s.began = ctx.Index, time.Now()
	return nil
}

func (s *eventSource) Next(out *stream.Out[event]) error {
	if s.next >= s.w.Events {
		return stream.ErrEnd
	}
	if s.w.Rate > 0 && s.next-s.base >= int(time.Since(s.began).Seconds()*float64(s.w.Rate)) {
		return stream.ErrIdle
	}
	out.Emit(event{s.index, s.next})
	s.next++
	return nil
}

// Freeze implements gearcore.Checkpointed.
func (s *eventSource) Freeze(uint64) (gearcore.Frozen, error) {
	return frozen{value: s.next, note: fmt.Sprintf("offset %d", s.next)}, nil
}

// Restore implements gearcore.Checkpointed.
func (s *eventSource) Restore(r *gearcore.Recovery) error {
	s.next = 0
	_, err := restored(r, &s.next)
	s.began, s.base = time.Now(), s.next
	return err
}

func (s *eventSource) Close() {}

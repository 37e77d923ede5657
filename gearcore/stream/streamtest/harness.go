package streamtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/gearcore/stream"
)

// TB is what a Harness needs of a test: any testing.TB, or Must.
type TB interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Cleanup(f func())
}

// Must is a TB for examples and programs: what is wrong panics, and nothing is cleaned up.
var Must TB = must{}

type must struct{}

func (must) Helper()                           {}
func (must) Cleanup(func())                    {}
func (must) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (must) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (must) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Harness runs a topology in a test. Its methods fail the test when something is wrong, and return it, so that calls can be
// chained. It belongs to the goroutine of the test.
type Harness struct {
	tb         TB
	components []*stream.Component
	tasks      map[string]int // by component, where it is another number than declared
	rnd        *rand.Rand     // nil: what was ready first runs first

	sinks, sources bool // are real

	clock  clock
	driver *engine.Driver
	inputs map[string]*lanes
	outs   map[string]*output

	store      checkpoint.Memory
	parts      map[uint64]map[string][]gearcore.TaskPart // by epoch and component
	plan       *dag.Plan
	generation uint64
	from       uint64 // the checkpoint that the generation began with
	epoch      uint64 // of the newest checkpoint
	errs       []error
	jobs       []func() // of tasks
}

// Option changes how a Harness runs.
type Option func(*Harness)

// Seed makes what runs next a matter of chance, the same for equal seeds. Without it tasks run in the order in which they have become
// ready.
func Seed(n uint64) Option {
	return func(h *Harness) { h.rnd = rand.New(rand.NewPCG(n, n)) }
}

// Sinks lets ends write to their own sinks, which Expect knows nothing of then. What they do on goroutines of their
// own is not waited for, and they may not use Async there.
func Sinks() Option { return func(h *Harness) { h.sinks = true } }

// Sources lets sources emit what is theirs, so that there is nothing to Send.
func Sources() Option { return func(h *Harness) { h.sources = true } }

// Run begins to run a topology, which the test has declared and nobody else runs, until the end of the test.
func Run(tb TB, t *stream.Topology, opts ...Option) *Harness {
	tb.Helper()
	h := &Harness{tb: tb, tasks: map[string]int{}, inputs: map[string]*lanes{}, outs: map[string]*output{}}
	h.parts = map[uint64]map[string][]gearcore.TaskPart{}
	for _, o := range opts {
		o(h)
	}
	var err error
	if h.components, err = t.Components(); err != nil {
		tb.Fatal(err)
	}
	for _, c := range h.components {
		if c.Source {
			h.inputs[c.Name] = &lanes{items: make([][]stream.Item, c.Tasks)}
		}
		for _, end := range c.Ends {
			h.outs[end] = newOutput()
		}
	}
	h.start()
	tb.Cleanup(func() { h.driver.Close() })
	h.begin(0)
	return h
}

// Send has the source of that name emit values, in order: Events, or values without a time. Where it has several tasks, they take turns.
func (h *Harness) Send(source string, values ...any) *Harness {
	h.tb.Helper()
	h.Queue(source, values...)
	h.settle()
	return h
}

// Queue is Send that lets nothing happen yet: the values come with what the next call brings about.
func (h *Harness) Queue(source string, values ...any) *Harness {
	h.tb.Helper()
	l := h.input(source)
	for _, v := range values {
		l.add(itemOf(v))
	}
	return h
}

// Watermark has the source of that name, whose events have times, say that none before so many seconds since 1970 are to be expected.
func (h *Harness) Watermark(source string, seconds float64) *Harness {
	h.tb.Helper()
	h.input(source).all(stream.Item{Mark: moment(seconds)})
	h.settle()
	return h
}

// End ends the sources of these names, or all of them if none is named. When all have ended, all windows have.
func (h *Harness) End(sources ...string) *Harness {
	h.tb.Helper()
	if len(sources) == 0 {
		for name := range h.inputs {
			sources = append(sources, name)
		}
	}
	for _, name := range sources {
		h.input(name).all(stream.Item{End: true})
	}
	h.settle()
	return h
}

func (h *Harness) input(source string) *lanes {
	h.tb.Helper()
	l := h.inputs[source]
	if l == nil {
		h.tb.Fatalf("streamtest: the topology has no source %q", source)
	}
	return l
}

// Advance lets d pass by the clock, with all that it brings about.
func (h *Harness) Advance(d time.Duration) *Harness {
	h.tb.Helper()
	end := h.clock.now + d
	for {
		at, ok := h.clock.next()
		if !ok || at > end {
			break
		}
		h.clock.now = max(h.clock.now, at)
		h.clock.ring()
		h.settle()
	}
	h.clock.now = max(h.clock.now, end)
	h.settle()
	return h
}

// Now is what the clock shows.
func (h *Harness) Now() time.Time { return h.clock.Now() }

// Errors returns the errors that steps reported since it was called last. Those that nobody asks for fail the test at the next call of Expect. In a
// topology with checkpoints an error has the effect of a Rollback, which is the test's to call.
func (h *Harness) Errors() []error {
	out := h.errs
	h.errs = nil
	return out
}

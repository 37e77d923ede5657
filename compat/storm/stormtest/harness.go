package stormtest

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Names in the one-component topology that a harness makes.
const (
	component = "tested"
	source    = "source"
	taskID    = gearcore.TaskID(1)
	sourceID  = gearcore.TaskID(2)
)

// waitLimit is how long Wait waits.
const waitLimit = 10 * time.Second

// harness is what Bolt and Spout share.
type harness struct {
	tb   testing.TB
	sink *sink
	c    *gearcore.Collector
	ctx  *gearcore.Context
}

// Emits returns what the component emitted since the last call of Emits.
func (h *harness) Emits() []Emit {
	out := h.sink.emits
	h.sink.emits = nil
	return out
}

// Values returns the values of Emits, for tests that look at nothing else.
func (h *harness) Values() [][]any {
	var out [][]any
	for _, e := range h.Emits() {
		out = append(out, e.Values)
	}
	return out
}

// Errors returns what the component reported or returned so far.
func (h *harness) Errors() []error { return h.sink.errs }

// Paused reports whether the component stopped its input.
func (h *harness) Paused() bool { return h.sink.paused }

// Wait blocks until a goroutine of the component has posted something through an Async, and runs all that was posted. It
// ends the test after ten seconds.
func (h *harness) Wait() {
	h.tb.Helper()
	deadline := time.After(waitLimit)
	for h.sink.runPosts(h.c) == 0 {
		select {
		case <-h.sink.posted:
		case <-deadline:
			h.tb.Fatalf("nothing posted by %s in %v", h.ctx.Component, waitLimit)
		}
	}
}

// newHarness builds a topology with the component that add declares and returns its registry and context.
func newHarness(tb testing.TB, b *storm.TopologyBuilder, d *storm.Declarer, declare func(*storm.Declarer), given map[string]any) (*harness, *storm.Registry) {
	tb.Helper()
	if declare != nil {
		declare(d)
	}
	top, err := b.Build()
	if err != nil {
		tb.Fatalf("build the component: %v", err)
	}
	h := &harness{tb: tb, sink: &sink{posted: make(chan struct{}, 1)}}
	h.c = gearcore.NewCollector(h.sink)
	h.sink.outputs = defaultFirst(d.Streams())
	layout := &gearcore.Layout{
		Streams:    append(slices.Clone(h.sink.outputs), gearcore.Stream{Component: gearcore.SystemComponent, Name: gearcore.TickStream, Fields: []string{"rate_secs"}}),
		Components: map[gearcore.TaskID]string{taskID: component, sourceID: source, gearcore.SystemTask: gearcore.SystemComponent},
	}
	shown, err := shownConf(top, given)
	if err != nil {
		tb.Fatal(err)
	}
	h.ctx = &gearcore.Context{
		TopologyID: "test-1-0", TopologyName: "test", Component: component, Task: taskID, Tasks: []gearcore.TaskID{taskID},
		Conf: shown, Layout: layout, WorkerTasks: []gearcore.TaskID{taskID}, Log: slog.New(slog.DiscardHandler),
	}
	return h, top.Components
}

// shownConf is what a component sees: the topology's conf, the component's own and what the test gave, later ones win.
func shownConf(top *storm.Topology, given map[string]any) (conf.Conf, error) {
	var common *stormrpc.ComponentCommon
	if s := top.Thrift.Spouts[component]; s != nil {
		common = s.Common
	} else {
		common = top.Thrift.Bolts[component].Common
	}
	own, err := conf.ParseJSON([]byte(*common.JSONConf))
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(given)
	if err != nil {
		return nil, err
	}
	extra := conf.Conf{}
	if given != nil {
		if extra, err = conf.ParseJSON(data); err != nil {
			return nil, err
		}
	}
	return conf.Merge(conf.ComponentConf(top.Conf, own), extra), nil
}

// note records an error that the component returned.
func (h *harness) note(err error) {
	if err != nil && !errors.Is(err, gearcore.ErrIdle) {
		h.sink.errs = append(h.sink.errs, err)
	}
}

// defaultFirst moves the default stream to the front, where plain emits go.
func defaultFirst(streams []gearcore.Stream) []gearcore.Stream {
	slices.SortStableFunc(streams, func(a, b gearcore.Stream) int {
		return cmp.Compare(rank(a), rank(b))
	})
	return streams
}

func rank(s gearcore.Stream) int {
	if s.Name == gearcore.DefaultStream {
		return 0
	}
	return 1
}

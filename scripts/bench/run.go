package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/pause"
)

// pace says how long the parts of a run take.
type pace struct {
	warm, stormWarm time.Duration // after the first tuple
	window          time.Duration
	windows         int
}

// sample is what one run of a topology gave, as it is kept in the file of raw results.
type sample struct {
	Scenario string   `json:"scenario"`
	Variant  string   `json:"variant,omitempty"`
	Side     string   `json:"side"` // gearstorm or storm
	Round    int      `json:"round"`
	At       string   `json:"at"`
	Conf     any      `json:"conf"`
	Places   []string `json:"places"`          // the components of each process
	Wrong    string   `json:"wrong,omitempty"` // what does not add up; the run then counts as missed

	Taken   float64   `json:"taken_s"` // from the beginning of the submit until it was taken
	First   float64   `json:"first_s"` // and until the first tuple reached a sink
	Warm    float64   `json:"warm_s"`
	Window  float64   `json:"window_s"`
	Rates   []float64 `json:"rates"` // a second, by window
	Rate    float64   `json:"rate"`  // their median
	CPU     float64   `json:"cpu_ns"`
	Cores   float64   `json:"cores"`   // of workers and what they started
	Daemons float64   `json:"daemons"` // cores of Nimbus, supervisor, ZooKeeper
	Others  float64   `json:"others"`  // cores of everything else on the machine
	Allocs  float64   `json:"allocs,omitempty"`
	Commits int64     `json:"commits,omitempty"` // checkpoints that counted

	Latency map[string]float64 `json:"latency_us,omitempty"`
	Memory  float64            `json:"memory_bytes,omitempty"`
	RSS     float64            `json:"rss_mib"` // of workers and what they started

	// Whole counts after the sources were stopped and everything was at rest.
	Emitted int64 `json:"emitted"`
	Acked   int64 `json:"acked"`
	Failed  int64 `json:"failed"`
	Tuples  int64 `json:"tuples"`
	Sum     int64 `json:"sum,omitempty"`
}

// startLimit is how long the first tuple may take.
const startLimit = 2 * time.Minute

// runner runs topologies and measures them.
type runner struct {
	probes  *listener
	pace    pace
	profile string // folder for profiles, "" for none
}

// run starts a topology on sys, measures it and ends it. An error means that there are no figures; figures that cannot be
// trusted are marked in the sample.
func (r *runner) run(ctx context.Context, sys system, side string, sc *scenario, v variant) (s sample, err error) {
	sh := sc.shape
	sh.Listener, sh.Kept = r.probes.address(), sh.Kept || v.kept
	c := conf.Conf{}
	maps.Copy(c, sc.conf)
	if r.profile != "" && side == sideOurs {
		sh.Profile = filepath.Join(r.profile, sc.name+v.suffix)
	}
	warm := r.pace.warm
	if side == sideStorm || sc.java {
		maps.Copy(c, sc.storm)
		warm = r.pace.stormWarm
	} else {
		maps.Copy(c, v.conf)
	}
	start := time.Now()
	s = sample{Scenario: sc.name, Variant: v.suffix, Side: side, At: start.UTC().Format(time.RFC3339), Conf: c, Warm: warm.Seconds()}
	name := "bench-" + sc.name
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		err = errors.Join(err, sys.kill(ctx))
		r.probes.forget()
	}()
	if err := sys.submit(ctx, name, sh, c); err != nil {
		return s, err
	}
	s.Taken = time.Since(start).Seconds()
	if err := r.running(ctx, sh); err != nil {
		return s, fmt.Errorf("%w; workers said last:\n%s", err, sys.said())
	}
	all, err := r.probes.read(askCounts)
	if err != nil {
		return s, err
	}
	s.First, s.Places = float64(total(all).First-start.UnixNano())/1e9, places(all)
	if sc.firstOnly {
		return s, nil
	}
	if err := pause.For(ctx, warm); err != nil {
		return s, err
	}
	if err := r.measure(ctx, sys, sh, &s); err != nil {
		return s, err
	}
	wrong, err := r.rest(ctx, sys, name, sh, stuck(c), &s)
	if sc.remote {
		wrong = append(wrong, parted(s.Places)...)
	}
	if sh.Kind != kindIdle && slices.Min(s.Rates) == 0 {
		wrong = append(wrong, "nothing arrived for a whole window")
	}
	s.Wrong = strings.Join(wrong, "; ")
	return s, err
}

// running waits until all tasks have reported and tuples reached as many sinks as it takes.
func (r *runner) running(ctx context.Context, sh shape) error {
	for end := time.Now().Add(startLimit); ; {
		all, err := r.probes.read(askCounts)
		if err != nil { // a worker died
			return err
		}
		if tasks(all) == sh.joined() && total(all).Tuples >= sh.begun() {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d tasks reported and %d tuples arrived within %v", tasks(all), sh.joined(), total(all).Tuples, startLimit)
		}
		if err := pause.For(ctx, max(5*time.Millisecond, time.Duration(sh.joined())*10*time.Microsecond)); err != nil { // so that asking is no load
			return err
		}
	}
}

// moment is the state of everything at one time.
type moment struct {
	at               time.Time
	all              []reading
	workers, daemons spent
	busy             time.Duration
}

func (r *runner) look(sys system) (m moment, err error) {
	if m.all, err = r.probes.read(askCounts); err != nil {
		return m, err
	}
	workers, daemons := sys.parts(processes())
	m.workers, m.daemons, m.busy, m.at = spentBy(workers), spentBy(daemons), busy(), time.Now()
	return m, nil
}

// measure fills s with the figures of the windows that begin now.
func (r *runner) measure(ctx context.Context, sys system, sh shape, s *sample) error {
	if sh.Profile != "" {
		if _, err := r.probes.read(askBegin); err != nil {
			return err
		}
		defer r.probes.read(askEnd) // what is wrong with a probe shows at the next reading
	}
	first, err := r.look(sys)
	if err != nil {
		return err
	}
	var cpu, allocs []float64
	last := first
	for range r.pace.windows {
		if err := pause.For(ctx, r.pace.window); err != nil {
			return err
		}
		now, err := r.look(sys)
		if err != nil {
			return err
		}
		n := float64(sh.done(total(now.all)) - sh.done(total(last.all)))
		s.Rates = append(s.Rates, perSecond(last.all, now.all, func(r *reading) int64 { return sh.done(*r) }))
		if n > 0 {
			cpu = append(cpu, float64(now.workers.since(last.workers))/n)
			allocs = append(allocs, float64(total(now.all).Mallocs-total(last.all).Mallocs)/n)
		}
		last = now
	}
	s.Commits = total(last.all).Commits - total(first.all).Commits
	took := last.at.Sub(first.at)
	s.Window = took.Seconds()
	s.Rate, s.CPU, s.Allocs = median(s.Rates), median(cpu), median(allocs)
	share := func(d time.Duration) float64 { return float64(d) / float64(took) }
	s.Cores, s.Daemons = share(last.workers.since(first.workers)), share(last.daemons.since(first.daemons))
	s.Others = max(0, share(last.busy-first.busy)-s.Cores-s.Daemons)
	if h := total(last.all).Latency.since(total(first.all).Latency); len(h) > 0 {
		s.Latency = map[string]float64{}
		for name, p := range map[string]float64{"p50": .5, "p90": .9, "p99": .99, "p999": .999, "max": 1} {
			s.Latency[name] = float64(h.percentile(p)) / 1e3
		}
	}
	for pid := range last.workers {
		if mib, err := residentMiB(pid); err == nil {
			s.RSS += mib
		}
	}
	if sh.Kind == kindIdle {
		all, err := r.probes.read(askMemory)
		if err != nil {
			return err
		}
		s.Memory = float64(total(all).Memory)
	}
	return nil
}

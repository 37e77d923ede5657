package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// How long the parts of a rung of the ladder take.
const (
	yahooRamp  = 3 * time.Second  // at least, at the new rate
	yahooTime  = 20 * time.Second // measured: two windows from end to end
	yahooTail  = 6 * time.Second  // until late events of the last one have come, at the same rate
	yahooRung  = 40 * time.Second // what a rung takes at most, where the system keeps up
	yahooDrain = 15 * time.Second // at most, until everything is counted
	yahooP99   = time.Second      // the goal, and what the ladder looks for
	yahooFine  = 1.3              // the ladder ends when it knows two rates so near to each other, of which one is too high
	yahooLeast = 1000             // and below that
)

// yahooSystem is one who is measured.
type yahooSystem struct {
	name   string
	warm   time.Duration // after its start: a JVM is fast only then
	start  func(ctx context.Context, name string, w yahooWork) error
	stop   func(ctx context.Context) error
	errors func() string
	parts  func(all []process) (workers, daemons []process)
}

// yahooWork is what a topology works with, and how it is told (configuration key "yahoo" in Java).
type yahooWork struct {
	Kafka string `json:"kafka"`
	Topic string `json:"topic"`
	Redis string `json:"redis"`
	Tasks int    `json:"tasks"`
}

// rung is what a rate gave.
type rung struct {
	rate          int
	p50, p99, max time.Duration
	windows       int
	wrong         int           // windows with another count than the sequential computation
	double        int           // of which so many have a larger one: the others may only be late
	behind        time.Duration // until everything was counted
	sent          int64
	cores         string // who used how much of the processors
	failed        string
	first         string // of the wrong windows
}

// sustained says whether the system kept up.
func (r *rung) sustained() bool {
	return r.failed == "" && r.wrong == 0 && r.windows > 0 && r.p99 <= yahooP99
}

func (r *rung) String() string {
	verdict := "kept-up"
	switch {
	case r.failed != "":
		verdict = r.failed
	case r.double > 0:
		verdict = "twice:" + r.first
	case r.wrong > 0:
		verdict = "behind:" + r.first
	case !r.sustained():
		verdict = "late"
	}
	return fmt.Sprintf("p50=%v p99=%v max=%v windows=%d wrong=%d behind=%v events=%d %s %s", r.p50, r.p99, r.max, r.windows, r.wrong,
		r.behind.Round(10*time.Millisecond), r.sent, r.cores, verdict)
}

// steps are the rates that a ladder tries.
type steps struct{ low, high int }

// next returns the next rate after it was found out whether that one is sustained; 0 at the end. Rates double until one is too high, or halve until one is
// not; then those between are tried.
func (s *steps) next(rate int, sustained bool) int {
	if sustained {
		s.low = max(s.low, rate)
	} else {
		s.high = rate
	}
	switch {
	case s.high == 0:
		return rate * 2
	case s.low == 0 && rate/2 < yahooLeast:
		return 0
	case s.low == 0:
		return rate / 2
	case float64(s.high) <= float64(s.low)*yahooFine:
		return 0
	}
	return (s.low + s.high) / 2
}

// climb finds the highest rate that a system keeps up with, nil if there is none, and how many windows had too large counts. The topology goes on from one rate to the next; after one
// that was too high it begins anew.
func climb(ctx context.Context, s *services, sys yahooSystem, first, tasks int, until time.Time, out io.Writer) (best *rung, double int, err error) {
	var on *yahooRun
	defer func() {
		if on != nil {
			err = errors.Join(err, on.end(ctx))
		}
	}()
	ladder := steps{}
	for rate := first; rate > 0; {
		if time.Until(until) < yahooRung {
			fmt.Fprintf(out, "# yahoo %s: out of time before rate=%d\n", sys.name, rate)
			return best, double, nil
		}
		if on == nil {
			if on, err = s.begin(ctx, sys, rate, tasks); err != nil {
				return nil, 0, err
			}
		}
		r, err := on.measure(ctx, rate)
		if err != nil {
			return nil, 0, err
		}
		fmt.Fprintf(out, "yahoo %s rate=%d %v\n", sys.name, rate, r)
		if r.sustained() && (best == nil || r.rate > best.rate) {
			best = r
		}
		double += r.double
		if !r.sustained() {
			ended := on
			on = nil
			if err := ended.end(ctx); err != nil {
				return nil, 0, err
			}
		}
		rate = ladder.next(rate, r.sustained())
	}
	return best, double, nil
}

// yahooRun is a topology that runs, with its events.
type yahooRun struct {
	s      *services
	sys    yahooSystem
	topic  string
	events *events
	sender *sender
	warm   time.Duration // until it is measured first
}

// begin starts a system on an empty topic and waits until it counts. rate is the seed of its events.
func (s *services) begin(ctx context.Context, sys yahooSystem, rate, tasks int) (_ *yahooRun, err error) {
	on := &yahooRun{s: s, sys: sys, topic: fmt.Sprintf("ads-%s-%d-%d", sys.name, rate, time.Now().UnixMilli()), events: newEvents(uint64(rate)),
		warm: sys.warm}
	if err := s.prepare(ctx, on.topic, tasks); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, on.end(ctx))
		}
	}()
	if on.sender, err = newSender(ctx, s.kafka.Addr(), on.topic, tasks, on.events); err != nil {
		return nil, err
	}
	if err := sys.start(ctx, on.topic, yahooWork{Kafka: s.kafka.Addr(), Topic: on.topic, Redis: s.redis.Addr(), Tasks: tasks}); err != nil {
		return nil, err
	}
	if err := on.wake(ctx); err != nil {
		return nil, fmt.Errorf("%w: %s", err, sys.errors())
	}
	return on, nil
}

func (on *yahooRun) end(ctx context.Context) (err error) {
	if on.sender != nil {
		err = on.sender.close()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	return errors.Join(err, on.sys.stop(ctx), on.s.drop(ctx, on.topic))
}

// wake sends an event now and then until the first one was counted: then the topology runs.
func (on *yahooRun) wake(ctx context.Context) error {
	for end := time.Now().Add(startLimit); ; {
		if err := on.sender.batches(ctx, len(on.sender.queues)); err != nil {
			return err
		}
		got, err := on.s.outcomes(ctx)
		if err != nil || len(got) > 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("nothing was counted within %v", startLimit)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// measure sends events at a rate until two windows have passed from end to end.
func (on *yahooRun) measure(ctx context.Context, rate int) (*rung, error) {
	r := &rung{rate: rate}
	// What a machine has no time for while a JVM compiles is no rate that the system does not keep up with.
	if _, err := on.sender.send(ctx, rate, time.Now().Add(on.warm), sendWait); err != nil {
		return nil, err
	}
	on.warm = 0
	from := time.Now().Add(yahooRamp + windowMs*time.Millisecond - 1).Truncate(windowMs * time.Millisecond)
	until := from.Add(yahooTime)
	before := on.s.usage(on.sys)
	late, err := on.sender.send(ctx, rate, until.Add(yahooTail), sendLate)
	if err != nil {
		return nil, err
	}
	r.cores = on.s.usage(on.sys).since(before)
	if r.sent = on.events.sent; late > yahooP99 {
		r.failed = fmt.Sprintf("the machine has no time to send so many: %v late", late.Round(10*time.Millisecond))
		return r, nil
	}
	ended := time.Now()
	got, err := on.s.settle(ctx, on.events)
	if err != nil {
		return nil, err
	}
	r.behind = time.Since(ended)
	r.judge(on.events, got, from.UnixMilli(), until.UnixMilli())
	if r.wrong > 0 {
		r.first += " " + on.sys.errors()
	}
	return r, nil
}

// settle waits until all views are counted, or for as long as it is given.
func (s *services) settle(ctx context.Context, e *events) (map[adWindow]outcome, error) {
	var want int64
	for _, n := range e.views {
		want += n
	}
	for end := time.Now().Add(yahooDrain); ; {
		got, err := s.outcomes(ctx)
		if err != nil {
			return nil, err
		}
		var sum int64
		for _, o := range got {
			sum += o.seen
		}
		if sum >= want || time.Now().After(end) {
			return got, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// judge compares what came out with the sequential computation, and takes the latency of the windows between two times: from when the last of a
// window's views was sent until it was counted.
func (r *rung) judge(e *events, got map[adWindow]outcome, from, to int64) {
	var took []time.Duration
	for w, n := range e.views {
		o := got[w]
		if o.seen != n {
			if o.seen > n {
				r.double++
			}
			if r.wrong++; r.wrong <= 3 {
				r.first += fmt.Sprintf(" campaign %d at %+v: %d, not %d;", w.campaign, time.Duration(w.begin-from)*time.Millisecond, o.seen, n)
			}
		}
		if w.begin >= from && w.begin+windowMs <= to {
			took = append(took, time.Duration(o.updated-e.last[w])*time.Millisecond)
		}
	}
	for w := range got {
		if e.views[w] == 0 {
			r.wrong++
			r.double++
		}
	}
	slices.Sort(took)
	r.windows = len(took)
	if len(took) > 0 {
		r.p50, r.p99, r.max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
}

// usage is what everybody has used of the processors so far.
type usage struct {
	at                           time.Time
	system, kafka, redis, sender spent
	busy                         time.Duration
}

func (s *services) usage(sys yahooSystem) (u usage) {
	all := processes()
	workers, _ := sys.parts(all)
	u.at, u.busy, u.system = time.Now(), busy(), spentBy(workers)
	one := func(pid int) spent {
		return spentBy(slices.DeleteFunc(slices.Clone(all), func(p process) bool { return p.pid != pid }))
	}
	u.kafka, u.redis, u.sender = one(s.kafka.PID()), one(s.redis.PID()), one(os.Getpid())
	return u
}

// since says in cores who used what: cores=system/Kafka/Redis/sender/others.
func (u usage) since(old usage) string {
	took := u.at.Sub(old.at)
	var known time.Duration
	text := "cores="
	for _, d := range []time.Duration{u.system.since(old.system), u.kafka.since(old.kafka), u.redis.since(old.redis), u.sender.since(old.sender)} {
		text += fmt.Sprintf("%.2f/", float64(d)/float64(took))
		known += d
	}
	return text + fmt.Sprintf("%.2f", float64(max(0, u.busy-old.busy-known))/float64(took))
}

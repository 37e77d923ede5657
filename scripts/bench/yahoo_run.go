package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/internal/pause"
)

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
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
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
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
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

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/pause"
)

// restLimit is how long the last tuple may take: over topology.message.timeout.secs.
const restLimit = 40 * time.Second

// done is what a rate counts: acks at the source, else tuples at the sink.
func (s shape) done(r reading) int64 {
	if s.Acked {
		return r.Acked
	}
	return r.Tuples
}

// rest stops the sources and holds the counts against each other until nothing more is emitted and they fit, or too much
// time has passed.
func (r *runner) rest(ctx context.Context, sys system, name string, sh shape, slack int64, s *sample) (wrong []string, err error) {
	stopped, err := sys.deactivate(ctx, name)
	if err != nil {
		return nil, err
	}
	emitted := int64(-1)
	for end := time.Now().Add(restLimit); ; {
		all, err := r.probes.read(askCounts)
		if err != nil {
			return nil, err
		}
		now := total(all)
		s.Emitted, s.Acked, s.Failed, s.Tuples, s.Sum = now.Emitted, now.Acked, now.Failed, now.Tuples, now.Sum
		if !stopped || sh.Kind == kindRing || sh.Kind == kindIdle {
			return nil, nil
		}
		wrong = sh.check(now, slack)
		if now.Emitted == emitted && len(wrong) == 0 || time.Now().After(end) {
			return wrong, nil
		}
		emitted = now.Emitted
		if err := pause.For(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// check says what does not add up in counts at rest, where a source publishes everything and a sink every 64th tuple. As many
// as slack may be stuck.
func (s shape) check(r reading, slack int64) (wrong []string) {
	least, most := s.arrived(r.Emitted, slack)
	if r.Tuples < least || r.Tuples > most {
		wrong = append(wrong, fmt.Sprintf("%d tuples emitted, %d at the sink instead of %d to %d", r.Emitted, r.Tuples, least, most))
	}
	if s.Kind == kindCounted && r.Failed != 0 {
		wrong = append(wrong, fmt.Sprintf("%d counts are wrong", r.Failed))
	}
	if missing := r.Emitted - r.Acked; s.Acked && (missing < 0 || missing > slack || r.Failed != 0) {
		wrong = append(wrong, fmt.Sprintf("%d tuples emitted, %d acked, %d failed", r.Emitted, r.Acked, r.Failed))
	}
	if want := r.Tuples * s.sum(); s.Read && r.Sum != want {
		wrong = append(wrong, fmt.Sprintf("the bytes at the sink add up to %d, not %d", r.Sum, want))
	}
	return wrong
}

// arrived is how many tuples are at the sinks at rest when so many were emitted.
func (s shape) arrived(emitted, slack int64) (least, most int64) {
	switch {
	case s.Kind == kindCounted:
		return emitted, emitted
	case s.Kind != kindWindow:
		most = emitted * s.fanout()
		return most - publishEvery*s.sinks() + 1 - slack, most
	case slack == 0:
		most = countedEvents(emitted)
		return most, most
	}
	// Half of what is stuck are events, which hold the watermark back as well, and half are counts.
	return emitted - openEvents - slack/2*(1+eventsPerCount), emitted
}

// stuckEdges is how many edges of a line may hold a batch that is not full: two of tuples, two of acks.
const stuckEdges = 4

// stuck is how many tuples may be missing at rest. Once its spout is inactive, Storm with batches of more than one may send the last
// ones only when others have filled them. With single tuples all of them arrive.
func stuck(c conf.Conf) int64 {
	batch, _ := c["topology.producer.batch.size"].(int)
	return int64(batch) * stuckEdges
}

// parted says what is wrong with the places of a line on two workers whose edges shall all be remote.
func parted(places []string) []string {
	for _, p := range places {
		if strings.Contains(p, middleName) && p != middleName {
			return []string{fmt.Sprintf("not every edge is remote: the processes have %q", places)}
		}
	}
	if len(places) != 2 {
		return []string{fmt.Sprintf("the tasks are in %d processes: %q", len(places), places)}
	}
	return nil
}

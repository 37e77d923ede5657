package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// commitTimeout bounds one commit of offsets.
const commitTimeout = 10 * time.Second

// committer commits offsets to a group, elsewhere; of several that wait only the newest. Without a group it does nothing.
type committer struct {
	admin *kadm.Client
	group string
	async *gearcore.Async
	loop  connect.Loop
	last  time.Time

	frozen []frozenPlaces // of checkpoints that may still count, by epoch

	mu   sync.Mutex
	next places // to commit; nil: nothing
}

type frozenPlaces struct {
	epoch uint64
	at    places
}

func (k *committer) open(client *kgo.Client, group string, async *gearcore.Async) {
	if group == "" {
		return
	}
	k.admin, k.group, k.async = kadm.NewClient(client), group, async
	k.loop.Start(k.work, func(err error) {
		async.Do(0, func(c *gearcore.Collector) { c.ReportError(err) }) // after the end nobody hears
	})
}

// mostFrozen is of how many checkpoints it is remembered what they say. There is one at a time, so of older ones none is going to count.
const mostFrozen = 16

// freeze remembers what a checkpoint says.
func (k *committer) freeze(epoch uint64, at places) {
	if k.group != "" {
		k.frozen = append(k.frozen[max(0, len(k.frozen)+1-mostFrozen):], frozenPlaces{epoch, at})
	}
}

// commit commits what the checkpoint says, which counts.
func (k *committer) commit(epoch uint64) {
	n := 0
	for n < len(k.frozen) && k.frozen[n].epoch <= epoch {
		n++
	}
	if n > 0 {
		k.put(k.frozen[n-1].at)
		k.frozen = k.frozen[n:]
	}
}

// forget forgets checkpoints that may still count.
func (k *committer) forget() { k.frozen = nil }

// put has at committed.
func (k *committer) put(at places) {
	k.mu.Lock()
	k.next = at
	k.mu.Unlock()
	k.loop.Wake()
}

// due reports whether it is time for another commit.
func (k *committer) due(now time.Time, every time.Duration) bool {
	if k.group == "" || now.Sub(k.last) < every {
		return false
	}
	k.last = now
	return true
}

// work commits what waits.
func (k *committer) work(ctx context.Context) error {
	k.mu.Lock()
	at := k.next
	k.next = nil
	k.mu.Unlock()
	if at == nil {
		return nil
	}
	offsets := kadm.Offsets{}
	for topic, t := range at {
		for partition, p := range t.At {
			offsets.AddOffset(topic, partition, p.Next, -1)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	answer, err := k.admin.CommitOffsets(ctx, k.group, offsets)
	if err == nil {
		err = answer.Error()
	}
	if err == nil {
		return nil
	}
	k.mu.Lock()
	if k.next == nil {
		k.next = at
	}
	k.mu.Unlock()
	return fmt.Errorf("commit offsets to group %s: %w", k.group, err)
}

// close commits what waits and ends.
func (k *committer) close() { k.loop.Finish(commitTimeout / 2) }

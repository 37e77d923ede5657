package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
)

// partition is one that a source reads.
type partition struct {
	topic  string
	number int32
	at     place
	since  time.Time // when it last gave a record, or began
	held   []*kgo.Record
	flight flight // what is not acked, without checkpoints
}

// run is records of one partition that were fetched and not emitted.
type run struct {
	of      *partition
	records []*kgo.Record
}

// watermark returns the event time of partitions: the lowest of those that are not idle.
func watermark(parts []*partition, quiet bool, now time.Time, o *SourceOptions) gearcore.Watermark {
	low := gearcore.Idle
	for _, p := range parts {
		if quiet && now.Sub(p.since) >= o.IdleAfter {
			continue
		}
		w := gearcore.Watermark(0)
		if p.at.Newest > 0 {
			w = gearcore.Watermark(p.at.Newest - o.Lateness.Milliseconds())
		}
		low = min(low, w)
	}
	return low
}

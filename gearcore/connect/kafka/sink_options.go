package kafka

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
)

// Mode is what a sink promises.
type Mode string

// The modes. The default is ExactlyOnce, which needs a topology with checkpoints.
const (
	// ExactlyOnce publishes each epoch in one transaction, once. Readers have to read committed records only.
	ExactlyOnce Mode = "exactly-once"
	// Idempotent acks a tuple when Kafka has its record. What the client itself repeats is there once; what is replayed is there
	// again.
	Idempotent Mode = "idempotent"
	// AtLeastOnce is Idempotent without the brokers' help: repeats of the client may be there twice. For brokers that refuse idempotent producers.
	AtLeastOnce Mode = "at-least-once"
)

// SinkOptions says what to write. Zero fields mean the defaults.
type SinkOptions struct {
	Cluster Cluster
	// Topic gets the records that Record gives no topic. In the mode ExactlyOnce it also is what the number of the newest epoch is
	// committed under, so it is required there.
	Topic string
	// Record makes a record of a tuple. r is empty; what it gets is copied. Default: the fields "key" and "message", as Storm's KafkaBolt has
	// them; without these names the last value is the record's value and the one before it, if any, its key. A null key or value is none.
	Record func(t gearcore.Tuple, r *kgo.Record) error
	// Mode is ExactlyOnce, the default, Idempotent or AtLeastOnce.
	Mode Mode
	// ID begins the transactional ids and the groups of the mode ExactlyOnce; "-" and the task's index follow. Two topologies that
	// write to one cluster need different ones. Default "gearstorm-<topology>-<component>".
	ID string
	// TransactionTimeout is how long a transaction may be open until the brokers abort it; they have a limit for it (15 minutes if nobody set another). Default 1
	// minute. An epoch has to be written in that time.
	TransactionTimeout time.Duration
	// MaxRecordBytes bounds a record in the mode ExactlyOnce; a larger one fails its tuple, as does one that is larger than a batch may be
	// (kgo.ProducerBatchMaxBytes in Cluster.Opts; 1 MB if nobody set it). It should not be above the topic's max.message.bytes: then nothing
	// is published any more until that is raised. Default 900 kB, below what Kafka takes by default.
	MaxRecordBytes int
	// MaxInFlight is how many records wait for Kafka in the other modes before the input is stopped. Default 10000.
	MaxInFlight int
	// Outbox bounds what the mode ExactlyOnce holds back.
	Outbox outbox.Options
}

func (o SinkOptions) withDefaults() SinkOptions {
	if o.Mode == "" {
		o.Mode = ExactlyOnce
	}
	if o.Record == nil {
		o.Record = recordOf
	}
	if o.TransactionTimeout == 0 {
		o.TransactionTimeout = time.Minute
	}
	if o.MaxRecordBytes == 0 {
		o.MaxRecordBytes = 900_000
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = 10_000
	}
	return o
}

// modeOpts are the options of a client that the mode decides.
func (o *SinkOptions) modeOpts() []kgo.Opt {
	switch o.Mode {
	case Idempotent:
		return []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks())}
	case AtLeastOnce:
		return []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DisableIdempotentWrite()}
	}
	return []kgo.Opt{kgo.TransactionTimeout(o.TransactionTimeout)}
}

// Validate returns what is wrong with o, all of it.
func (o SinkOptions) Validate() error {
	o = o.withDefaults()
	p := &problems{what: "kafka sink"}
	p.cluster(o.Cluster, o.modeOpts()...)
	p.refuse(o.Mode != ExactlyOnce && o.Mode != Idempotent && o.Mode != AtLeastOnce, "Mode %q: exactly-once, idempotent and at-least-once are known", o.Mode)
	p.refuse(o.Mode == ExactlyOnce && o.Topic == "", "Topic is empty: the mode exactly-once needs one")
	p.refuse(o.TransactionTimeout < time.Second, "TransactionTimeout %v is shorter than 1s", o.TransactionTimeout)
	p.refuse(o.MaxRecordBytes < 1 || o.MaxRecordBytes > outbox.MaxRecord/2, "MaxRecordBytes %d is not between 1 and %d", o.MaxRecordBytes, outbox.MaxRecord/2)
	p.refuse(o.MaxInFlight < 1, "MaxInFlight %d is not positive", o.MaxInFlight)
	if err := o.Outbox.Validate(); err != nil {
		p.errs = append(p.errs, err)
	}
	return p.err()
}

// recordOf is the default of SinkOptions.Record.
func recordOf(t gearcore.Tuple, r *kgo.Record) error {
	key, value := t.FieldIndex("key"), t.FieldIndex("message")
	if value < 0 {
		value, key = t.Len()-1, t.Len()-2
	}
	if value < 0 {
		return fmt.Errorf("a tuple without values: %w", gearcore.ErrFailed)
	}
	r.Value = content(t.Value(value))
	if key >= 0 {
		r.Key = content(t.Value(key))
	}
	return nil
}

// content is what a value is in a record: bytes as they are, anything else as text, nil of a null.
func content(v gearcore.Value) []byte {
	switch v.Kind() {
	case gearcore.KindNull:
		return nil
	case gearcore.KindBytes:
		if b := v.Bytes(); b != nil {
			return b
		}
		return []byte{} // no bytes are not none, which deletes what has the key where a topic is compacted
	}
	return []byte(v.Text())
}

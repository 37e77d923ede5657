package kafka

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// SourceProperties returns the options that properties of Kafka's consumer and of storm-kafka-client mean, so that a configuration can be
// carried over. A property that is not known, or that would change what a source promises, is an error that names it; all of them are told. Topics, and
// what has no name there, are set afterwards.
func SourceProperties(props map[string]string) (o SourceOptions, err error) {
	err = o.SetProperties(props)
	return o, err
}

// SetProperties is SourceProperties for options of which some are set.
func (o *SourceOptions) SetProperties(props map[string]string) error {
	err := setProperties("kafka source", props, o.properties())
	if props[resetProperty] == "latest" && o.Start == "" {
		if o.Start = StartLatest; o.Group != "" {
			o.Start = StartGroupLatest
		}
	}
	return err
}

// SinkProperties is SourceProperties for a sink: properties of Kafka's producer, such as storm-kafka-client's KafkaBolt takes.
func SinkProperties(props map[string]string) (o SinkOptions, err error) {
	err = o.SetProperties(props)
	return o, err
}

// SetProperties is SinkProperties for options of which some are set. A Mode that is set stays.
func (o *SinkOptions) SetProperties(props map[string]string) error {
	batch := 0
	known := o.properties()
	known["batch.size"] = number(&batch)
	err := setProperties("kafka sink", props, known)
	if batch > 0 { // for Kafka it is no bound of records, for franz-go it is
		batch = max(batch, min(batchOf(o.withDefaults().MaxRecordBytes), usualBatch))
		o.Cluster.Opts = append(o.Cluster.Opts, kgo.ProducerBatchMaxBytes(int32(batch)))
	}
	return err
}

// setter takes the value of a property.
type setter func(value string) error

func setProperties(what string, props map[string]string, known map[string]setter) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(props)) {
		set, ok := known[name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: property %s is not known; there are %s", what, name, strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
			continue
		}
		if err := set(props[name]); err != nil {
			errs = append(errs, fmt.Errorf("%s: property %s is %q: %w", what, name, props[name], err))
		}
	}
	return errors.Join(errs...)
}

// properties says what each property of a consumer, and of Storm's spout, sets.
func (o *SourceOptions) properties() map[string]setter {
	p := o.Cluster.properties()
	maps.Copy(p, map[string]setter{
		"group.id":                   text(&o.Group),
		"first.poll.offset.strategy": o.strategy,
		resetProperty:                o.reset,
		"isolation.level": func(v string) error {
			return oneOf(v, func() { o.ReadUncommitted = v == "read_uncommitted" }, "read_committed", "read_uncommitted")
		},
		"partition.refresh.period.ms": millis(&o.PartitionsEvery),
		"offset.commit.period.ms":     millis(&o.CommitEvery),
		"max.uncommitted.offsets":     number(&o.MaxUncommitted),
		"max.poll.records":            number(&o.Batch),
		"fetch.max.bytes":             number(&o.FetchBytes),
		"max.partition.fetch.bytes":   number(&o.PartitionBytes),
		"enable.auto.commit":          only("false", "offsets are committed when their records are acked, or with their checkpoint"),
		"key.deserializer":            only(serialization+"StringDeserializer", "keys are texts; SourceOptions.Emit makes of them what it likes"),
		"value.deserializer":          only(serialization+"StringDeserializer", "values are texts; SourceOptions.Emit makes of them what it likes"),
	})
	return p
}

func (o *SourceOptions) strategy(v string) error {
	var names []string
	for name := range stormStarts {
		names = append(names, string(name))
	}
	return oneOf(v, func() { o.Start = Start(v) }, names...)
}

// resetProperty says where to begin without an offset of the group, and where to go on if the next record is gone.
const resetProperty = "auto.offset.reset"

// reset takes the second half of that; the first needs the group (SetProperties).
func (o *SourceOptions) reset(v string) error {
	return oneOf(v, func() {
		switch v {
		case "earliest":
			o.OutOfRange = Earliest
		case "latest":
			o.OutOfRange = Latest
		default:
			o.OutOfRange = Fail
		}
	}, "earliest", "latest", "none")
}

// properties says what each property of a producer sets.
func (o *SinkOptions) properties() map[string]setter {
	p := o.Cluster.properties()
	opt := func(more ...kgo.Opt) { o.Cluster.Opts = append(o.Cluster.Opts, more...) }
	maps.Copy(p, map[string]setter{
		"transactional.id":       text(&o.ID),
		"transaction.timeout.ms": millis(&o.TransactionTimeout),
		"max.request.size":       number(&o.MaxRecordBytes),
		"acks":                   only("all", "a record counts when all in-sync replicas have it", "-1"),
		"enable.idempotence": func(v string) error {
			return oneOf(v, func() {
				if v == "false" && o.Mode == "" {
					o.Mode = AtLeastOnce
				}
			}, "true", "false")
		},
		"compression.type": func(v string) error {
			codec, ok := compressions[v]
			if !ok {
				return oneOf(v, nil, slices.Collect(maps.Keys(compressions))...)
			}
			opt(kgo.ProducerBatchCompression(codec()))
			return nil
		},
		"linger.ms": func(v string) error {
			var d time.Duration
			if v != "0" {
				if err := millis(&d)(v); err != nil {
					return err
				}
			}
			opt(kgo.ProducerLinger(d))
			return nil
		},
		"key.serializer":   only(serialization+"StringSerializer", "keys are what SinkOptions.Record makes of a tuple"),
		"value.serializer": only(serialization+"StringSerializer", "values are what SinkOptions.Record makes of a tuple"),
	})
	return p
}

const serialization = "org.apache.kafka.common.serialization."

var compressions = map[string]func() kgo.CompressionCodec{
	"none": kgo.NoCompression, "gzip": kgo.GzipCompression, "snappy": kgo.SnappyCompression, "lz4": kgo.Lz4Compression, "zstd": kgo.ZstdCompression,
}

// properties are those that consumers and producers share.
func (c *Cluster) properties() map[string]setter {
	return map[string]setter{
		"bootstrap.servers": func(v string) error {
			for broker := range strings.SplitSeq(v, ",") {
				c.Brokers = append(c.Brokers, strings.TrimSpace(broker))
			}
			return nil
		},
		"client.id": text(&c.ClientID),
	}
}

func text(at *string) setter {
	return func(v string) error { *at = v; return nil }
}

// number takes what fits Kafka's own type of these properties, and more than 0.
func number(at *int) setter {
	return func(v string) error {
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32)
		if err != nil || n < 1 {
			return errors.New("want a whole number from 1 to 2147483647")
		}
		*at = int(n)
		return nil
	}
}

func millis(at *time.Duration) setter {
	return func(v string) error {
		var n int
		err := number(&n)(v)
		*at = time.Duration(n) * time.Millisecond
		return err
	}
}

// only takes the one value that a property can have here, or other names of it.
func only(value, why string, same ...string) setter {
	return func(v string) error {
		if v != value && !slices.Contains(same, v) {
			return fmt.Errorf("only %s is possible: %s", value, why)
		}
		return nil
	}
}

func oneOf(v string, set func(), values ...string) error {
	if !slices.Contains(values, v) {
		slices.Sort(values)
		return fmt.Errorf("want one of %s", strings.Join(values, ", "))
	}
	set()
	return nil
}

package kafka

import (
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// Start says where to begin to read a partition that no checkpoint knows. Names of storm-kafka-client's FirstPollOffsetStrategy are
// known too: EARLIEST, LATEST, TIMESTAMP, UNCOMMITTED_EARLIEST, UNCOMMITTED_LATEST, UNCOMMITTED_TIMESTAMP.
type Start string

// The starts. Those with Group begin behind what the group has committed, and otherwise where it has committed nothing.
const (
	StartEarliest       Start = "earliest"
	StartLatest         Start = "latest"
	StartTimestamp      Start = "timestamp" // the first record at or after SourceOptions.StartTime
	StartGroup          Start = "group"     // else earliest
	StartGroupLatest    Start = "group-latest"
	StartGroupTimestamp Start = "group-timestamp"
)

// stormStarts are Storm's names.
var stormStarts = map[Start]Start{"EARLIEST": StartEarliest, "LATEST": StartLatest, "TIMESTAMP": StartTimestamp,
	"UNCOMMITTED_EARLIEST": StartGroup, "UNCOMMITTED_LATEST": StartGroupLatest, "UNCOMMITTED_TIMESTAMP": StartGroupTimestamp}

// starts says of each start whether it asks the group first, and then where it begins.
var starts = map[Start]struct {
	group bool
	from  Start
}{
	StartEarliest: {false, StartEarliest}, StartLatest: {false, StartLatest}, StartTimestamp: {false, StartTimestamp},
	StartGroup: {true, StartEarliest}, StartGroupLatest: {true, StartLatest}, StartGroupTimestamp: {true, StartTimestamp},
}

// Policy says what to do about records or partitions that are gone.
type Policy string

// The policies. The default is Fail.
const (
	Fail     Policy = "fail"     // report a named error and do not go on
	Earliest Policy = "earliest" // go on with the oldest record that is there
	Latest   Policy = "latest"   // go on with what comes
)

func (p Policy) known() bool { return p == Fail || p == Earliest || p == Latest }

// NeverIdle is a SourceOptions.IdleAfter that never comes.
const NeverIdle = time.Duration(math.MaxInt64)

// SourceOptions says what to read. Zero fields mean the defaults. The names in brackets are storm-kafka-client's.
type SourceOptions struct {
	Cluster Cluster
	// Topics to read. Required. Partition p of the i-th of them, in the order of their names, belongs to the task at (p+i) mod tasks. Checkpoints
	// keep the positions of topics that are not read any more, of up to 10,000 partitions: a version that reads them again goes on there.
	Topics []string
	// Start says where to begin. Default StartGroup if there is a Group, else StartEarliest. [first.poll.offset.strategy]
	Start Start
	// StartTime is for StartTimestamp and StartGroupTimestamp.
	StartTime time.Time
	// OutOfRange says what to do where the record to go on with is gone: Fail, the default, Earliest or Latest. Each case is counted, and an
	// error of the component.
	OutOfRange Policy
	// Lost says what to do where a partition is gone, or its topic is another one of the same name: Fail, the default, or where to begin
	// when it is there again. Each case is counted, and an error of the component.
	Lost Policy
	// LostAfter is how long a partition has to be gone to count as that. It should be above the time that clients keep what they know of topics (franz-go:
	// 5 s). Default 15 s.
	LostAfter time.Duration
	// Group gets the offsets that were processed, for tools that show the lag, and for the starts with a group. It may not
	// have members. Default: none is committed. [group.id]
	Group string
	// ReadUncommitted also emits records of transactions that are open or were aborted. [isolation.level]
	ReadUncommitted bool
	// PartitionsEvery is how often new partitions are looked for. Default 30 s. [partition.refresh.period.ms]
	PartitionsEvery time.Duration
	// Batch is how many records one call of Next emits at most. Default 64. [max.poll.records]
	Batch int
	// FetchBytes bounds one answer of a broker, and PartitionBytes what it holds of a partition. A source holds two answers of each
	// broker. Defaults 8 MiB and 1 MiB. [fetch.max.bytes, max.partition.fetch.bytes]
	FetchBytes     int
	PartitionBytes int
	// Emit sends a record on. id is null in a topology with checkpoints. r is kept until it is acked. Default: the fields key, value (as
	// strings; null if there is none), topic, partition, offset, timestamp (milliseconds since 1970). [RecordTranslator]
	Emit func(c *gearcore.Collector, id gearcore.Value, r *kgo.Record)
	// Time returns a record's event time in milliseconds since 1970. Default: the record's timestamp.
	Time func(r *kgo.Record) int64
	// Lateness is how much older than the newest record of its partition a record may be without being late. Default 0.
	Lateness time.Duration
	// MaxAhead is how far in the future, by the machine's clock, a record may be that event time follows, since all others would be late then. One
	// beyond it is emitted and counted, and an error of the component (at most one a minute). Default 24 hours; negative: no bound but the year 9999.
	MaxAhead time.Duration
	// IdleAfter is how long nothing comes of a partition until the others' event time goes on without it. Default 1 minute.
	IdleAfter time.Duration

	// The rest is for topologies without checkpoints, where records are emitted with ids.

	// MaxUncommitted is how many records of a partition may be under way. Default 10000. [max.uncommitted.offsets]
	MaxUncommitted int
	// CommitEvery is how often offsets are committed to the group. Default 30 s. [offset.commit.period.ms]
	CommitEvery time.Duration
	// RetryFirst and RetryMost are the pauses before a failed record is emitted again: doubled each time. Defaults 100 ms and 10 s.
	RetryFirst, RetryMost time.Duration
	// MaxRetries is how often a record is emitted again; then it is given up and counted. Default 0: for ever.
	MaxRetries int
	// GiveUp hears of records that were given up, as for a queue of dead letters. It is called by the executor.
	GiveUp func(c *gearcore.Collector, r *kgo.Record)
}

func (o SourceOptions) withDefaults() SourceOptions {
	if s, ok := stormStarts[o.Start]; ok {
		o.Start = s
	}
	if o.Start == "" {
		o.Start = StartEarliest
		if o.Group != "" {
			o.Start = StartGroup
		}
	}
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	setInt := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	setPolicy := func(p *Policy) {
		if *p == "" {
			*p = Fail
		}
	}
	setPolicy(&o.OutOfRange)
	setPolicy(&o.Lost)
	set(&o.PartitionsEvery, 30*time.Second)
	set(&o.LostAfter, 15*time.Second)
	set(&o.MaxAhead, connect.MaxAhead)
	set(&o.IdleAfter, time.Minute)
	set(&o.CommitEvery, 30*time.Second)
	set(&o.RetryFirst, 100*time.Millisecond)
	set(&o.RetryMost, 10*time.Second)
	setInt(&o.Batch, 64)
	setInt(&o.FetchBytes, 8<<20)
	setInt(&o.PartitionBytes, 1<<20)
	setInt(&o.MaxUncommitted, 10_000)
	if o.Emit == nil {
		o.Emit = emit
	}
	if o.Time == nil {
		o.Time = func(r *kgo.Record) int64 { return r.Timestamp.UnixMilli() }
	}
	return o
}

// mostRead is how large an answer of a broker franz-go takes where nothing else is said, in bytes.
const mostRead = 100 << 20

// fetching are the options of a client that fetches.
func (o *SourceOptions) fetching() []kgo.Opt {
	isolation := kgo.ReadCommitted()
	if o.ReadUncommitted {
		isolation = kgo.ReadUncommitted()
	}
	opts := []kgo.Opt{kgo.FetchIsolationLevel(isolation), kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(int32(o.FetchBytes)), kgo.FetchMaxPartitionBytes(int32(o.PartitionBytes))}
	if o.FetchBytes > mostRead/2 {
		opts = append(opts, kgo.BrokerMaxReadBytes(int32(min(2*o.FetchBytes, 1<<30))))
	}
	return opts
}

// Validate returns what is wrong with o, all of it.
func (o SourceOptions) Validate() error {
	o = o.withDefaults()
	p := &problems{what: "kafka source"}
	p.cluster(o.Cluster, o.fetching()...)
	p.refuse(len(o.Topics) == 0, "Topics is empty")
	seen := map[string]bool{}
	for _, t := range o.Topics {
		p.refuse(t == "" || seen[t], "topic %q is empty or there twice", t)
		seen[t] = true
	}
	start, known := starts[o.Start]
	p.refuse(!known, "Start %q: earliest, latest, timestamp, group, group-latest and group-timestamp are known", o.Start)
	p.refuse(start.group && o.Group == "", "Start %q needs a Group", o.Start)
	p.refuse(start.from == StartTimestamp && o.StartTime.IsZero(), "Start %q needs a StartTime", o.Start)
	p.refuse(!o.OutOfRange.known(), "OutOfRange %q: fail, earliest and latest are known", o.OutOfRange)
	p.refuse(!o.Lost.known(), "Lost %q: fail, earliest and latest are known", o.Lost)
	p.refuse(o.PartitionsEvery < time.Millisecond, "PartitionsEvery %v is shorter than 1ms", o.PartitionsEvery)
	p.refuse(o.CommitEvery < time.Millisecond, "CommitEvery %v is shorter than 1ms", o.CommitEvery)
	p.refuse(o.LostAfter < 0, "LostAfter %v is negative", o.LostAfter)
	p.refuse(o.Lateness < 0 || o.IdleAfter < 0, "Lateness %v or IdleAfter %v is negative", o.Lateness, o.IdleAfter)
	p.refuse(o.RetryFirst < 0 || o.RetryMost < o.RetryFirst, "RetryFirst %v and RetryMost %v are no pauses that grow", o.RetryFirst, o.RetryMost)
	p.refuse(o.MaxRetries < 0, "MaxRetries %d is negative", o.MaxRetries)
	p.refuse(o.Batch < 1 || o.Batch > 1<<16, "Batch %d is not between 1 and 65536", o.Batch)
	p.refuse(o.MaxUncommitted < 1, "MaxUncommitted %d is not positive", o.MaxUncommitted)
	for _, n := range []int{o.FetchBytes, o.PartitionBytes} {
		p.refuse(n < 1 || n > 1<<30, "FetchBytes or PartitionBytes %d is not between 1 and 1 GiB", n)
	}
	return p.err()
}

// emit is the default of SourceOptions.Emit.
func emit(c *gearcore.Collector, id gearcore.Value, r *kgo.Record) {
	at := r.Timestamp.UnixMilli()
	switch {
	case r.Key == nil && r.Value == nil:
		c.EmitID(id, nil, nil, r.Topic, r.Partition, r.Offset, at)
	case r.Key == nil:
		c.EmitID(id, nil, c.String(r.Value), r.Topic, r.Partition, r.Offset, at)
	case r.Value == nil:
		c.EmitID(id, c.String(r.Key), nil, r.Topic, r.Partition, r.Offset, at)
	default:
		c.EmitID(id, c.String(r.Key), c.String(r.Value), r.Topic, r.Partition, r.Offset, at)
	}
}

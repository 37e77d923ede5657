package compat

import (
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// Tuning is what Storm's keys for queues, batches, waits and shuffles mean for the engine. A zero field is the engine's
// own default. Keys that mean nothing here are in docs/storm-differences.md.
type Tuning struct {
	// InboxBatches and InboxBytes follow topology.executor.receive.buffer.size, which counts tuples, in proportion: Storm's
	// default is the engine's. BatchRows is smaller where such a queue would hold less than four batches.
	InboxBatches, InboxBytes, BatchRows int
	// SampleEvery follows topology.stats.sample.rate, unless that is Storm's default.
	SampleEvery int
	// PlainShuffle is topology.disable.loadaware.messaging.
	PlainShuffle bool
	// MaxTupleBytes is gearstorm.tuple.max.bytes, of the strings and bytes of one tuple.
	MaxTupleBytes int
	// LowerBound and HigherBound are topology.localityaware.lower.bound and higher.bound.
	LowerBound, HigherBound float64
}

// Storm's defaults, and what the engine has in their place.
const (
	stormQueue  = 32768 // tuples in the queue of an executor
	inboxOfThat = 64    // batches
	bytesOfThat = 1 << 20
	stormSample = 0.05
	leastRows   = 16
	mostRows    = 256
	mostBytes   = 256 << 20
)

// What one tuple may be limited to: a link's frame has to hold it.
const (
	leastTuple = 1 << 10
	mostTuple  = 512 << 20
	usualTuple = 64 << 20
)

// TuningOf reads c, the whole conf of a topology. Errors are [*InvalidTopology] and name the key.
func TuningOf(c conf.Conf) (t Tuning, err error) {
	const queue, rate = "topology.executor.receive.buffer.size", "topology.stats.sample.rate"
	const lower, higher = "topology.localityaware.lower.bound", "topology.localityaware.higher.bound"
	n, err := c.IntOr(queue, stormQueue)
	if err != nil {
		return t, invalid("%v", err)
	}
	if n <= 0 {
		return t, invalid("%s is %d, want at least 1", queue, n)
	}
	if n != stormQueue {
		n = min(n, mostBytes/bytesOfThat*stormQueue)
		t.InboxBatches = int(max(n*inboxOfThat/stormQueue, 2))
		t.InboxBytes = int(max(n*bytesOfThat/stormQueue, 64<<10))
		t.BatchRows = int(min(max(n/4, leastRows), mostRows))
	}
	sample, err := c.FloatOr(rate, stormSample)
	if err != nil {
		return t, invalid("%v", err)
	}
	if !(sample > 0 && sample <= 1) {
		return t, invalid("%s is %v, want more than 0 and at most 1", rate, sample)
	}
	if sample != stormSample {
		t.SampleEvery = int(min(1/sample, 1<<30))
	}
	if t.PlainShuffle, err = c.BoolOr("topology.disable.loadaware.messaging", false); err != nil {
		return t, invalid("%v", err)
	}
	if t.LowerBound, err = c.FloatOr(lower, 0.2); err != nil {
		return t, invalid("%v", err)
	}
	if t.HigherBound, err = c.FloatOr(higher, 0.8); err != nil {
		return t, invalid("%v", err)
	}
	if !(t.LowerBound > 0 && t.HigherBound >= t.LowerBound) {
		return t, invalid("%s is %v and %s is %v; want both above 0, and the first not above the second", lower, t.LowerBound, higher, t.HigherBound)
	}
	t.MaxTupleBytes, err = maxTupleBytes(c)
	return t, err
}

func maxTupleBytes(c conf.Conf) (int, error) {
	const key = "gearstorm.tuple.max.bytes"
	n, err := c.IntOr(key, usualTuple)
	if err != nil {
		return 0, invalid("%v", err)
	}
	if n < leastTuple || n > mostTuple {
		return 0, invalid("%s is %d, want %d to %d", key, n, leastTuple, mostTuple)
	}
	return int(n), nil
}

// MetricsOffset reads what c adds to the port of a worker's slot for its metrics, 0 for none: no port is further away
// than 65535. Errors are [*InvalidTopology] and name the key.
func MetricsOffset(c conf.Conf) (int, error) {
	const key = "gearstorm.metrics.port.offset"
	n, err := c.IntOr(key, 0)
	if err != nil {
		return 0, invalid("%v", err)
	}
	if n < 0 || n > 65535 {
		return 0, invalid("%s is %d, want 0 to 65535", key, n)
	}
	return int(n), nil
}

// fusion refuses a gearstorm.fusion of one component, whose own conf no rule has seen, that is no boolean.
func fusion(component string, own conf.Conf) error {
	if _, err := own.BoolOr("gearstorm.fusion", true); err != nil {
		return invalid("component %s: %v", component, err)
	}
	return nil
}

// leastSpoutWait is the wait of a spout whose conf wants none: nothing spins here.
const leastSpoutWait = 10 * time.Microsecond

// SpoutWait returns how long a spout with that conf, the topology's with its own keys merged in, is left alone after its
// Next emitted nothing: what Storm's two strategies and the two of Storm 1 sleep for in the end. Errors are
// [*InvalidTopology] and name the key.
func SpoutWait(c conf.Conf) (time.Duration, error) {
	const strategy = "topology.spout.wait.strategy"
	const progressive, park = "org.apache.storm.policy.WaitStrategyProgressive", "org.apache.storm.policy.WaitStrategyPark"
	const sleep, none = "org.apache.storm.spout.SleepSpoutWaitStrategy", "org.apache.storm.spout.NothingEmptyEmitStrategy"
	class, err := c.StringOr(strategy, progressive)
	if err != nil {
		return 0, invalid("%v", err)
	}
	key, unit, def := "topology.spout.wait.progressive.level3.sleep.millis", time.Millisecond, 1.0
	switch class {
	case progressive:
	case park:
		key, unit, def = "topology.spout.wait.park.microsec", time.Microsecond, 100
	case sleep:
		key = "topology.sleep.spout.wait.strategy.time.ms"
	case none:
		return leastSpoutWait, nil
	default:
		return 0, invalid("%s is %s, which is not known here; want %s or %s", strategy, class, progressive, park)
	}
	n, err := c.FloatOr(key, def)
	if err != nil {
		return 0, invalid("%v", err)
	}
	if most := float64(time.Hour / unit); !(n >= 0 && n <= most) {
		return 0, invalid("%s is %v, want 0 to %v", key, n, most)
	}
	return max(time.Duration(n*float64(unit)), leastSpoutWait), nil
}

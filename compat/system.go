package compat

import (
	"maps"
	"slices"
	"strconv"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Names of Storm's system components and streams (Acker, Constants, StormCommon).
const (
	eventLoggerID   = "__eventlogger"
	metricsPrefix   = "__metrics_"
	ackInit         = "__ack_init"
	ackAck          = "__ack_ack"
	ackFail         = "__ack_fail"
	ackResetTimeout = "__ack_reset_timeout"
	eventLogStream  = "__eventlog"
	metricsStream   = "__metrics"
	systemStream    = "__system"
	metricsTick     = "__metrics_tick"
	flushStream     = "__flush"
)

// SystemTopology gives a user's topology with the components and streams that Storm adds: what getTopology answers with
// and what task ids are counted over. topo is normalized or not; c is the whole conf of the topology (missing keys have
// Storm's defaults). The user's topology is checked on the way; errors are [*InvalidTopology].
func SystemTopology(c conf.Conf, topo *stormrpc.StormTopology) (*stormrpc.StormTopology, error) {
	if err := validateBasic(topo); err != nil {
		return nil, err
	}
	c = conf.Merge(conf.Defaults(), c)
	s, err := newSystem(c, topo)
	if err != nil {
		return nil, err
	}
	for _, add := range []func() error{s.addAcker, s.addEventLogger, s.addMetricsConsumers, s.addSystem, s.addClock} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	for _, common := range s.all() {
		common.Streams[metricsStream] = stream("task-info", "data-points")
		common.Streams[systemStream] = stream("event")
	}
	return s.topo, validateStructure(s.topo)
}

// system is a topology in the making: a copy as deep as what gets changed.
type system struct {
	conf    conf.Conf
	topo    *stormrpc.StormTopology
	timeout int64 // topology.message.timeout.secs
	workers int64
}

func newSystem(c conf.Conf, topo *stormrpc.StormTopology) (*system, error) {
	s := &system{conf: c, topo: copyTopology(topo)}
	var err error
	if s.timeout, err = c.Int("topology.message.timeout.secs"); err != nil {
		return nil, invalid("%v", err)
	}
	if s.workers, err = c.Int("topology.workers"); err != nil {
		return nil, invalid("%v", err)
	}
	return s, nil
}

func (s *system) addAcker() error {
	n, err := s.count("topology.acker.executors")
	if err != nil {
		return err
	}
	acker := &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{
		ackAck:          directStream("id", "time-delta-ms"),
		ackFail:         directStream("id", "time-delta-ms"),
		ackResetTimeout: directStream("id", "time-delta-ms"),
	}}
	for _, id := range sorted(s.topo.Spouts) {
		spout := s.topo.Spouts[id].Common
		Subscribe(acker, id, ackInit, fieldsGrouping("id"))
		spout.Streams[ackInit] = stream("id", "init-val", "spout-task")
		for _, st := range []string{ackAck, ackFail, ackResetTimeout} {
			Subscribe(spout, gearcore.AckerComponent, st, &stormrpc.Grouping{Direct: &stormrpc.NullStruct{}})
		}
		// The tick of a spout drives the timeouts of its tuples, so a tick of its own is overridden.
		if err := setConf(spout, "topology.tick.tuple.freq.secs", s.timeout); err != nil {
			return err
		}
	}
	for _, id := range sorted(s.topo.Bolts) {
		bolt := s.topo.Bolts[id].Common
		for _, st := range []string{ackAck, ackFail, ackResetTimeout} {
			Subscribe(acker, id, st, fieldsGrouping("id"))
		}
		bolt.Streams[ackAck] = stream("id", "ack-val")
		bolt.Streams[ackFail] = stream("id")
		bolt.Streams[ackResetTimeout] = stream("id")
	}
	return s.add(gearcore.AckerComponent, "org.apache.storm.daemon.Acker", acker, n, s.timeout)
}

func (s *system) addEventLogger() error {
	n, err := s.count("topology.eventlogger.executors")
	if err != nil || n == 0 {
		return err
	}
	logger := &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{}}
	for _, id := range s.ids() {
		Subscribe(logger, id, eventLogStream, fieldsGrouping("component-id"))
	}
	for _, common := range s.all() {
		common.Streams[eventLogStream] = stream("component-id", "message-id", "ts", "values")
	}
	return s.add(eventLoggerID, "org.apache.storm.metric.EventLoggerBolt", logger, n, s.timeout)
}

// addMetricsConsumers adds a bolt for each registered consumer; a class registered again gets "#2", "#3" and so on.
func (s *system) addMetricsConsumers() error {
	list, err := metricsConsumers(s.conf)
	if err != nil {
		return err
	}
	sources := append(s.ids(), gearcore.SystemComponent)
	for _, m := range list {
		common := &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{}}
		for _, id := range sources {
			Subscribe(common, id, metricsStream, &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}})
		}
		if err := s.add(m.id, "org.apache.storm.metric.MetricsConsumerBolt", common, m.tasks, 0); err != nil {
			return err
		}
	}
	return nil
}

type metricsConsumer struct {
	id, class string
	tasks     int64
}

func metricsConsumers(c conf.Conf) ([]metricsConsumer, error) {
	const key = "topology.metrics.consumer.register"
	if !c.Has(key) {
		return nil, nil
	}
	list, ok := c[key].([]any)
	if !ok {
		return nil, invalid("%s must be a list", key)
	}
	var out []metricsConsumer
	seen := map[string]int{}
	for _, e := range list {
		m, _ := e.(map[string]any)
		class, ok := m["class"].(string)
		if !ok {
			return nil, invalid("each entry of %s must have a class", key)
		}
		n, err := conf.Conf(m).IntOr("parallelism.hint", 1)
		if err != nil {
			return nil, invalid("%s: %v", key, err)
		}
		if n < 0 || n > MaxTasks {
			return nil, invalid("%s: parallelism.hint %d is not between 0 and %d", key, n, MaxTasks)
		}
		id := metricsPrefix + class
		if seen[class]++; seen[class] > 1 {
			id += "#" + strconv.Itoa(seen[class])
		}
		out = append(out, metricsConsumer{id, class, n})
	}
	return out, nil
}

func (s *system) addSystem() error {
	return s.add(gearcore.SystemComponent, "org.apache.storm.metric.SystemBolt", &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{
		gearcore.TickStream: stream("rate_secs"),
		flushStream:         stream(),
		metricsTick:         stream("interval"),
	}}, 0, 0)
}

// addClock adds the task that a timed topology has beside Storm's.
func (s *system) addClock() error {
	t, err := TimingOf(s.conf)
	if err != nil || !t.Timed {
		return err
	}
	return s.add(gearcore.ClockComponent, "gearstorm.Clock", &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{}}, 1, 0)
}

// count reads a number of executors, which is the number of workers when the key is null.
func (s *system) count(key string) (int64, error) {
	n, err := s.conf.IntOr(key, s.workers)
	if err != nil {
		return 0, invalid("%v", err)
	}
	if n < 0 || n > MaxTasks {
		return 0, invalid("%s is %d, which is not between 0 and %d", key, n, MaxTasks)
	}
	return n, nil
}

// add puts a system bolt in: tasks and hint are n, tick is left out when zero.
func (s *system) add(id, class string, common *stormrpc.ComponentCommon, n, tick int64) error {
	own := conf.Conf{"topology.tasks": n}
	if tick > 0 {
		own["topology.tick.tuple.freq.secs"] = tick
	}
	text, err := own.JSON()
	if err != nil {
		return err
	}
	j, hint := string(text), int32(n)
	common.JSONConf, common.ParallelismHint = &j, &hint
	s.topo.Bolts[id] = &stormrpc.Bolt{BoltObject: javaObject(class), Common: common}
	return nil
}

// ids lists all components there are so far, in order.
func (s *system) ids() []string {
	return slices.Sorted(maps.Keys(s.all()))
}

// all gives the common part of every component there is so far.
func (s *system) all() map[string]*stormrpc.ComponentCommon {
	out := make(map[string]*stormrpc.ComponentCommon, len(s.topo.Spouts)+len(s.topo.Bolts))
	for id, x := range s.topo.Spouts {
		out[id] = x.Common
	}
	for id, x := range s.topo.Bolts {
		out[id] = x.Common
	}
	return out
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

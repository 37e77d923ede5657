package conf

// componentKeys are the keys of Storm's Config that a component may set for itself; all others of Config are dropped
// from a component's own conf (Executor.normalizedComponentConf). The last one Storm drops too, so that
// withWatermarkInterval has no effect there; here it works.
var componentKeys = map[string]bool{
	"topology.debug":                                     true,
	"topology.max.spout.pending":                         true,
	"topology.max.task.parallelism":                      true,
	"topology.transactional.id":                          true,
	"topology.tick.tuple.freq.secs":                      true,
	"topology.sleep.spout.wait.strategy.time.ms":         true,
	"topology.spout.wait.strategy":                       true,
	"topology.bolts.window.length.count":                 true,
	"topology.bolts.window.length.duration.ms":           true,
	"topology.bolts.window.sliding.interval.count":       true,
	"topology.bolts.window.sliding.interval.duration.ms": true,
	"topology.bolts.tuple.timestamp.max.lag.ms":          true,
	"topology.bolts.message.id.field.name":               true,
	"topology.bolts.late.tuple.stream":                   true,
	"topology.state.provider":                            true,
	"topology.state.provider.config":                     true,
	"topology.bolts.watermark.event.interval.ms":         true,
}

// ComponentConf gives what a component sees when it is opened: the topology's conf under the keys of its own conf that
// a component may set. Keys Storm does not declare pass. Values are shared with both, neither is changed.
func ComponentConf(topology, component Conf) Conf {
	out := Merge(topology)
	for k, v := range component {
		if key, ok := Lookup(k); ok && key.Scope == TopologyScope && !componentKeys[k] {
			continue
		}
		out[k] = v
	}
	return out
}

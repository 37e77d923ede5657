package nimbus

import (
	"fmt"
	"math"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// policy is what the daemon's configuration says of scheduling.
type policy struct {
	schedule.Policy
	// aware tells that topologies choose strategies, and that their resources count.
	aware bool
	// tenants tells that users have machines of their own.
	tenants bool
}

// readPolicy reads the keys of scheduling. A class that is not here is an error.
func readPolicy(c conf.Conf) (policy, error) {
	var p policy
	name, err := c.StringOr("storm.scheduler", "")
	if err != nil {
		return p, err
	}
	if p.Scheduler, err = schedule.FindScheduler(name); err != nil {
		return p, fmt.Errorf("storm.scheduler: %w", err)
	}
	p.aware = strings.HasSuffix(name, "ResourceAwareScheduler") || name == "resource-aware"
	p.tenants = strings.HasSuffix(name, "MultitenantScheduler") || name == "multitenant"
	order, err := c.StringOr("resource.aware.scheduler.priority.strategy", "")
	if err != nil {
		return p, err
	}
	switch {
	case strings.HasSuffix(order, ".FIFOSchedulingPriorityStrategy"):
		p.FIFO = true
	case order != "" && !strings.HasSuffix(order, ".DefaultSchedulingPriorityStrategy"):
		return p, fmt.Errorf("resource.aware.scheduler.priority.strategy %s is not known here: want "+
			"DefaultSchedulingPriorityStrategy or FIFOSchedulingPriorityStrategy of org.apache.storm.scheduler.resource.strategies.priority", order)
	}
	if c.Has("nimbus.scheduler.strategy.class.whitelist") {
		if p.Allowed, err = c.StringList("nimbus.scheduler.strategy.class.whitelist"); err != nil {
			return p, err
		}
	}
	return p, p.readNumbers(c)
}

// check refuses a topology that no scheduling can serve.
func (p *policy) check(t *topology) error {
	if !p.aware {
		return nil // its strategy does not matter
	}
	if _, err := schedule.FindStrategy(t.shape.Strategy); err != nil {
		return invalid("topology.scheduler.strategy: %s", err)
	}
	return nil
}

// Keys of the number of ackers.
const (
	ackersKey          = "topology.acker.executors"
	ackersPerWorkerKey = "topology.ras.acker.executors.per.worker"
)

// withAckers gives a submitted configuration the number of ackers that Storm's Nimbus puts in for the resource-aware scheduler, where
// topology.workers says nothing: so many for each worker that the heaps of all executors will fill (Nimbus.java,
// setUpAckerExecutorConfigs).
func (p *policy) withAckers(daemon, submitted conf.Conf, code *stormrpc.StormTopology) (conf.Conf, error) {
	if !p.aware {
		return submitted, nil
	}
	whole := conf.Merge(daemon, submitted)
	heap := 0.0
	for _, c := range components(code) {
		r, err := c.resources(whole)
		if err != nil {
			return nil, asInvalid(err)
		}
		heap += r[onHeap] * float64(c.parallelism())
	}
	most, err := whole.FloatOr("topology.worker.max.heap.size.mb", 768)
	if err != nil {
		return nil, asInvalid(err)
	}
	if !(heap >= 0 && heap < 1<<40) { // not a number, too
		return nil, invalid("the executors of the topology ask for %v MB of heap", heap)
	}
	workers := int64(max(1, math.Ceil(min(heap/max(most, 1), 1<<20))))
	each, err := whole.IntOr(ackersPerWorkerKey, 1)
	if err != nil {
		return nil, asInvalid(err)
	}
	count := workers * min(each, 1<<20)
	if whole.Has(ackersKey) {
		if count, err = whole.Int(ackersKey); err != nil {
			return nil, asInvalid(err)
		}
		each = (count + workers - 1) / workers
	}
	return conf.Merge(submitted, conf.Conf{ackersKey: count, ackersPerWorkerKey: each}), nil
}

func (p *policy) readNumbers(c conf.Conf) error {
	var err error
	if p.MinWorkerCPU, err = c.FloatOr("storm.worker.min.cpu.pcore.percent", 0); err != nil {
		return err
	}
	attempts, err := c.IntOr("resource.aware.scheduler.max.topology.scheduling.attempts", 5)
	if err != nil {
		return err
	}
	states, err := c.IntOr("resource.aware.scheduler.constraint.max.state.search", 100_000)
	if err != nil {
		return err
	}
	p.Attempts, p.MaxStates = int(attempts), int(states)
	if p.Machines, err = countsIn(c, "isolation.scheduler.machines"); err != nil {
		return err
	}
	if p.Tenants, err = countsIn(c, "multitenant.scheduler.user.pools"); err != nil {
		return err
	}
	pools, _ := c["resource.aware.scheduler.user.pools"].(map[string]any)
	p.Guarantees = make(map[string]schedule.Guarantee, len(pools))
	for user, v := range pools {
		pool, _ := v.(map[string]any)
		var g schedule.Guarantee
		if g.CPU, err = conf.Conf(pool).FloatOr("cpu", 0); err == nil {
			g.Memory, err = conf.Conf(pool).FloatOr("memory", 0)
		}
		if err != nil {
			return fmt.Errorf("resource.aware.scheduler.user.pools of %s: %w", user, err)
		}
		p.Guarantees[user] = g
	}
	return nil
}

// countsIn reads a key that maps names to numbers.
func countsIn(c conf.Conf, key string) (map[string]int, error) {
	m, _ := c[key].(map[string]any)
	out := make(map[string]int, len(m))
	for name := range m {
		n, err := conf.Conf(m).Int(name)
		if err == nil && (n < 0 || n > math.MaxInt32) {
			err = fmt.Errorf("%s is %d, want a number of at least 0", name, n)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		out[name] = int(n)
	}
	return out, nil
}

// newBlacklist reads the keys of Storm's blacklist scheduler.
func newBlacklist(c conf.Conf) (*schedule.Blacklist, error) {
	count, err := c.IntOr("blacklist.scheduler.tolerance.count", 3)
	if err != nil {
		return nil, err
	}
	l := &schedule.Blacklist{Count: int(count)}
	if l.Window, err = c.SecsOr("blacklist.scheduler.tolerance.time.secs", 0); err != nil {
		return nil, err
	}
	if l.Resume, err = c.SecsOr("blacklist.scheduler.resume.time.secs", 0); err != nil {
		return nil, err
	}
	l.Whole, err = c.BoolOr("blacklist.scheduler.assume.supervisor.bad.based.on.bad.slot", true)
	return l, err
}

package worker

import (
	"fmt"
	"reflect"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// settings is what the topology's conf says about running it.
type settings struct {
	compat.Tuning
	messageTimeout  time.Duration // 0: none
	spoutWait       map[string]time.Duration
	spoutWaitMax    time.Duration
	statBuckets     int
	maxErrors       int
	errorInterval   time.Duration
	shutdown        time.Duration
	javaStart       time.Duration // for the Java process to open its channels
	javaSilence     time.Duration // that it may leave questions unanswered
	reportBytes     int           // largest report the supervisor takes
	tcpOnly, noRing bool
	metricsHost     string
	metricsOffset   int // from the slot's port to the one for metrics; 0: none
	maxSpoutPending map[string]int
	tickEvery       map[string]time.Duration
	fuse            map[string]bool // Go components that may be fused
}

// read is a conf whose first error sticks.
type read struct {
	c   conf.Conf
	err error
}

func (r *read) int(key string, def int64) int {
	v, err := r.c.IntOr(key, def)
	if err != nil && r.err == nil {
		r.err = err
	}
	return int(v)
}

func (r *read) bool(key string, def bool) bool {
	v, err := r.c.BoolOr(key, def)
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

func (r *read) secs(key string, def time.Duration) time.Duration {
	v, err := r.c.SecsOr(key, def)
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

// leastSilence is what the Java process may need where a machine has much else to do.
const leastSilence = 10 * time.Second

// settingsOf reads the keys of g's conf, and of its components where they have their own.
func settingsOf(g *dag.Graph) (settings, error) {
	r := read{c: conf.Merge(conf.Defaults(), g.Conf)}
	s := settings{
		statBuckets:     r.int("num.stat.buckets", 20),
		maxErrors:       r.int("topology.max.error.report.per.interval", 5),
		errorInterval:   r.secs("topology.error.throttle.interval.secs", 10*time.Second),
		shutdown:        r.secs("supervisor.worker.shutdown.sleep.secs", 3*time.Second),
		javaStart:       r.secs("supervisor.worker.start.timeout.secs", 2*time.Minute),
		javaSilence:     max(r.secs("supervisor.worker.timeout.secs", 30*time.Second), r.secs("topology.worker.timeout.secs", 0), leastSilence),
		reportBytes:     r.int("supervisor.thrift.max_buffer_size", 1<<20),
		maxSpoutPending: map[string]int{}, tickEvery: map[string]time.Duration{},
		fuse: map[string]bool{}, spoutWait: map[string]time.Duration{},
	}
	s.spoutWaitMax = time.Duration(r.int("gearstorm.spout.wait.max.ms", 32)) * time.Millisecond
	var err error
	if s.metricsHost, err = r.c.StringOr("gearstorm.metrics.host", "127.0.0.1"); err != nil {
		return s, fmt.Errorf("topology conf: %w", err)
	}
	if s.Tuning, err = compat.TuningOf(r.c); err != nil {
		return s, fmt.Errorf("topology conf: %w", err)
	}
	if s.metricsOffset, err = compat.MetricsOffset(r.c); err != nil {
		return s, fmt.Errorf("topology conf: %w", err)
	}
	timeouts, err := r.c.BoolOr("topology.enable.message.timeouts", true)
	if err != nil {
		return s, fmt.Errorf("topology conf: %w", err)
	}
	if timeouts {
		s.messageTimeout = r.secs("topology.message.timeout.secs", 30*time.Second)
	}
	if err := s.links(r.c); err != nil {
		return s, fmt.Errorf("topology conf: %w", err)
	}
	for _, p := range g.Processors {
		own := read{c: conf.ComponentConf(r.c, p.Conf)}
		switch p.Kind {
		case dag.Spout:
			s.maxSpoutPending[p.Name] = own.int("topology.max.spout.pending", 0)
			if s.spoutWait[p.Name], err = compat.SpoutWait(own.c); err != nil {
				return s, fmt.Errorf("conf of component %s: %w", p.Name, err)
			}
		case dag.Bolt:
			s.tickEvery[p.Name] = own.secs("topology.tick.tuple.freq.secs", 0)
		}
		if p.Impl.Kind == dag.ImplGo {
			s.fuse[p.Name] = own.bool("gearstorm.fusion", true)
		}
		if own.err != nil {
			return s, fmt.Errorf("conf of component %s: %w", p.Name, own.err)
		}
	}
	if r.err != nil {
		return s, fmt.Errorf("topology conf: %w", r.err)
	}
	return s, nil
}

// links reads what links between workers of one host may use; both keys are on unless the conf says otherwise.
func (s *settings) links(c conf.Conf) error {
	unix, err := c.BoolOr("gearstorm.transport.unix", true)
	if err != nil {
		return err
	}
	shm, err := c.BoolOr("gearstorm.transport.shm", true)
	s.tcpOnly, s.noRing = !unix, !shm
	return err
}

// sameForAll says whether two settings differ in nothing but what is of single components.
func (s settings) sameForAll(o settings) bool {
	for _, x := range []*settings{&s, &o} {
		x.maxSpoutPending, x.tickEvery, x.fuse, x.spoutWait = nil, nil, nil, nil
	}
	return reflect.DeepEqual(s, o)
}

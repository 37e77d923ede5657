package multilang

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Spec says what a multilang component runs and how. The zero value of every field but Command stands for its default.
type Spec struct {
	// Command is the child's argv, exactly as given: never split, joined or run by a shell.
	Command []string
	// Env is added to this process's environment; PATH is appended to the existing one.
	Env map[string]string
	// Dir is the child's working directory. "": the topology's resources (Context.CodeDir).
	Dir string
	// KeepDir runs the child in this process's directory instead (Storm's changeChildCWD(false)). Dir wins.
	KeepDir bool
	// Wiring is what the handshake tells the child of its place in the topology.
	Wiring Wiring
	// Metrics gets what the child reports; nil drops it.
	Metrics Metrics
	// OnRestart, if set, is called in the executor when a child was lost, before its tuples are failed. What it had
	// emitted may be emitted again.
	OnRestart func(lost *ChildError)
	// Limits bound the child's messages. A zero field has its default.
	Limits Limits
	// MaxPending is how many tuples may wait to be written before the bolt pauses its input. 0:
	// topology.shellbolt.max.pending, else 100.
	MaxPending int
	// Timeout is how long a child may be silent while it owes an answer. 0: topology.subprocess.timeout.secs, else
	// supervisor.worker.timeout.secs, else 30 s.
	Timeout time.Duration
	// StartTimeout is how long a child may take to answer the handshake: storm.js answers only when the component's
	// initialize is done. Default 5 minutes.
	StartTimeout time.Duration
	// Heartbeat is the time between signs of life asked of a bolt's child. Default 1 s.
	Heartbeat time.Duration
	// LockStep answers each emit when it comes, whatever the client. Default: the opposite of
	// gearstorm.multilang.ids.ahead (true).
	LockStep bool
	// Plain offers the child no batched framing. Default: the opposite of gearstorm.multilang.batch (true).
	Plain bool
	// Grace is how long a child may take to end on SIGTERM before its group is killed. Default 2 s.
	Grace time.Duration
	// Turns, if not nil, is waited for before the child starts for the first time; other children may share it. Default: it starts at once.
	Turns *Turns
	// FirstBackoff and MaxBackoff bound the wait before a lost child is started again. Defaults 100 ms and 30 s.
	FirstBackoff, MaxBackoff time.Duration

	ofCode bool // Dir is Context.CodeDir
}

// Wiring is a component's place in its topology as the handshake's context describes it: user streams only.
type Wiring struct {
	Outputs      map[string][]string                // own stream -> fields
	Targets      map[string]map[string]dag.Grouping // own stream -> subscriber -> grouping
	Sources      map[string]map[string]dag.Grouping // source -> stream -> grouping
	SourceFields map[string]map[string][]string     // source -> each of its streams -> fields
}

// FromGraph returns the spec of the shell component p of g.
func FromGraph(g *dag.Graph, p *dag.Processor) Spec {
	return Spec{Command: p.Impl.Command, Env: p.Impl.Env, KeepDir: p.Impl.KeepDir, Wiring: wiringOf(g, p)}
}

// Validate names the first field that cannot be used.
func (s *Spec) Validate() error {
	if len(s.Command) == 0 || s.Command[0] == "" {
		return errors.New("multilang component: empty command")
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"Timeout", s.Timeout}, {"StartTimeout", s.StartTimeout}, {"Heartbeat", s.Heartbeat}, {"Grace", s.Grace},
		{"FirstBackoff", s.FirstBackoff}, {"MaxBackoff", s.MaxBackoff}} {
		if d.d < 0 {
			return fmt.Errorf("multilang component: %s %v is negative", d.name, d.d)
		}
	}
	return nil
}

// maxMessageKey sets Limits.MessageBytes where the Spec does not.
const maxMessageKey = "gearstorm.multilang.max.message.bytes"

// The opposites of Spec.LockStep and Spec.Plain.
const (
	idsAheadKey = "gearstorm.multilang.ids.ahead"
	batchKey    = "gearstorm.multilang.batch"
)

// resolved returns s with defaults filled in from conf.
func (s Spec) resolved(ctx *gearcore.Context) (Spec, error) {
	if err := s.Validate(); err != nil {
		return s, err
	}
	if s.Dir == "" && !s.KeepDir {
		s.Dir, s.ofCode = ctx.CodeDir, true
	}
	if s.Metrics == nil {
		s.Metrics = noMetrics{}
	}
	d := DefaultLimits()
	bytes, err := confInt(ctx.Conf, d.MessageBytes, maxMessageKey)
	if err != nil {
		return s, err
	}
	setDefault(&s.Limits.MessageBytes, bytes)
	setDefault(&s.Limits.Depth, d.Depth)
	setDefault(&s.Limits.Values, d.Values)
	setDefault(&s.Limits.Digits, d.Digits)
	pending, err := confInt(ctx.Conf, 100, "topology.shellbolt.max.pending")
	if err != nil {
		return s, err
	}
	setDefault(&s.MaxPending, pending)
	secs, err := confInt(ctx.Conf, 30, "topology.subprocess.timeout.secs", "supervisor.worker.timeout.secs")
	if err != nil {
		return s, err
	}
	setDefault(&s.Timeout, time.Duration(secs)*time.Second)
	ahead, err := confBool(ctx.Conf, true, idsAheadKey)
	if err != nil {
		return s, err
	}
	batch, err := confBool(ctx.Conf, true, batchKey)
	if err != nil {
		return s, err
	}
	s.LockStep, s.Plain = s.LockStep || !ahead, s.Plain || !batch
	setDefault(&s.StartTimeout, 5*time.Minute)
	setDefault(&s.Heartbeat, time.Second)
	setDefault(&s.Grace, 2*time.Second)
	setDefault(&s.FirstBackoff, 100*time.Millisecond)
	setDefault(&s.MaxBackoff, 30*time.Second)
	return s, nil
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// confInt returns the first of keys that is set, as a positive number.
func confInt(conf map[string]any, def int, keys ...string) (int, error) {
	for _, key := range keys {
		v, ok := conf[key]
		if !ok || v == nil {
			continue
		}
		n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		if err != nil || n < 1 || n > math.MaxInt32 {
			return 0, fmt.Errorf("%s is %v: want a positive number", key, v)
		}
		return int(n), nil
	}
	return def, nil
}

func confBool(conf map[string]any, def bool, key string) (bool, error) {
	v, ok := conf[key]
	if !ok || v == nil {
		return def, nil
	}
	b, err := strconv.ParseBool(fmt.Sprint(v))
	if err != nil {
		return def, fmt.Errorf("%s is %v: want true or false", key, v)
	}
	return b, nil
}

// Metrics receives the numbers that children report with "metrics" messages. A number sets the gauge of that name;
// no params, or {"incr": n}, count. (Storm knows only metrics that Java code registered.) Calls come from any goroutine.
type Metrics interface {
	Gauge(task gearcore.TaskID, name string, value float64)
	Count(task gearcore.TaskID, name string, n int64)
}

type noMetrics struct{}

func (noMetrics) Gauge(gearcore.TaskID, string, float64) {}
func (noMetrics) Count(gearcore.TaskID, string, int64)   {}

// report hands one "metrics" message to m.
func report(m Metrics, task gearcore.TaskID, name string, params gearcore.Value) error {
	switch params.Kind() {
	case gearcore.KindNull:
		m.Count(task, name, 1)
		return nil
	case gearcore.KindBool, gearcore.KindInt, gearcore.KindLong, gearcore.KindDouble, gearcore.KindBigInt:
		m.Gauge(task, name, params.Float())
		return nil
	case gearcore.KindMap:
		if ps := params.Map(); len(ps) == 1 && ps[0].Key.Str() == "incr" {
			if n, ok := wholeNumber(ps[0].Val); ok {
				m.Count(task, name, n)
				return nil
			}
		}
	}
	return fmt.Errorf("metric %q: %s is neither a number nor {\"incr\": n}", name, excerpt([]byte(params.Text())))
}

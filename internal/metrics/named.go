package metrics

import "github.com/gearstorm/gearstorm/gearcore"

// maxNamed bounds the metrics a task may make up, maxNameBytes their names; others are ignored.
const (
	maxNamed     = 256
	maxNameBytes = 256
)

// Named is a metric that a component reported under its own name: a gauge or a counter.
type Named struct {
	Gauge bool
	Value float64
}

// Gauge sets a metric that task reports under name. With Count it is what children of multilang components call.
func (t *Table) Gauge(id gearcore.TaskID, name string, value float64) {
	t.named(id, name, func(m *Named) { m.Gauge, m.Value = true, value })
}

// Count adds n to a metric that task reports under name.
func (t *Table) Count(id gearcore.TaskID, name string, n int64) {
	t.named(id, name, func(m *Named) { m.Gauge, m.Value = false, m.Value+float64(n) })
}

func (t *Table) named(id gearcore.TaskID, name string, change func(*Named)) {
	k := t.of(id)
	if k == nil || name == "" || len(name) > maxNameBytes {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	m, ok := k.named[name]
	if !ok && len(k.named) >= maxNamed {
		return
	}
	if k.named == nil {
		k.named = map[string]Named{}
	}
	change(&m)
	k.named[name] = m
}

// Named returns the metrics that a task reported under its own names.
func (t *Table) Named(id gearcore.TaskID) map[string]Named {
	k := t.seen(id)
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make(map[string]Named, len(k.named))
	for n, m := range k.named {
		out[n] = m
	}
	return out
}

package nimbus

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	ackerComponent = "__acker"
	onHeap         = "onheap.memory.mb"
	offHeap        = "offheap.memory.mb"
	cpuPercent     = "cpu.pcore.percent"
)

// isSystem tells whether an id of a component or stream is Storm's own.
func isSystem(id string) bool { return strings.HasPrefix(id, "__") }

// component is a spout or bolt of a topology.
type component struct {
	id     string
	spout  bool
	common *stormrpc.ComponentCommon
}

func (c component) kind() string {
	if c.spout {
		return "Spout"
	}
	return "Bolt"
}

// components lists spouts and bolts in order of ids, those whose struct is incomplete excepted.
func components(t *stormrpc.StormTopology) []component {
	var out []component
	for id, s := range t.Spouts {
		if s != nil && s.Common != nil {
			out = append(out, component{id, true, s.Common})
		}
	}
	for id, b := range t.Bolts {
		if b != nil && b.Common != nil {
			out = append(out, component{id, false, b.Common})
		}
	}
	slices.SortFunc(out, func(a, b component) int { return strings.Compare(a.id, b.id) })
	return out
}

func findComponent(t *stormrpc.StormTopology, id string) (component, bool) {
	for _, c := range components(t) {
		if c.id == id {
			return c, true
		}
	}
	return component{}, false
}

// parallelism is the number of executors a component starts with.
func (c component) parallelism() int64 {
	if c.common.ParallelismHint == nil {
		return 1
	}
	return int64(max(0, *c.common.ParallelismHint))
}

func (c component) conf() (conf.Conf, error) {
	text := c.common.GetJSONConf()
	if text == "" {
		return conf.Conf{}, nil
	}
	own, err := conf.ParseJSON([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("configuration of component %s: %w", c.id, err)
	}
	return own, nil
}

// resourceKeys are the keys that a resource had before topology.component.resources.map.
var resourceKeys = map[string]string{
	onHeap:     "topology.component.resources.onheap.memory.mb",
	offHeap:    "topology.component.resources.offheap.memory.mb",
	cpuPercent: "topology.component.cpu.pcore.percent",
}

// systemKeys are the keys that a system component has in place of those in resourceKeys: what stands before the part that all
// share.
func (c component) systemKeys() (prefix string, ok bool) {
	switch {
	case c.id == ackerComponent:
		return "topology.acker.", true
	case strings.HasPrefix(c.id, "__metrics_"):
		return "topology.metrics.consumer.", true
	}
	return "", false
}

// resources is what one executor of a component asks for: its own map before its own keys before the maps and keys of the
// layers; ackers and metrics consumers have keys of their own there.
func (c component) resources(layers ...conf.Conf) (map[string]float64, error) {
	own, err := c.conf()
	if err != nil {
		return nil, err
	}
	out := make(map[string]float64)
	for i := range layers {
		layer := layers[len(layers)-1-i] // the first one goes before the others
		if err := readResources(layer, "topology.component.", out); err != nil {
			return nil, err
		}
	}
	if prefix, ok := c.systemKeys(); ok {
		for i := range layers {
			if err := readResources(layers[len(layers)-1-i], prefix, out); err != nil {
				return nil, err
			}
		}
	}
	return out, readResources(own, "topology.component.", out)
}

// readResources puts what a configuration says over what is in out.
func readResources(from conf.Conf, prefix string, out map[string]float64) (err error) {
	for name, key := range resourceKeys {
		key = prefix + strings.TrimPrefix(key, "topology.component.")
		if !from.Has(key) {
			continue
		}
		if out[name], err = from.Float(key); err != nil {
			return err
		}
	}
	m, _ := from[prefix+"resources.map"].(map[string]any)
	for name := range m {
		v, err := conf.Conf(m).Float(name)
		if err != nil {
			return err
		}
		for short, key := range resourceKeys {
			if name == key {
				name = short
			}
		}
		out[name] = v
	}
	return nil
}

func addTo(sum, more map[string]float64) {
	for name, v := range more {
		sum[name] += v
	}
}

// withResources returns a topology in which components have other resources, with the rest as in t, or an error about
// an unknown component.
func withResources(t *stormrpc.StormTopology, overrides map[string]map[string]float64) (*stormrpc.StormTopology, error) {
	if len(overrides) == 0 {
		return t, nil
	}
	out := *t
	out.Spouts, out.Bolts = maps.Clone(t.Spouts), maps.Clone(t.Bolts)
	for id, resources := range overrides {
		c, ok := findComponent(t, id)
		if !ok {
			return nil, fmt.Errorf("no component %s to change resources of", id)
		}
		common, err := c.withResources(resources)
		if err != nil {
			return nil, err
		}
		if c.spout {
			s := *out.Spouts[id]
			s.Common, out.Spouts[id] = common, &s
		} else {
			b := *out.Bolts[id]
			b.Common, out.Bolts[id] = common, &b
		}
	}
	return &out, nil
}

func (c component) withResources(resources map[string]float64) (*stormrpc.ComponentCommon, error) {
	own, err := c.conf()
	if err != nil {
		return nil, err
	}
	old, _ := own["topology.component.resources.map"].(map[string]any)
	m := maps.Clone(old)
	if m == nil {
		m = make(map[string]any)
	}
	for name, v := range resources {
		if _, err := json.Marshal(v); err != nil {
			return nil, fmt.Errorf("resource %s of component %s: %w", name, c.id, err)
		}
		m[name] = v
	}
	raw, err := conf.Merge(own, conf.Conf{"topology.component.resources.map": m}).JSON()
	if err != nil {
		return nil, err
	}
	text, common := string(raw), *c.common
	common.JSONConf = &text
	return &common, nil
}

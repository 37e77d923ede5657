package doctor

import (
	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/flux"
)

// javaInYAML is why a Java class in YAML does not run: flux.Load cannot make its objects. Where a JVM is at hand that
// knows Flux, its jar can.
const javaInYAML = "it is a Java class, which cannot be made out of YAML here; Storm's own Flux can (storm jar with org.apache.storm.flux.Flux)"

// YAML says what of a topology in Flux's YAML runs. set goes over its configuration. Errors are about files that cannot be
// read as such.
func YAML(file string, o flux.Options, set conf.Conf) (*Report, error) {
	d, err := flux.Read(file, o)
	if err != nil {
		return nil, err
	}
	r := &Report{Of: file, What: "yaml"}
	for _, w := range d.Warnings {
		r.find(false, w)
	}
	for _, p := range d.Spouts {
		r.part(p, Spout)
	}
	for _, p := range d.Bolts {
		r.part(p, Bolt)
	}
	for _, p := range d.Groupings {
		r.part(p, Grouping)
	}
	for _, p := range d.WorkerHooks {
		r.part(p, WorkerHook)
	}
	for _, p := range d.Components {
		if p.Class != stormPackage+"tuple.Fields" || p.Factory {
			r.find(true, p.At+": "+p.ID+" ("+p.Class+"): "+javaInYAML)
		}
	}
	if d.Source != nil {
		r.find(true, d.Source.At+": topologySource "+d.Source.Class+": "+javaInYAML)
	}
	r.configured(conf.Merge(d.Conf, set))
	if r.finish(); !r.Runs { // Load would say the same, but of the first only
		return r, nil
	}
	t, err := flux.Load(file, o)
	if err == nil {
		_, err = compile(t.Name, t.Topology, conf.Merge(t.Conf, set))
	}
	if err != nil {
		r.find(true, err.Error())
	}
	return r.finish(), nil
}

// part reports a spout, bolt, grouping or hook of a definition.
func (r *Report) part(p flux.Part, k Kind) {
	if known, ok := stockKind(p.Class); ok {
		k = known
	}
	c := row(p.ID, p.Class, k)
	switch {
	case p.Class == compat.GoClass && !p.Factory:
		c.Runs, c.Why = Native, "Go component"
		c.note("only workers of the Go program that registers it have it")
	case c.Runs == Native && p.Command == nil && k != ShellBolt && k != ShellSpout && !p.Factory:
	case p.Command != nil && !p.Factory:
		c.Why = command(p.Command...)
	default:
		c.Runs, c.Why, c.Notes = No, javaInYAML, nil
	}
	r.Components = append(r.Components, c)
}

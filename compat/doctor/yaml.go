package doctor

import (
	"errors"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/connectors"
	"github.com/gearstorm/gearstorm/compat/flux"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
)

// YAML says what of a topology in Flux's YAML runs. set goes over its configuration. If it names Java classes, o.Java makes
// their objects, as for a submit; where no JVM is set up the report goes by their names. Errors are about files that cannot be
// read as such.
func YAML(file string, o flux.Options, set conf.Conf) (*Report, error) {
	d, err := flux.Read(file, o)
	if err != nil {
		return nil, err
	}
	r := &Report{Of: file, What: "yaml"}
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
	r.configured(conf.Merge(d.Conf, set))
	r.finish() // that of a part says more than Load, which stops at the first mistake
	runs := r.Runs
	t, err := flux.Load(file, o)
	for _, w := range warnings(d, t) {
		r.find(false, w)
	}
	if err == nil {
		_, err = compile(t.Name, t.Topology, conf.Merge(t.Conf, set))
		r.made(Topology(t.Name, t.Topology, nil), d.Source != nil)
	}
	switch missing := (*jvmhost.MissingError)(nil); {
	case errors.As(err, &missing):
		r.find(false, "its Java classes were not looked at: "+missing.Error())
	case err != nil && runs:
		r.find(true, err.Error())
	}
	return r.finish(), nil
}

// warnings are those of a definition, or of the topology made of it.
func warnings(d *flux.Outline, t *flux.Topology) []string {
	if t == nil {
		return d.Warnings
	}
	return t.Warnings
}

// made puts what is known of the finished objects into the rows that are there, or all of it if a class made the topology.
func (r *Report) made(of *Report, all bool) {
	if all {
		r.Components = append(of.Components, r.Components...)
		return
	}
	byName := map[string]Component{}
	for _, c := range of.Components {
		byName[c.Name] = c
	}
	for i, c := range r.Components {
		if m, ok := byName[c.Name]; ok && c.Runs != Native && (c.Kind == Spout || c.Kind == Bolt) {
			r.Components[i].Kind, r.Components[i].Runs, r.Components[i].Why = m.Kind, m.Runs, m.Why
		}
	}
}

// part reports a spout, bolt, grouping or hook of a definition.
func (r *Report) part(p flux.Part, k Kind) {
	if known, ok := stockKind(p.Class); ok && !p.Java {
		k = known
	}
	c := row(p.ID, p.Class, k)
	switch {
	case connectors.Known(p.Class):
		c.Runs, c.Why = Native, "a connector of gearstorm's"
	case p.Class == compat.GoClass:
		c.Runs, c.Why = Native, "Go component"
		c.note("only workers of the Go program that registers it have it")
	case p.Command != nil:
		c.Why = command(p.Command...)
	}
	r.Components = append(r.Components, c)
}

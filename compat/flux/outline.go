package flux

import "github.com/gearstorm/gearstorm/compat/conf"

// Outline is what a definition consists of, by the names of classes and without making anything of them.
type Outline struct {
	Name          string
	Conf          conf.Conf
	Spouts, Bolts []Part
	Groupings     []Part // custom ones; the ID says of which stream
	Components    []Part // what others refer to; Java makes them
	WorkerHooks   []Part
	Source        *Part    // the Java class that makes the topology instead
	Warnings      []string // each with file and line
}

// Part is a thing in a definition that has a class.
type Part struct {
	ID, Class string
	At        string   // "file:line"
	Command   []string // of Flux's shell components
	Java      bool     // it takes Java to make it, whatever its class: by a factory, or out of other objects
}

// Read gives the outline of the definition in file, with its includes. Unlike Load it takes any class, and checks no more
// than that the definition can be read.
func Read(file string, o Options) (*Outline, error) {
	l, d, err := open(file, o)
	if err != nil {
		return nil, err
	}
	out := &Outline{Name: d.name, Conf: d.config, Spouts: parts(d.spouts), Bolts: parts(d.bolts), Components: parts(d.components),
		WorkerHooks: parts(d.hooks), Warnings: l.warnings}
	for _, s := range d.streams {
		if s.grouping.custom != nil {
			p := part(s.grouping.custom)
			p.ID = s.to + " to " + s.from + "." + s.grouping.streamID
			out.Groupings = append(out.Groupings, p)
		}
	}
	if d.source != nil {
		p := part(d.source)
		out.Source = &p
	}
	return out, nil
}

func parts(beans []*bean) []Part {
	out := make([]Part, len(beans))
	for i, b := range beans {
		out[i] = part(b)
	}
	return out
}

func part(b *bean) Part {
	p := Part{ID: b.id, Class: b.className, At: b.at.String(), Java: b.made() && !stockGrouping(b)}
	if !p.Java && (b.className == shellSpoutClass || b.className == shellBoltClass) && len(b.args) > 0 {
		p.Command, _ = b.args[0].texts("") // Load says what is wrong with it
	}
	return p
}

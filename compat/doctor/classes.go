package doctor

import (
	"maps"
	"slices"
	"strings"
)

// kindsOf finds what a class is by its superclasses and interfaces: in the jars, in the table of Storm's names, in Storm's
// own jars. A class that extends itself is nothing.
func (s *scan) kindsOf(class string) []Kind {
	if known, ok := s.kinds[class]; ok {
		return known
	}
	s.kinds[class] = nil
	var out []Kind
	for _, above := range s.above(class) {
		for _, k := range s.kindsOf(above) {
			if inherited, ok := exact[k]; ok {
				k = inherited
			}
			out = append(out, k)
		}
	}
	if k, ok := stockKind(class); ok {
		out = []Kind{k}
	}
	out = special(out)
	s.kinds[class] = out
	return out
}

// above gives the superclass and the interfaces of a class, as far as anybody knows them.
func (s *scan) above(class string) []string {
	if u := s.units[class]; u != nil {
		return append([]string{u.super}, u.interfaces...)
	}
	if class == "" || javas(class) {
		return nil
	}
	if _, ok := stockKind(class); ok {
		return nil
	}
	for _, j := range s.storm {
		if c, err := j.Class(class); err == nil {
			return append([]string{c.Super}, c.Interfaces...)
		}
	}
	if !inClient(class) {
		s.unknown[class] = true
	}
	return nil
}

// inStorm tells whether Storm's client has a class: by its jars if there are any, else by its name. sure is false for a
// guess by name.
func (s *scan) inStorm(class string) (has, sure bool) {
	if len(s.storm) == 0 {
		return inClient(class), false
	}
	for _, j := range s.storm {
		if j.Has(class) {
			return true, true
		}
	}
	return false, true
}

const fluxMain = stormPackage + "flux.Flux"

// roots are the classes from which everything that runs is reached: the one that was named, else the manifest's and all
// others with a main method that name something of Storm's. Without any, and where Flux names classes in YAML, everything
// counts as reached.
func (s *scan) roots(main string) []string {
	if main != "" && main != fluxMain {
		return []string{main}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.units)) {
		u := s.units[name]
		if u.main && name == s.manifest || u.main && !inClient(name) && slices.ContainsFunc(u.refs, func(r string) bool { return strings.HasPrefix(r, stormPackage) }) {
			out = append(out, name)
		}
	}
	if len(out) == 0 || slices.Contains(out, fluxMain) {
		out = slices.Sorted(maps.Keys(s.units))
	}
	return out
}

// reach lists the classes of the jars that roots name, directly or through others, themselves included. A text that is
// the name of a class counts as naming it: that is how reflection is written.
func (s *scan) reach(roots []string) map[string]bool {
	reached := map[string]bool{}
	todo := slices.Clone(roots)
	for len(todo) > 0 {
		u := s.units[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		if u == nil || reached[u.name] {
			continue
		}
		reached[u.name] = true
		todo = append(todo, u.refs...)
		todo = append(todo, u.texts...)
	}
	return reached
}

// crowded are packages that many projects share, so that one more part of the name tells them apart.
var crowded = []string{"org.apache", "com.github", "io.github", "com.gitlab", "org.eclipse", "com.google"}

// home is the part of a class's name that stands for whoever wrote it: the first two parts of its package.
func home(class string) string {
	parts := strings.Split(class, ".")
	parts = parts[:len(parts)-1]
	n := min(2, len(parts))
	if n == 2 && slices.Contains(crowded, strings.Join(parts[:2], ".")) {
		n = min(3, len(parts))
	}
	return strings.Join(parts[:n], ".")
}

// owned tells whether a class is the users' own rather than a library's.
type owned map[string]bool

// owners finds the users' own packages: those of the main classes and of the classes that can be components. Storm's
// modules are nobody's own.
func owners(classes ...string) owned {
	out := owned{}
	for _, c := range classes {
		if h := home(c); !strings.HasPrefix(c, stormPackage) {
			out[h] = true
		}
	}
	return out
}

func (o owned) has(class string) bool { return o[home(class)] }

package doctor

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// JarOptions say what a jar is looked at with. The zero value is fine.
type JarOptions struct {
	// Main is the class that will be started; empty takes the manifest's, else every class that could be.
	Main string
	// Dependencies are the jars that go along with the topology (storm jar --jars).
	Dependencies []File
	// Storm are Storm's own client jars. They make sure what is otherwise told by the names of Storm's classes.
	Storm []File
	// Java is the release of Java that the JVM beside a worker will have; 0 is not known.
	Java int
	// Limits bound the work.
	Limits Limits
}

// ErrNoMain is wrapped when JarOptions.Main is no class of the jar that can be started.
var ErrNoMain = errors.New("no such main class")

// Jar says what of the classes in a topology's jar runs. Errors are about jars that cannot be read, or are too large.
func Jar(jar File, o JarOptions) (*Report, error) {
	s, err := newScan(o)
	if err != nil {
		return nil, err
	}
	for i, f := range append([]File{jar}, o.Dependencies...) {
		if err := s.add(f, i == 0); err != nil {
			return nil, err
		}
	}
	x := &examination{scan: s, java: o.Java, report: &Report{Of: jar.Name, What: "jar", Java: o.Java}}
	if o.Main != "" && (s.units[o.Main] == nil || !s.units[o.Main].main) {
		return nil, fmt.Errorf("%s: %w: %s; there are %s", jar.Name, ErrNoMain, o.Main, listed(x.mains(), 10))
	}
	x.all(s.roots(o.Main))
	return x.report.finish(), nil
}

// examination makes the report of a jar.
type examination struct {
	*scan
	report  *Report
	java    int
	names   []string // of all classes, in order
	reached map[string]bool
	own     owned
	parts   map[string]bool // reached classes that can be components
}

func (x *examination) all(roots []string) {
	x.names, x.reached, x.parts = slices.Sorted(maps.Keys(x.units)), x.reach(roots), map[string]bool{}
	x.report.Mains = x.mains()
	for name := range x.resources {
		if scriptName(name) {
			x.report.Resources = append(x.report.Resources, name)
		}
	}
	slices.Sort(x.report.Resources)
	isRoot := map[string]bool{}
	for _, name := range roots {
		isRoot[name] = true
	}
	var homes []string
	for _, name := range x.names {
		if u := x.units[name]; !inClient(name) && (isRoot[name] && u.main || x.reached[name] && u.concrete && len(x.kindsOf(name)) > 0) {
			homes = append(homes, name)
		}
	}
	x.own = owners(homes...)
	for _, name := range x.names {
		x.class(x.units[name])
	}
	for _, name := range x.names {
		if x.reached[name] {
			x.made(x.units[name])
		}
	}
	x.whole()
}

// mains lists the classes that can be started, the manifest's first, without Storm's own.
func (x *examination) mains() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(x.units)) {
		if x.units[name].main && !inClient(name) && name != x.manifest {
			out = append(out, name)
		}
	}
	if u := x.units[x.manifest]; u != nil {
		out = append([]string{x.manifest}, out...)
	}
	return out
}

// class reports a class once for each thing that it is to Storm.
func (x *examination) class(u *unit) {
	if !u.concrete || inClient(u.name) {
		return
	}
	for _, k := range x.kindsOf(u.name) {
		c := row(u.name, "", k)
		if k == ShellBolt || k == ShellSpout {
			x.shell(&c, u)
		}
		if c.Runs != Native {
			x.loads(&c, u)
		}
		if x.reached[u.name] {
			x.parts[u.name] = true
			x.report.Components = append(x.report.Components, c)
		} else {
			x.report.Unused = append(x.report.Unused, c)
		}
	}
}

// shell tells a class that only names a command from one that changes what its stock class does.
func (x *examination) shell(c *Component, u *unit) {
	var methods []string
	for _, at := range x.lineage(u) {
		if _, isStock := stockKind(at.name); isStock {
			break
		}
		methods = append(methods, at.methods...)
		for _, script := range at.scripts {
			c.Why = strings.TrimSpace("multilang " + path.Base(script))
			if len(x.resources) > 0 && !strings.HasPrefix(script, "/") && !x.resources[script] {
				c.note(script + " is not in the jar's resources/")
			}
		}
	}
	if len(methods) == 0 {
		if c.Why == "" {
			c.Why = "multilang"
		}
		return
	}
	var note string
	c.Runs, c.Why, note = Where(ShellOverride, u.name)
	c.note(note)
	c.note("its own methods: " + listed(methods, 3))
}

// loads looks at what a JVM makes of a component's class.
func (x *examination) loads(c *Component, u *unit) {
	for _, at := range x.lineage(u) {
		if x.java > 0 && at.java > x.java {
			c.refuse(tooNew(at, x.java))
		}
	}
	for _, inner := range x.nestedIn(u.name) {
		for _, i := range x.units[inner].uses {
			if apis[i].blocks {
				c.refuse(apis[i].text)
			} else {
				c.note(apis[i].text)
			}
		}
	}
}

// nestedIn lists a class and those inside it.
func (x *examination) nestedIn(class string) []string {
	from, _ := slices.BinarySearch(x.names, class)
	to := from + 1
	for to < len(x.names) && strings.HasPrefix(x.names[to], class+"$") {
		to++
	}
	return x.names[from:to]
}

// inPart tells whether a class is one that can be a component, or inside one.
func (x *examination) inPart(class string) bool {
	for i := range class {
		if class[i] == '$' && x.parts[class[:i]] {
			return true
		}
	}
	return x.parts[class]
}

func tooNew(u *unit, java int) string {
	return fmt.Sprintf("%s is built for Java %d, the Java here is %d", u.name, u.java, java)
}

// lineage is a class and those of its superclasses that are in the jars.
func (x *examination) lineage(u *unit) []*unit {
	var out []*unit
	seen := map[*unit]bool{}
	for at := u; at != nil && !seen[at]; at = x.units[at.super] {
		seen[at] = true
		out = append(out, at)
	}
	return out
}

// made reports what a reached class makes part of a topology without a class of its own for it.
func (x *examination) made(u *unit) {
	if inClient(u.name) || strings.HasPrefix(u.name, stormPackage) && !x.own.has(u.name) {
		return
	}
	for _, k := range u.made {
		x.report.Components = append(x.report.Components, row(u.name, "", k))
	}
	for _, name := range u.stock {
		if k, ok := stockKind(name); ok && !slices.ContainsFunc(x.report.Components, func(c Component) bool { return c.Name == name }) {
			x.report.Components = append(x.report.Components, row(name, "", k))
		}
	}
}

// listed joins the first of a list.
func listed(all []string, most int) string {
	if len(all) == 0 {
		return "none"
	}
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}

package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mostNamed is how many classes a finding names.
const mostNamed = 5

// hostJava is the first release of Java that hosts components.
const hostJava = 17

// whole finds what is wrong with a jar rather than with one component in it.
func (x *examination) whole() {
	r := x.report
	if x.defaults {
		r.find(true, "Storm's client is in the jar (defaults.yaml), and Storm's commands refuse to start with two of it: make storm-client a provided dependency")
	}
	if len(x.units) == 0 {
		r.find(false, "there is no class in it")
	}
	if len(x.broken) > 0 {
		r.find(false, "class files that cannot be read: "+listed(x.broken, mostNamed))
	}
	if len(x.misplaced) > 0 {
		r.find(false, "class files where no class loader looks for them: "+listed(x.misplaced, mostNamed))
	}
	if len(x.signed) > 0 {
		r.find(false, "Java refuses the classes of a jar that has the signatures of others (Invalid signature file digest): "+listed(x.signed, mostNamed))
	}
	if len(x.nested) > 0 {
		r.find(false, "jars inside the jar are on no class path: "+listed(x.nested, mostNamed))
	}
	if slices.ContainsFunc(r.Components, func(c Component) bool { return c.Runs == JVM }) {
		switch {
		case x.java == 0:
			r.find(false, "no Java was found on this machine; the workers need one for what runs in the JVM")
		case x.java < hostJava:
			r.find(true, fmt.Sprintf("what runs in the JVM needs Java %d, the Java here is %d", hostJava, x.java))
		}
	}
	shells := func(c Component) bool { return c.Kind == ShellBolt || c.Kind == ShellSpout }
	if slices.ContainsFunc(r.Components, shells) && len(x.resources) == 0 {
		r.find(false, "there are multilang components, but no scripts in resources/ of the jar")
	}
	x.versions()
	x.missing()
	x.uses()
}

// versions finds the user's classes that are no components and that Java is too old for; components say it themselves.
func (x *examination) versions() {
	if x.java == 0 {
		return
	}
	var own, others []string
	var ownNeed, othersNeed int
	for _, name := range slices.Sorted(maps.Keys(x.reached)) {
		switch u := x.units[name]; {
		case u.java <= x.java || x.parts[name]:
			continue
		case x.own.has(name):
			own, ownNeed = append(own, name), max(ownNeed, u.java)
		default:
			others, othersNeed = append(others, name), max(othersNeed, u.java)
		}
	}
	const text = "built for Java %d, the Java here is %d: %s"
	if len(own) > 0 {
		x.report.find(true, fmt.Sprintf(text, ownNeed, x.java, listed(own, mostNamed)))
	}
	if len(others) > 0 {
		x.report.find(false, fmt.Sprintf("classes of libraries are "+text, othersNeed, x.java, listed(others, mostNamed)))
	}
}

// missing finds classes that the user's code names and that are nowhere: of the user's own packages, of Storm's modules,
// and of Storm's client itself.
func (x *examination) missing() {
	wanted := map[string]string{} // class -> the first that names it
	for _, name := range slices.Sorted(maps.Keys(x.reached)) {
		if !x.own.has(name) {
			continue
		}
		for _, ref := range x.units[name].refs {
			if x.units[ref] == nil && wanted[ref] == "" {
				wanted[ref] = name
			}
		}
	}
	for _, class := range slices.Sorted(maps.Keys(wanted)) {
		by := wanted[class]
		has, sure := x.inStorm(class)
		switch {
		case told(class):
		case inClient(class) && (has || !sure):
		case inClient(class):
			x.report.find(true, fmt.Sprintf("%s, which %s uses, is not in Storm's client", class, by))
		case has:
		case x.kindIs(class, DaemonPlugin):
		case strings.HasPrefix(class, stormPackage):
			x.report.find(true, fmt.Sprintf("%s, which %s uses, is neither in the jar nor in Storm's client: put its module into the jar, or name it with --jars", class, by))
		case x.own.has(class):
			x.report.find(true, fmt.Sprintf("%s, which %s uses, is not in the jar", class, by))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(x.reached)) {
		u := x.units[name]
		for _, above := range append([]string{u.super}, u.interfaces...) {
			if x.own.has(name) && x.unknown[above] && wanted[above] != "" && !x.own.has(above) && !told(above) && !strings.HasPrefix(above, stormPackage) {
				x.report.find(false, fmt.Sprintf("%s extends %s, which is not in the jar: what it is to Storm cannot be told", name, above))
			}
		}
	}
}

// told tells whether a use of a class is reported by itself.
func told(class string) bool {
	return slices.ContainsFunc(apis, func(a api) bool { return a.method == "" && a.means(class) })
}

func (x *examination) kindIs(class string, k Kind) bool {
	known, ok := stockKind(class)
	return ok && known == k
}

// uses finds what differs here in the user's classes that are no components. A main class may end its JVM: that is the
// client's.
func (x *examination) uses() {
	by := map[int][]string{}
	for _, name := range slices.Sorted(maps.Keys(x.reached)) {
		if !x.own.has(name) || x.inPart(name) {
			continue
		}
		for _, i := range x.units[name].uses {
			if !apis[i].component || !x.units[name].main {
				by[i] = append(by[i], name)
			}
		}
	}
	for _, i := range slices.Sorted(maps.Keys(by)) {
		x.report.find(apis[i].blocks, fmt.Sprintf("%s: %s", listed(by[i], 3), apis[i].text))
	}
}

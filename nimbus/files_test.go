package nimbus

import (
	"fmt"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func TestRewritten(t *testing.T) {
	shell := func(name string, command ...string) *dag.Processor {
		return &dag.Processor{Name: name, Kind: dag.Bolt, Impl: dag.Impl{Kind: dag.ImplShell, Command: command}}
	}
	g := &dag.Graph{Processors: []*dag.Processor{shell("a", "python3", "./a.py", "x"), shell("b", "python3", "b.py"),
		{Name: "java", Impl: dag.Impl{Kind: dag.ImplJava}}}}
	known := func(sum, rest string, files ...string) shipment {
		c := &stormrpc.JarContents{Rest: rest, Scripts: map[string]string{}}
		for i := 0; i < len(files); i += 2 {
			c.Scripts[files[i]] = files[i+1]
		}
		return shipment{sum, c}
	}
	was := known("1", "r", "a.py", "1", "b.py", "1", "lib.py", "1")
	for _, tt := range []struct {
		name, want   string
		will         shipment
		some, beside bool
	}{
		{name: "the same", will: was, want: "map[]"},
		{name: "not known", will: shipment{}, want: "map[]"},
		{name: "one script", will: known("2", "r", "a.py", "2", "b.py", "1", "lib.py", "1"), want: "map[a:a.py is another one]", some: true},
		{name: "packed anew", will: known("2", "r", "a.py", "1", "b.py", "1", "lib.py", "1"), want: "map[]"},
		{name: "what both may read", will: known("2", "r", "a.py", "1", "b.py", "1", "lib.py", "2"),
			want: "map[a:files that go along with it are others b:files that go along with it are others]", some: true},
		{name: "a file less", will: known("2", "r", "a.py", "1", "b.py", "1"),
			want: "map[a:files that go along with it are others b:files that go along with it are others]", some: true},
		{name: "other classes", will: known("2", "s", "a.py", "1", "b.py", "1", "lib.py", "1"), want: "map[]", some: true, beside: true},
		{name: "only the sum is known", will: shipment{sum: "2"},
			want: "map[a:files that go along with it are others b:files that go along with it are others]", some: true, beside: true},
	} {
		if got := fmt.Sprint(rewritten(g, g, was, tt.will)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		if some, beside := tt.will.other(was); some != tt.some || beside != tt.beside {
			t.Errorf("%s: differs %v, beside scripts %v", tt.name, some, beside)
		}
	}
}

func TestInOtherClasses(t *testing.T) {
	of := func(kind dag.ImplKind, class, arg string) version {
		object := &stormrpc.ComponentObject{JavaObject: &stormrpc.JavaObject{FullClassName: class, ArgsList: []*stormrpc.JavaObjectArg{{StringArg: &arg}}}}
		return version{
			code: &stormrpc.StormTopology{Spouts: map[string]*stormrpc.SpoutSpec{"src": {}}, Bolts: map[string]*stormrpc.Bolt{"bolt": {BoltObject: object}}},
			graph: &dag.Graph{Processors: []*dag.Processor{
				{Name: "bolt", Kind: dag.Bolt, Impl: dag.Impl{Kind: kind, Name: class}},
				{Name: "src", Kind: dag.Spout, Impl: dag.Impl{Kind: dag.ImplJava, Name: "Src"}},
			}},
		}
	}
	depends := of(dag.ImplJava, "A", "1")
	depends.code.DependencyJars = []string{"dep.jar"}
	for _, tt := range []struct {
		name, want string
		was, will  version
		rest       bool
	}{
		{"the same", "map[]", of(dag.ImplJava, "A", "1"), of(dag.ImplJava, "A", "1"), false},
		{"made of something else", "map[bolt:it is made in another way]", of(dag.ImplJava, "A", "1"), of(dag.ImplJava, "A", "2"), false},
		{"another class, which its graph shows", "map[]", of(dag.ImplJava, "A", "1"), of(dag.ImplJava, "B", "1"), false},
		{"another jar", "map[bolt:its jar is another one src:its jar is another one]", of(dag.ImplJava, "A", "1"), of(dag.ImplJava, "A", "1"), true},
		{"another jar, and no Java any more", "map[src:its jar is another one]", of(dag.ImplJava, "A", "1"), of(dag.ImplShell, "", "1"), true},
		{"a program", "map[]", of(dag.ImplGo, "A", "1"), of(dag.ImplGo, "A", "1"), true},
		{"another dependency", "map[bolt:jars that it depends on are others src:jars that it depends on are others]", of(dag.ImplJava, "A", "1"), depends, false},
	} {
		if got := fmt.Sprint(inOtherClasses(tt.was, tt.will, tt.rest)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Other arguments of the program replace its components, in place, but for those of which the user says which version they are.
func TestOtherArguments(t *testing.T) {
	of := func(kind dag.ImplKind, args ...any) version {
		v := version{conf: conf.Conf{"topology.name": "x"}, graph: &dag.Graph{Name: "x"}, code: &stormrpc.StormTopology{}}
		if args != nil {
			v.conf[conf.ProgramArgs] = args
		}
		v.graph.Conf = v.conf
		for _, name := range []string{"plain", "shell", "versioned"} {
			p := &dag.Processor{Name: name, Kind: dag.Bolt, Tasks: 1, Executors: 1, Impl: dag.Impl{Kind: kind, Name: name}}
			switch name {
			case "versioned":
				p.Conf = map[string]any{componentVersionKey: "1"}
			case "shell":
				p.Impl = dag.Impl{Kind: dag.ImplShell, Command: []string{"sh"}}
			}
			v.graph.Processors = append(v.graph.Processors, p)
		}
		return v
	}
	for _, c := range []struct {
		name, want string
		was, will  version
	}{
		{"none", "map[]", of(dag.ImplGo), of(dag.ImplGo)},
		{"the same", "map[]", of(dag.ImplGo, "a"), of(dag.ImplGo, "a")},
		{"others", "map[plain:the program has other arguments]", of(dag.ImplGo, "a"), of(dag.ImplGo, "b", "c")},
		{"none any more", "map[plain:the program has other arguments]", of(dag.ImplGo, "a"), of(dag.ImplGo)},
		{"of what is in no program any more", "map[]", of(dag.ImplGo, "a"), of(dag.ImplShell)},
	} {
		d, err := deltaOf(c.was, c.will, nil)
		must(t, err)
		if got := fmt.Sprint(d.replace); got != c.want || d.restarts() {
			t.Errorf("%s: got %s, want %s; restarts %+v", c.name, got, c.want, d.how)
		}
		if changed := len(d.rows()) > 0; changed != (c.name != "none" && c.name != "the same") {
			t.Errorf("%s: rows %v", c.name, d.rows())
		}
	}
}

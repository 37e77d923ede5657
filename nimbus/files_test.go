package nimbus

import (
	"fmt"
	"testing"

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

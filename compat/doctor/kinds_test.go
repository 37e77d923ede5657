package doctor

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/javaser"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A kind is decided in one way, and without a reason it runs.
func TestTable(t *testing.T) {
	for _, row := range kinds {
		v, why, _ := Where(row.kind, "a.B")
		switch {
		case (v == No) != (why != ""):
			t.Errorf("%s runs %s because of %q", row.kind, v, why)
		case row.native && v != Native:
			t.Errorf("%s runs %s", row.kind, v)
		}
		if (row.probe != nil) == (row.native || row.never != "") {
			t.Errorf("%s is decided in two ways, or in none", row.kind)
		}
	}
	if a := asked(func(*probe) {}); a.err != nil || a.java {
		t.Errorf("the probe itself is refused, or Java, which makes all answers wrong: %+v", a)
	}
}

func TestEveryTypeHasAKind(t *testing.T) {
	known := func(k Kind) bool { return slices.ContainsFunc(kinds, func(r kindRow) bool { return r.kind == k }) }
	for name, k := range stock {
		if !known(k) {
			t.Errorf("%s is %q, which is no kind", name, k)
		}
	}
	for _, k := range wrappers {
		if !known(k) {
			t.Errorf("wrapper %q is no kind", k)
		}
	}
	for _, name := range slices.Concat(used, byName) {
		if stock[name] == "" {
			t.Errorf("%s is used and has no kind", name)
		}
	}
}

func TestProbesAreReadable(t *testing.T) {
	for _, tc := range []struct{ class, bolt, want, wrapper string }{
		{probed, "", probed, ""},
		{"org.apache.storm.topology.BasicBoltExecutor", probed, probed, "org.apache.storm.topology.BasicBoltExecutor"},
	} {
		data := javaObject(tc.class, tc.bolt)
		if _, err := javaser.Parse(data); err != nil {
			t.Errorf("%s: %v", tc.class, err)
		}
		if f, err := javaser.Recognize(data); err != nil || f.Class != tc.want || f.Wrapper != tc.wrapper {
			t.Errorf("%s is taken for %+v, %v", tc.class, f, err)
		}
	}
}

// The verdict over shell components with methods of their own is the one of a submit, which looks into the jar.
func TestShellOverrideIsTheSubmits(t *testing.T) {
	data, err := os.ReadFile("../javaser/testdata/classes.jar")
	if err != nil {
		t.Fatal(err)
	}
	jar, err := javaser.OpenJar(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	topo := topology(shellObject(t, "a", "b"), map[string]*stormrpc.ComponentObject{"counting": serializedAs(t, "shellbolt-counting")})
	v, why, _ := Where(ShellOverride, "")
	if _, err := compat.PlaceShells(topo, jar); (err == nil) != (v != No) {
		t.Errorf("a submit answers %v, and the table says %s: %s", err, v, why)
	}
}

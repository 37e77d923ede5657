package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tools opens files below .tools, or skips loudly; in CI nothing is skipped.
func tools(t *testing.T, patterns ...string) []File {
	t.Helper()
	var out []File
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join("..", "..", ".tools", pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 0 {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not there: run scripts/get-storm-client.sh", pattern)
			}
			t.Skipf("%s is not there: run scripts/get-storm-client.sh", pattern)
		}
		for _, name := range names {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, File{Name: filepath.Base(name), ReaderAt: f, Size: info.Size()})
		}
	}
	return out
}

// The jar of integration/java, as Maven made it: every row is right, with Storm's jars and without.
func TestRealJar(t *testing.T) {
	jar := tools(t, "storm/build/integration.jar")[0]
	for name, storm := range map[string][]File{"by Storm's jars": tools(t, "storm/lib/storm-*.jar"), "by names": nil} {
		t.Run(name, func(t *testing.T) {
			r, err := Jar(jar, JarOptions{Java: 17, Storm: storm})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for i, line := range rows(r.Components) {
				got[r.Components[i].Name] = line
			}
			for _, want := range []string{
				"it.ShellTopology$Sentences | shell spout | native | multilang sentences.py",
				"it.ShellTopology$Split | shell bolt | native | multilang split.py",
				"it.ShellTopology$Upper | shell bolt | native | multilang upper.js",
				"it.ShellTopology$Write | shell bolt | native | multilang write.py",
				"it.Sentences | spout | java",
				"it.WordCount$Split | basic bolt | java",
				"it.Bolts$Sums | windowed bolt | java",
				"org.apache.storm.drpc.DRPCSpout | DRPC spout | native | it needs a DRPC server: drpc.servers",
				"org.apache.storm.grouping.PartialKeyGrouping | partial key grouping | native",
			} {
				class, _, _ := strings.Cut(want, " | ")
				if diff := cmp.Diff(want, got[class]); diff != "" {
					t.Error(diff)
				}
			}
			for _, f := range r.Findings {
				if f.Blocks {
					t.Errorf("finding: %s", f.Text)
				}
			}
			for _, main := range []string{"it.WordCount", "it.ShellTopology"} {
				if !slices.Contains(r.Mains, main) {
					t.Errorf("main classes are %v", r.Mains)
				}
			}
			if !slices.Contains(r.Resources, "split.py") {
				t.Errorf("resources are %v", r.Resources)
			}
		})
	}
	r, err := Jar(jar, JarOptions{Java: 11})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Components, func(c Component) bool { return c.Name == "it.Sentences" })
	const old = "it.Sentences is built for Java 17, the Java here is 11"
	if c := r.Components[i]; r.Runs || c.Runs != No || c.Why != old && !slices.Contains(c.Notes, old) {
		t.Errorf("under Java 11: %+v", c)
	}
}

// The table of Storm's names agrees with what Storm's client says of itself: each class is there, and its superclasses
// and interfaces make it what the table makes it.
func TestTableAgainstStormsClient(t *testing.T) {
	s, err := newScan(JarOptions{Storm: tools(t, "storm/lib/storm-client-*.jar")})
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range stock {
		class := stormPackage + name
		if !inClient(class) {
			continue // of a module or of the daemons
		}
		c, err := s.storm[0].Class(class)
		if err != nil {
			t.Errorf("%s (%s): %v", name, kind, err)
			continue
		}
		var above []Kind
		for _, up := range append([]string{c.Super}, c.Interfaces...) {
			above = append(above, s.kindsOf(up)...)
		}
		above = special(above)
		if len(above) > 0 && !slices.Contains(above, exact[kind]) && !slices.Contains(above, kind) && !slices.ContainsFunc(above, func(k Kind) bool { return slices.Contains(implied[kind], k) || slices.Contains(implied[k], kind) }) {
			t.Errorf("%s is a %s, and extends %v", name, kind, above)
		}
	}
	for _, b := range builders {
		c, err := s.storm[0].Class(stormPackage + b.class)
		if err != nil {
			t.Error(err)
			continue
		}
		found := false
		for _, m := range c.Methods {
			found = found || m.Name == b.method && strings.Contains(m.Descriptor, b.descriptor)
		}
		if !found {
			t.Errorf("%s has no method %s with %q", b.class, b.method, b.descriptor)
		}
	}
}

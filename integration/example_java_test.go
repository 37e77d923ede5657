package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// makeJar compiles sources and makes a jar of their classes.
func makeJar(t *testing.T, file, classpath string, sources ...string) string {
	t.Helper()
	program(t, "jar")
	classes := t.TempDir()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	compile := append([]string{"javac", "--release", "17", "-d", classes, "-cp", classpath + ":" + classes}, sources...)
	for _, argv := range [][]string{compile, {"jar", "--create", "--file", file, "-C", classes, "."}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
	}
	return file
}

// The example in Java does what the README says of it: compiled with our class path, started from its jar and from YAML, and
// asked by drpc-client.
func TestJavaExample(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	opts, err := setUpJava()
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimSpace(s.c.must(t, append([]string{"classpath"}, opts...)...))
	jar := makeJar(t, filepath.Join(dir, "shout.jar"), path, "../examples/java/Shout.java")
	s.c.must(t, append([]string{"doctor", jar}, opts...)...)
	s.c.must(t, append([]string{"jar", jar, "Shout", "shout"}, opts...)...)
	s.c.must(t, append([]string{"submit", "../examples/java/shout.yaml", "--jar", jar}, opts...)...)
	for _, function := range []string{"shout", "shout-flux"} {
		out, err := execute(t, s.c, function, "hello") // the server keeps it until the topology asks
		if want := function + " \"hello\" => \"HELLO!\"\n"; err != nil || out != want {
			t.Errorf("drpc-client says %q (%v), want %q", out, err, want)
		}
	}
	ok("gearstorm", "jar and submit of the example in Java")
}

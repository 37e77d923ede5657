package localizer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// What children compiled of modules that stay the same is there for those of the next version, and Python takes it for theirs.
func TestCompiledModulesOutliveVersions(t *testing.T) {
	m := newMaster()
	publish := func(version int64, members ...member) Version {
		v := Version{Number: version, Code: fmt.Sprintf("%s-v%d", topo, version)}
		m.publishAs(t, v.Code, conf.Conf{"version": version}, zipOf(t, members...))
		return v
	}
	same := []member{{name: "resources/same.py", data: "x = 1\n"}, {name: "resources/sub/deep.py", data: "y = 1\n"}, {name: "resources/link.py", data: "z = 1\n"},
		{name: "resources/own.py", data: "o = 1\n"}, {name: "resources/__pycache__/own.any.pyc", data: "from the jar"}}
	c := openCache(t, t.TempDir(), m)
	code, err := c.Acquire(t.Context(), topo, "u", publish(1, append(same, member{name: "resources/other.py", data: "1\n"})...))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(code.Dir, resourcesDir)
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, name := range []string{"same.py", "sub/deep.py", "link.py", "own.py", "other.py"} {
		if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	imports := func(flags ...string) string {
		t.Helper()
		cmd := exec.Command("python3", append(flags, "-c", "import same, other, sub.deep")...)
		cmd.Dir, cmd.Env = dir, slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PYTHON") }) // some forbid it to keep what it compiles
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	imports()
	secret := filepath.Join(t.TempDir(), "secret")
	for _, err := range []error{os.WriteFile(secret, []byte("secret"), 0o600), os.Symlink(secret, filepath.Join(dir, pycache, "link.any.pyc")),
		os.WriteFile(filepath.Join(dir, pycache, "own.any.pyc"), []byte("from the jar"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Update(t.Context(), topo, publish(2, append(same, member{name: "resources/other.py", data: "2\n"})...)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, folder := range []string{dir, filepath.Join(dir, "sub")} {
		entries, err := os.ReadDir(filepath.Join(folder, pycache))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			module, _, _ := strings.Cut(e.Name(), ".")
			got = append(got, module)
		}
	}
	if want := []string{"own", "same", "deep"}; !slices.Equal(got, want) {
		t.Errorf("%q are compiled of the next version, want %q", got, want)
	}
	said := imports("-v")
	for module, compiled := range map[string]bool{"same": true, "sub/deep": true, "other": false} {
		if strings.Contains(said, " matches "+filepath.Join(dir, module+".py")) != compiled {
			t.Errorf("Python takes %s as it was compiled: %v, want %v", module, !compiled, compiled)
		}
	}
}

package clients

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("SKIPPED: %s is not installed", name)
	}
	return path
}

func run(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		text := err.Error()
		if e, ok := err.(*exec.ExitError); ok {
			text += ": " + string(e.Stderr)
		}
		t.Fatalf("%q: %s", argv, text)
	}
	return string(out)
}

// copied returns a copy of the folder, where a build may leave files.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestPipInstalls installs the Python client from its folder, without a network.
func TestPipInstalls(t *testing.T) {
	python := tool(t, "python3")
	if exec.Command(python, "-m", "pip", "--version").Run() != nil {
		tool(t, "pip")
	}
	src, into := copied(t, "python"), t.TempDir()
	run(t, src, python, "-m", "pip", "install", "--quiet", "--no-index", "--no-cache-dir", "--disable-pip-version-check", "--root-user-action", "ignore", "--target", into, ".")
	got := run(t, into, python, "-c", "import gearstorm, importlib.metadata as m; print(gearstorm.__file__, gearstorm.__version__, m.version('gearstorm'))")
	path, err := filepath.EvalSymlinks(into)
	if err != nil {
		t.Fatal(err)
	}
	if f := strings.Fields(got); len(f) != 3 || !strings.HasPrefix(f[0], path) && !strings.HasPrefix(f[0], into) || f[1] != f[2] {
		t.Errorf("installed: %s", got)
	}
	name := run(t, src, python, "-c", "import build_backend; print(build_backend.build_sdist('.'))")
	list := run(t, src, "tar", "-tzf", strings.TrimSpace(name))
	if !strings.Contains(list, "/gearstorm.py") || !strings.Contains(list, "/gearstorm_state.py") || !strings.Contains(list, "/PKG-INFO") {
		t.Errorf("source archive: %s", list)
	}
}

// TestNpmPacks packs the Node client.
func TestNpmPacks(t *testing.T) {
	npm := tool(t, "npm")
	src := copied(t, "node")
	var packed []struct {
		Name, Version string
		Files         []struct{ Path string }
	}
	if err := json.Unmarshal([]byte(run(t, src, npm, "pack", "--json", "--offline", "--cache", t.TempDir())), &packed); err != nil {
		t.Fatal(err)
	}
	if len(packed) != 1 || packed[0].Name != "gearstorm" || len(packed[0].Files) != 4 {
		t.Errorf("packed %+v", packed)
	}
}

// TestVersionsAgree: both clients have the version of their module.
func TestVersionsAgree(t *testing.T) {
	version := regexp.MustCompile(`(?m)^ *"?(?:__version__|version)"? ?[=:] "([^"]+)"`)
	found := map[string]bool{}
	for _, file := range []string{"python/pyproject.toml", "python/gearstorm.py", "node/package.json"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := version.FindSubmatch(b)
		if m == nil {
			t.Fatalf("%s has no version", file)
		}
		found[string(m[1])] = true
	}
	if len(found) != 1 {
		t.Errorf("versions %v", found)
	}
}

package integration

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const streamparse = "streamparse-5.0.1"

// sparse is streamparse's CLI in a project of its quickstart.
type sparse struct {
	bin, dir string
	env      []string
}

func newSparse(t *testing.T, c *cluster) *sparse {
	t.Helper()
	bin := tool(t, "scripts/get-python.sh", "venv", "bin")
	s := &sparse{bin: bin, dir: t.TempDir(), env: []string{"LEIN_ROOT=1", "PATH=" + bin + ":" + os.Getenv("PATH")}}
	s.must(t, "quickstart", "wordcount")
	s.dir = filepath.Join(s.dir, "wordcount")
	conf := map[string]any{
		"serializer": "json", "topology_specs": "topologies/", "virtualenv_specs": "virtualenvs/",
		"envs": map[string]any{"prod": map[string]any{
			"user": "", "nimbus": fmt.Sprintf("127.0.0.1:%d", c.nimbus), "workers": []string{"127.0.0.1"}, "log": map[string]any{"path": "", "max_bytes": 1000000, "backup_count": 1, "level": "info"},
			"use_ssh_for_nimbus": false, "use_virtualenv": false, "virtualenv_root": "x", "install_virtualenv": false,
		}},
	}
	b, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "config.json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sparse) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return run(t, 2*time.Minute, s.env, s.dir, filepath.Join(s.bin, "sparse"), args...)
}

func (s *sparse) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.run(t, args...)
	if err != nil {
		t.Fatalf("sparse %v: %v\n%s", args, err, out)
	}
	return out
}

// jar packs the project's src as resources/, as `sparse jar` would with Leiningen.
func (s *sparse) jar(t *testing.T) string {
	t.Helper()
	name := filepath.Join(s.dir, "wc.jar")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	src := filepath.Join(s.dir, "src")
	err = filepath.WalkDir(src, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(src, p)
		w, err := z.Create("resources/" + filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	})
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// unwrapped joins the cells that streamparse's table breaks over lines, column by column.
func unwrapped(table string) string {
	var cells []string
	var out []string
	for _, l := range strings.Split(table, "\n") {
		if !strings.HasPrefix(l, "|") {
			out = append(out, cells...)
			cells = nil
			continue
		}
		for i, c := range strings.Split(l, "|") {
			if i >= len(cells) {
				cells = append(cells, "")
			}
			cells[i] += strings.TrimSpace(c)
		}
	}
	return strings.Join(append(out, cells...), " ")
}

// streamparse 5.0.1 submits its quickstart word count, which runs under its own pystorm, lists and kills it.
func TestStreamparse(t *testing.T) {
	bin := tool(t, "scripts/get-python.sh", "venv", "bin")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH")) // the workers find streamparse_run there
	c := startCluster(t)
	s := newSparse(t, c)
	if out := s.must(t, "list"); !strings.Contains(out, "No topologies found.") {
		t.Errorf("an empty cluster lists\n%s", out)
	}
	jar := s.jar(t)
	s.must(t, "submit", "-j", jar, "--wait", "0")
	ok(streamparse, "submit")
	if out := unwrapped(s.must(t, "list")); !strings.Contains(out, "wordcount") || !strings.Contains(out, "ACTIVE") {
		t.Errorf("list says\n%s", out)
	}
	ok(streamparse, "list")
	waitFor(t, time.Minute, "counted tuples", func() bool {
		out, err := c.gearstorm(t, "info", "-o", "json", "wordcount")
		if err != nil {
			return false
		}
		var info struct {
			Components []struct {
				Name     string
				Executed int64
				Acked    int64
			}
		}
		if err := json.Unmarshal([]byte(out), &info); err != nil {
			t.Fatalf("info says %q: %v", out, err)
		}
		for _, comp := range info.Components {
			if comp.Name == "count_bolt" && comp.Executed > 1000 && comp.Acked > 1000 {
				return true
			}
		}
		return false
	})
	ok(streamparse, "run")
	out, err := s.run(t, "submit", "-j", jar, "--wait", "0")
	if err == nil || !strings.Contains(out, "is an invalid name for a Storm topology") {
		t.Errorf("a second submit of a live name said (%v)\n%s", err, out)
	}
	s.must(t, "submit", "-f", "-j", jar, "--wait", "0")
	ok(streamparse, "submit-force")
	s.must(t, "kill", "-n", "wordcount", "--wait", "0")
	waitFor(t, 30*time.Second, "an empty list", func() bool { return strings.Contains(s.must(t, "list"), "No topologies found.") })
	ok(streamparse, "kill")
	if out, err := s.run(t, "kill", "-n", "nosuch"); err == nil || !strings.Contains(out, "nosuch is not alive") {
		t.Errorf("killing an unknown topology said (%v)\n%s", err, out)
	}
}

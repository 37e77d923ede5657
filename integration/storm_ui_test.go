//go:build unpublished

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stormUI is Storm's own UI daemon, aimed at a cluster.
type stormUI struct {
	base string            // of its API
	name *strings.Replacer // ID, NODE, HOST and PORT in paths become those of what runs
}

// startStormUI starts Storm's UI. TestFieldsThatClientsReadAreSet of package nimbus is the part of what follows that runs anywhere.
func startStormUI(t *testing.T, c *cluster) *stormUI {
	t.Helper()
	program(t, "java")
	ui := filepath.Join(unpublished(t), "ui")
	home := t.TempDir()
	port := freePorts(t, 1)[0]
	for file, text := range map[string]string{
		"storm.yaml": fmt.Sprintf("nimbus.seeds: [\"127.0.0.1\"]\nnimbus.thrift.port: %d\nui.port: %d\nstorm.local.dir: %q\n", c.nimbus, port, home),
		"log4j2.xml": `<Configuration status="error"><Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>` +
			`<Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers></Configuration>`,
	} {
		if err := os.WriteFile(filepath.Join(home, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := startProcess(t, c.dir, "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dstorm.home="+home, "-Dstorm.log.dir="+home,
		"-Dlog4j.configurationFile="+filepath.Join(home, "log4j2.xml"), "-cp", strings.Join([]string{ui + "/classes", ui + "/lib/*", home}, ":"),
		"org.apache.storm.daemon.ui.UIServer")
	u := &stormUI{base: fmt.Sprintf("http://127.0.0.1:%d/api/v1/", port), name: strings.NewReplacer()}
	waitFor(t, time.Minute, "the UI to serve", func() bool {
		d.mustRun(t)
		_, err := u.ask(http.MethodGet, "cluster/summary", "")
		return err == nil
	})
	return u
}

// ask makes one request and returns its answer, which must be a JSON object without an error.
func (u *stormUI) ask(method, path, body string) (map[string]any, error) {
	req, err := http.NewRequest(method, u.base+u.name.Replace(path), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("%s: %w: %.300s", resp.Status, err, b)
	}
	if resp.StatusCode != http.StatusOK || out["error"] != nil || strings.Contains(string(b), "Exception") {
		return nil, fmt.Errorf("%s: %.600s", resp.Status, b)
	}
	return out, nil
}

// at is the value at a path like "supervisors.0.id" in an answer, nil if there is none. A key with dots may be its last step.
func at(v any, path string) any {
	step, rest, more := strings.Cut(path, ".")
	switch x := v.(type) {
	case map[string]any:
		if whole, ok := x[path]; ok || !more {
			return whole
		}
		v = x[step]
	case []any:
		i, err := strconv.Atoi(step)
		if err != nil || i >= len(x) {
			return nil
		}
		v = x[i]
	default:
		return nil
	}
	if !more {
		return v
	}
	return at(v, rest)
}

// uiWant is what an answer has to hold: values by path. A value of nil may be any that is
// there; a text may hold the names that paths do.
type uiWant map[string]any

func (w uiWant) check(name *strings.Replacer, answer map[string]any) error {
	var errs []error
	for path, want := range w {
		if text, ok := want.(string); ok {
			want = name.Replace(text)
		}
		switch got := at(answer, path); {
		case got == nil:
			errs = append(errs, fmt.Errorf("there is no %s", path))
		case want != nil && got != want:
			errs = append(errs, fmt.Errorf("%s is %v, want %v", path, got, want))
		}
	}
	return errors.Join(errs...)
}

// fields are paths below one, of which any value will do.
func fields(below string, names ...string) uiWant {
	w := uiWant{}
	for _, n := range names {
		w[below+n] = nil
	}
	return w
}

// with adds what else is wanted.
func (w uiWant) with(more uiWant) uiWant {
	for path, want := range more {
		w[path] = want
	}
	return w
}

// row asks for a path and prints how it went.
func (u *stormUI) row(t *testing.T, method, path, body string, want uiWant) {
	t.Helper()
	command := path
	if method != http.MethodGet {
		command = method + ":" + path
	}
	row(t, "ui", command, func() error {
		answer, err := u.ask(method, path, body)
		if err != nil {
			return err
		}
		return want.check(u.name, answer)
	})
}

// Storm's own UI shows a cluster of ours: every path of its API answers with what its pages read, and its actions act.
func TestStormUI(t *testing.T) {
	program(t, "node")
	program(t, "python3")
	c := startCluster(t)
	u := startStormUI(t, c)
	s := newStorm(t, c)
	words := filepath.Join(c.dir, "words")
	s.must(t, true, "it.ShellTopology", "shells", words, "2")
	waitFor(t, time.Minute, "every word at the last bolt", func() bool { return len(distinctWords(t, words)) == 200*8 })
	u.find(t)
	waitFor(t, time.Minute, "the figures of all sentences", func() bool {
		answer, err := u.ask(http.MethodGet, "topology/ID", "")
		return err == nil && at(answer, "spouts.0.acked") == 200.0
	})
	u.clusterRows(t)
	for _, window := range []string{"600", "10800", "86400", ":all-time"} {
		for _, sys := range []string{"false", "true"} {
			u.topologyRows(t, "?window="+window+"&sys="+sys, sys == "true")
		}
	}
	u.otherRows(t)
	u.actionRows(t)
}

// find learns the names of what runs.
func (u *stormUI) find(t *testing.T) {
	t.Helper()
	summary, err := u.ask(http.MethodGet, "topology/summary", "")
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := u.ask(http.MethodGet, "supervisor/summary", "")
	if err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprint(at(summary, "topologies.0.id"))
	workers, err := u.ask(http.MethodGet, "topology-workers/"+id, "")
	if err != nil {
		t.Fatal(err)
	}
	u.name = strings.NewReplacer("ID", id, "NODE", fmt.Sprint(at(nodes, "supervisors.0.id")), "HOST", fmt.Sprint(at(nodes, "supervisors.0.host")),
		"PORT", fmt.Sprint(at(workers, "hostPortList.0.port")))
}

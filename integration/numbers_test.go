package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// numbers is the topology of testdata/numbers, which checks itself: no number that its spout emitted may be missing at
// its last bolt.
type numbers struct {
	c   *cluster
	dir string // of the files seen, acked, emitted, stop
}

// submitNumbers starts the topology and waits for its first numbers.
func submitNumbers(t *testing.T, c *cluster, workers int) *numbers {
	t.Helper()
	return submitFrom(t, c, "numbers.yaml", workers)
}

// submitFrom is submitNumbers with another file of testdata/numbers, which includes the numbers.
func submitFrom(t *testing.T, c *cluster, file string, workers int) *numbers {
	t.Helper()
	program(t, "python3")
	n := &numbers{c: c, dir: t.TempDir()}
	c.must(t, append([]string{"submit"}, n.args(t, file, workers)...)...)
	n.flow(t, time.Minute)
	return n
}

// args are the arguments of submit and run for a file of testdata/numbers.
func (n *numbers) args(t *testing.T, file string, workers int) []string {
	t.Helper()
	props := filepath.Join(n.dir, "properties")
	if err := os.WriteFile(props, fmt.Appendf(nil, "dir=%s\nworkers=%d\n", n.dir, workers), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--filter", props, filepath.Join("testdata", "numbers", file)}
}

// must runs a command that has to succeed.
func (c *cluster) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.gearstorm(t, args...)
	if err != nil {
		t.Fatalf("gearstorm %v: %v\n%s", args, err, out)
	}
	return out
}

// window is the topology's topology.max.spout.pending.
const window = 50

// flow waits until a window of numbers more than now has arrived and been acked, so that none of them was under way
// before, and returns how long that took.
func (n *numbers) flow(t *testing.T, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	seen, acked := len(n.list(t, "seen")), len(n.list(t, "acked"))
	waitFor(t, limit, "numbers that arrive and are acked", func() bool {
		return len(n.list(t, "seen")) > seen+window && len(n.list(t, "acked")) > acked+window
	})
	return time.Since(began).Round(time.Millisecond)
}

// list reads a file of numbers. A line that is still being written does not count.
func (n *numbers) list(t *testing.T, name string) map[int]bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(n.dir, name))
	if err != nil {
		return nil
	}
	all := map[int]bool{}
	text := string(b)
	for l := range strings.Lines(text[:strings.LastIndexByte(text, '\n')+1]) {
		i, err := strconv.Atoi(strings.TrimSpace(l))
		if err != nil {
			t.Fatalf("%s holds %q", name, l)
		}
		all[i] = true
	}
	return all
}

// finish stops the spout, waits until all it emitted is acked and checks that nothing was lost.
func (n *numbers) finish(t *testing.T, limit time.Duration) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	emitted := 0
	waitFor(t, limit, "the spout's end", func() bool {
		for e := range n.list(t, "emitted") {
			emitted = e
		}
		return emitted > 0
	})
	waitFor(t, limit, "the acks of all numbers", func() bool { return len(n.list(t, "acked")) >= emitted })
	lost := n.missing(t, emitted)
	for end := time.Now().Add(5 * time.Second); lost > 0 && time.Now().Before(end); lost = n.missing(t, emitted) {
		time.Sleep(20 * time.Millisecond) // without ackers acks do not wait for arrival
	}
	if lost > 0 {
		t.Errorf("%d of %d numbers were acked but never arrived", lost, emitted)
	}
	t.Logf("%d numbers, none lost", emitted)
}

// missing returns how many of the numbers below emitted have not arrived.
func (n *numbers) missing(t *testing.T, emitted int) (lost int) {
	t.Helper()
	seen := n.list(t, "seen")
	for i := range emitted {
		if !seen[i] {
			lost++
		}
	}
	return lost
}

// info is what `gearstorm -o json info` says.
type info struct {
	ID         string
	Status     string
	Components []struct {
		Name                    string
		Executed, Acked, Failed int64
		Errors                  []struct{ Text string }
	}
}

func (c *cluster) info(t *testing.T, name string) info {
	t.Helper()
	out := c.must(t, "info", "-o", "json", name)
	var i info
	if err := json.Unmarshal([]byte(out), &i); err != nil {
		t.Fatalf("info says %q: %v", out, err)
	}
	return i
}

// errors returns the errors of a component, a line each.
func (i info) errors(component string) string {
	var texts []string
	for _, c := range i.Components {
		if c.Name == component {
			for _, e := range c.Errors {
				texts = append(texts, e.Text)
			}
		}
	}
	return strings.Join(texts, "\n")
}

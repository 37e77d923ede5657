package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writeFile writes a file, and the folder that it is in.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A topology in YAML with sources and sinks of gearstorm's and a count in Python or Node counts each line of a file once, while its worker and its
// child are killed.
func TestYAMLCountsOnce(t *testing.T) {
	t.Parallel()
	scripts := map[string]string{
		"python3 count.py": `
import gearstorm
class Count(gearstorm.BasicBolt):
    total = gearstorm.Value(0)
    def process(self, tup):
        self.total.set(self.total.get() + 1)
        self.emit(["%s %d" % (tup["line"], self.total.get())])
Count().run()
`,
		"node count.js": `
const { BasicBolt, value } = require('./gearstorm');
class Count extends BasicBolt {
  static states = { total: value(0) };
  process(tuple) {
    const { total } = this.state(tuple);
    total.set(total.get() + 1);
    this.emit([tuple.get('line') + ' ' + total.get()]);
  }
}
new Count().run();
`}
	for command, script := range scripts {
		t.Run(command, func(t *testing.T) {
			words := strings.Fields(command)
			program(t, words[0])
			dir := t.TempDir()
			in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
			writeFile(t, filepath.Join(dir, "resources", words[1]), script)
			yaml := filepath.Join(dir, "lines.yaml")
			writeFile(t, yaml, fmt.Sprintf(`name: lines
config: {gearstorm.checkpoint.interval.ms: 200, topology.workers: 1}
spouts:
  - id: lines
    className: gearstorm.file.Source
    properties:
      - {name: paths, value: [%q]}
      - {name: follow, value: true}
      - {name: poll.ms, value: 20}
bolts:
  - id: count
    className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt
    constructorArgs: [[%s, %s], [record]]
    parallelism: 2
  - id: out
    className: gearstorm.file.Sink
    properties:
      - {name: dir, value: %q}
streams:
  - {from: lines, to: count, grouping: {type: KEY_GROUPS, args: [line]}}
  - {from: count, to: out, grouping: {type: SHUFFLE}}
`, in, words[0], words[1], out))
			const keys, each, rounds = 7, 100, 4
			round := func() (text string) {
				for i := range keys * each {
					text += fmt.Sprintf("k%d\n", i%keys)
				}
				return text
			}()
			writeFile(t, in, round)
			c := startCluster(t)
			c.must(t, "submit", yaml)
			published := func() []string {
				var all []string
				files, _ := filepath.Glob(filepath.Join(out, "part*"))
				for _, f := range files {
					b, err := os.ReadFile(f)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, strings.Fields(strings.ReplaceAll(string(b), " ", ":"))...)
				}
				return all
			}
			for n := 1; n <= rounds; n++ {
				waitFor(t, 2*time.Minute, fmt.Sprintf("the lines of round %d", n), func() bool { return len(published()) >= n*keys*each })
				if n == rounds {
					break
				}
				f, err := os.OpenFile(in, os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteString(round); err != nil {
					t.Fatal(err)
				}
				f.Close()
				victims := c.workers(t)
				if n%2 == 0 {
					victims = c.scripts(t, words[1])
				}
				if err := syscall.Kill(any1(t, victims).pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			times := map[string]int{}
			for _, r := range published() {
				times[r]++
			}
			for k := range keys {
				for n := 1; n <= rounds*each; n++ {
					if r := fmt.Sprintf("k%d:%d", k, n); times[r] != 1 {
						t.Errorf("%s was counted %d times", r, times[r])
					}
				}
			}
			if len(times) != rounds*keys*each {
				t.Errorf("%d results, want %d", len(times), rounds*keys*each)
			}
			c.must(t, "kill", "lines", "-w", "0")
		})
	}
}

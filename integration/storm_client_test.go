package integration

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const stormClient = "storm-2.8.3"

// storm is the real Storm client, aimed at a cluster.
type storm struct {
	c      *cluster
	lib    string
	jar    string // on its class path
	upload string // what it uploads

	options string // more of storm.options
}

func newStorm(t *testing.T, c *cluster) *storm {
	t.Helper()
	program(t, "java")
	jar := tool(t, "scripts/get-storm-client.sh", "storm", "build", "integration.jar")
	return &storm{c: c, lib: tool(t, "scripts/get-storm-client.sh", "storm", "lib"), jar: jar, upload: jar}
}

// java runs a class of the client as Storm's own command does. jar is whether it uploads one.
func (s *storm) java(t *testing.T, jar bool, class string, args ...string) (string, error) {
	t.Helper()
	opts := fmt.Sprintf("nimbus.seeds=%s,nimbus.thrift.port=%d", url.QueryEscape(`["127.0.0.1"]`), s.c.nimbus)
	if s.options != "" {
		opts += "," + s.options
	}
	argv := []string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dstorm.options=" + opts, "-Dstorm.conf.file=", "-Dstorm.home=" + s.c.dir, "-Dstorm.log.dir=" + s.c.dir,
		"-Dlog4j2.level=WARN", "-Dlog4j2.disableJmx=true"}
	cp := s.lib + "/*"
	if jar {
		argv = append(argv, "-Dstorm.jar="+s.upload, "-Dstorm.dependency.jars=", "-Dstorm.dependency.artifacts={}")
		cp += ":" + s.jar
	}
	argv = append(argv, "-cp", cp, class)
	return run(t, 2*time.Minute, nil, "", "java", append(argv, args...)...)
}

func (s *storm) must(t *testing.T, jar bool, class string, args ...string) string {
	t.Helper()
	out, err := s.java(t, jar, class, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", class, args, err, out)
	}
	return out
}

const command = "org.apache.storm.command."

// The real Storm 2.8.3 Java client submits, lists, rebalances and kills a topology of ShellBolt and ShellSpout
// subclasses, and every word of every sentence reaches the last bolt.
func TestStormJavaClient(t *testing.T) {
	t.Parallel()
	program(t, "node")
	program(t, "python3")
	c := startCluster(t)
	s := newStorm(t, c)
	if out := s.must(t, false, command+"ListTopologies"); !strings.Contains(out, "No topologies running.") {
		t.Errorf("an empty cluster lists\n%s", out)
	}
	words := filepath.Join(c.dir, "words")
	s.must(t, true, "it.ShellTopology", "shells", words, "2")
	ok(stormClient, "jar")

	out := s.must(t, false, command+"ListTopologies")
	if row := lineWith(out, "shells"); !strings.Contains(row, "ACTIVE") || !strings.Contains(row, "shells-1-") {
		t.Errorf("list says\n%s", out)
	}
	ok(stormClient, "list")
	// 200 sentences of 8 different words
	waitFor(t, time.Minute, "every word at the last bolt", func() bool { return len(distinctWords(t, words)) == 200*8 })

	if out, err := s.java(t, true, "it.ShellTopology", "shells", words, "1"); !strings.Contains(out, "already exists on the cluster") {
		t.Errorf("a second submit of a live name said (%v)\n%s", err, out)
	}
	s.must(t, false, command+"Deactivate", "shells")
	s.status(t, "shells", "INACTIVE")
	ok(stormClient, "deactivate")
	s.must(t, false, command+"Activate", "shells")
	s.status(t, "shells", "ACTIVE")
	ok(stormClient, "activate")

	s.must(t, false, command+"Rebalance", "shells", "-w", "0", "-n", "1", "-e", "split=1")
	waitFor(t, time.Minute, "one worker after rebalance", func() bool {
		row := strings.Fields(lineWith(s.must(t, false, command+"ListTopologies"), "shells"))
		return len(row) > 3 && row[1] == "ACTIVE" && row[3] == "1"
	})
	ok(stormClient, "rebalance")

	out = s.must(t, false, command+"GetErrors", "shells")
	var errs map[string]any
	if json.Unmarshal([]byte(lastLine(out)), &errs) != nil || errs["Topology Name"] != "shells" {
		t.Errorf("get-errors says\n%s", out)
	}
	ok(stormClient, "get-errors")

	s.must(t, false, command+"KillTopology", "shells", "-w", "0")
	waitFor(t, 30*time.Second, "an empty list", func() bool {
		return strings.Contains(s.must(t, false, command+"ListTopologies"), "No topologies running.")
	})
	ok(stormClient, "kill")
	if out, err := s.java(t, false, command+"KillTopology", "nosuch"); err == nil || !strings.Contains(out, "nosuch is not alive") {
		t.Errorf("killing an unknown topology said (%v)\n%s", err, out)
	}
}

func (s *storm) status(t *testing.T, name, want string) {
	t.Helper()
	if row := lineWith(s.must(t, false, command+"ListTopologies"), name); !strings.Contains(row, want) {
		t.Errorf("%s is listed as %q, want %s", name, row, want)
	}
}

// distinctWords reads what write.py wrote: every word once, checked against its upper case and its task.
func distinctWords(t *testing.T, file string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	task := map[string]string{}
	for _, l := range strings.Split(string(b), "\n") {
		f := strings.Fields(l)
		if len(f) != 4 || f[0] != "upper" {
			continue
		}
		if f[3] != strings.ToUpper(f[2]) {
			t.Fatalf("write got %q", l)
		}
		if was, seen := task[f[2]]; seen && was != f[1] {
			t.Fatalf("word %s went to tasks %s and %s: fields grouping is broken", f[2], was, f[1])
		}
		task[f[2]] = f[1]
	}
	return task
}

func lineWith(out, word string) string {
	for _, l := range strings.Split(out, "\n") {
		if strings.HasPrefix(l, word) {
			return l
		}
	}
	return ""
}

func lastLine(out string) string {
	ls := strings.Split(strings.TrimSpace(out), "\n")
	return ls[len(ls)-1]
}

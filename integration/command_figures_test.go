//go:build long

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/transcript"
)

// median runs something several times and returns the middle of how long it took.
func median(t *testing.T, times int, do func() error) time.Duration {
	t.Helper()
	var all []time.Duration
	for range times {
		began := time.Now()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func millis(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + "ms"
}

// How long commands take, for `make command-figures`: the goal is 50 ms where no JVM is involved.
func TestFiguresOfCommands(t *testing.T) {
	c := startCluster(t)
	n := submitNumbers(t, c, 1)
	defer n.finish(t, time.Minute)
	file := filepath.Join(c.dir, "blob")
	if err := os.WriteFile(file, []byte("what a blob holds\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := []string{"--nimbus", fmt.Sprintf("127.0.0.1:%d", c.nimbus)}
	for _, args := range [][]string{
		{"version"}, {"list"}, {"list", "-o", "json"}, {"info", "numbers"}, {"nodes"}, {"nimbuses"}, {"get-errors", "numbers"}, {"deactivate", "numbers"}, {"activate", "numbers"},
		{"set_log_level", "-l", "ROOT=INFO", "numbers"}, {"upload-credentials", "numbers", "user", "ada"}, {"rebalance", "numbers", "-w", "0"}, {"blobstore", "create", "BLOB", "-f", file},
		{"blobstore", "list"}, {"blobstore", "cat", "BLOB"}, {"blobstore", "update", "BLOB", "-f", file}, {"blobstore", "set-acl", "-s", "o::rwa", "BLOB"},
		{"blobstore", "replication", "--read", "BLOB"}, {"blobstore", "delete", "BLOB"}, {"localconfvalue", "nimbus.thrift.port"}, {"remoteconfvalue", "nimbus.thrift.port"},
		{"heartbeats", "list", "/workerbeats"}, {"admin", "print_super"}, {"completion", "bash"},
	} {
		i, many := 0, args[0] == "blobstore" && slices.Contains(args, "BLOB") // a key for each run
		took := median(t, 5, func() error {
			argv := slices.Clone(args)
			if many {
				i++
				argv[slices.Index(argv, "BLOB")] = "blob-" + strconv.Itoa(i)
			}
			out, err := run(t, time.Minute, nil, "", binary, slices.Concat(to, argv)...)
			if err != nil {
				return fmt.Errorf("%v: %w\n%s", argv, err, out)
			}
			return nil
		})
		name := args[0]
		if name == "blobstore" || name == "admin" || name == "heartbeats" {
			name += " " + args[1]
		}
		if slices.Contains(args, "json") {
			name += " -o json"
		}
		fmt.Printf("figure command=%q median=%s\n", name, millis(took))
	}
}

// What a submit of a Java topology takes, for `make command-figures`: `gearstorm jar` in all, the JVM with Storm's client in it, what of that
// Nimbus took for its answers, and how long after the call of the submit the first tuple was at a bolt. The goals are 0.3 s for `gearstorm jar`
// less the JVM and the client, which is all that is ours, and 3 s for the first tuple.
func TestFiguresOfJar(t *testing.T) {
	s, dir := startJava(t)
	opts, err := setUpJava()
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := transcript.NewProxy(fmt.Sprintf("127.0.0.1:%d", s.c.nimbus), transcript.Leader)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	home := javaWithClock(t)
	var less, firsts []time.Duration
	for i := range 5 {
		name := fmt.Sprintf("words%d", i)
		out := filepath.Join(dir, name)
		if err := os.Mkdir(out, 0o755); err != nil {
			t.Fatal(err)
		}
		argv := slices.Concat([]string{"jar", s.jar, "it.WordCount", name, out, "1", "50", "50", "--nimbus", fmt.Sprintf("127.0.0.1:%d", proxy.Port())}, opts)
		began := time.Now()
		text, err := run(t, time.Minute, []string{"JAVA_HOME=" + home, "STORM_JAR_JVM_OPTS=-Xmx256m -XX:+UseSerialGC"}, dir, binary, argv...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, text)
		}
		wall, jvm := time.Since(began), clocked(t, home)
		for len(lines(out, "counts")) == 0 {
			if time.Since(began) > time.Minute {
				t.Fatalf("%s counts nothing", name)
			}
			time.Sleep(2 * time.Millisecond)
		}
		seen := time.Now()
		if out, err := s.c.gearstorm(t, "kill", name, "-w", "0"); err != nil { // for the next one's sake
			t.Fatalf("%v: %s", err, out)
		}
		made, err := proxy.Take()
		if err != nil {
			t.Fatal(err)
		}
		var calls, first time.Duration
		for _, c := range made {
			calls += c.Took
			if c.Method == "submitTopology" {
				first = seen.Sub(c.At)
			}
		}
		less, firsts = append(less, wall-jvm+calls), append(firsts, first)
		fmt.Printf("figure jar run=%d wall=%s jvm=%s nimbus=%s less-jvm=%s first-tuple=%s\n", i+1, millis(wall), millis(jvm), millis(calls), millis(less[i]), millis(first))
	}
	slices.Sort(less)
	slices.Sort(firsts)
	fmt.Printf("figure jar median less-jvm=%s first-tuple=%s\n", millis(less[len(less)/2]), millis(firsts[len(firsts)/2]))
}

// javaWithClock is a JAVA_HOME whose java is the real one and tells how long it ran.
func javaWithClock(t *testing.T) string {
	t.Helper()
	real, err := exec.LookPath("java")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nbegan=$(date +%%s%%N)\n%q \"$@\"\nstatus=$?\necho $(($(date +%%s%%N) - began)) > %q\nexit $status\n", real, filepath.Join(home, "took"))
	if err := os.WriteFile(filepath.Join(home, "bin", "java"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return home
}

// clocked is how long java ran the last time.
func clocked(t *testing.T, home string) time.Duration {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(home, "took"))
	if err != nil {
		t.Fatal(err)
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ns)
}

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// javaLogs returns the logs of all workers of a cluster.
func javaLogs(c *cluster) string {
	files, _ := filepath.Glob(filepath.Join(c.dir, "logs", "workers-artifacts", "*", "*", "worker.log"))
	var all strings.Builder
	for _, f := range files {
		b, _ := os.ReadFile(f)
		all.Write(b)
	}
	return all.String()
}

// What users ask of a running topology reaches its Java components: credentials and log levels, with their ends.
func TestJavaOrders(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	s.must(t, true, "it.Operated", "operated", dir)
	credentials := func(want ...string) func() bool {
		return func() bool { return slices.Equal(lines(dir, "credentials"), want) }
	}
	first := "prepared {auto=of the client} [token null]"
	waitFor(t, time.Minute, "credentials of the submit", credentials(first))
	s.must(t, true, command+"UploadCredentials", "operated", "token", "secret")
	second := "changed {token=secret} [token secret]"
	waitFor(t, 20*time.Second, "the new ones: "+strings.Join(lines(dir, "credentials"), "; "), func() bool { return len(lines(dir, "credentials")) > 1 })
	if got := lines(dir, "credentials"); !credentials(first, second)() && !strings.HasPrefix(got[1], "changed {auto=of the client, token=secret} [token secret]") {
		t.Errorf("credentials are %q", got)
	}

	count := func(text string) int { return strings.Count(javaLogs(s.c), text) }
	waitFor(t, 20*time.Second, "a line of level WARN", func() bool { return count("a tick in short") > 0 })
	if count("a tick in detail") > 0 {
		t.Error("a line of level DEBUG is logged though nobody asked")
	}
	s.must(t, false, command+"SetLogLevel", "operated", "-l", "it=DEBUG:5", "-l", "ROOT=ERROR:0")
	waitFor(t, 20*time.Second, "a line of level DEBUG", func() bool { return count("a tick in detail") > 0 })
	waitFor(t, 30*time.Second, "silence after the level's time", func() bool {
		n := count("a tick in ")
		time.Sleep(3 * time.Second) // two ticks and more
		return count("a tick in ") == n
	})
	s.must(t, false, command+"SetLogLevel", "operated", "-r", "ROOT")
	n := count("a tick in short")
	waitFor(t, 20*time.Second, "the level of before", func() bool { return count("a tick in short") > n })
	ok(stormClient, "Java credentials and log levels")
}

// A configuration of log4j that the options of the JVM name takes the place of ours, one that topology.logging.config names adds to
// it; both see Storm's properties.
func TestJavaLogging(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	config := func(name string) (path, log string) {
		path, log = filepath.Join(dir, name+".xml"), filepath.Join(dir, name+".log")
		text := fmt.Sprintf(`<Configuration><Appenders><File name="%s" fileName="%s"><PatternLayout pattern="%%p %%m ${sys:logging.sensitivity}%%n"/></File></Appenders>
<Loggers><Logger name="it" level="debug"><AppenderRef ref="%s"/></Logger><Root level="warn"/></Loggers></Configuration>`, name, log, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path, log
	}
	has := func(file string) func() bool {
		return func() bool {
			b, _ := os.ReadFile(file)
			return strings.Contains(string(b), "DEBUG a tick in detail S1\n") && strings.Contains(string(b), "WARN a tick in short S1\n")
		}
	}
	path, log := config("named")
	s.must(t, true, "it.Operated", "named", dir, "topology.worker.childopts -Dlog4j.configurationFile="+path, "topology.logging.sensitivity S1")
	waitFor(t, time.Minute, "lines in the log of the named configuration", has(log))
	if got := javaLogs(s.c); strings.Contains(got, "a tick in short") {
		t.Errorf("our configuration is in force too:\n%s", got)
	}
	path, log = config("added")
	s.must(t, true, "it.Operated", "added", dir, "topology.logging.config "+path, "topology.logging.sensitivity S1")
	waitFor(t, time.Minute, "lines in the log of the added configuration", has(log))
	waitFor(t, 20*time.Second, "lines in the worker's log", func() bool { return strings.Contains(javaLogs(s.c), "a tick in short") })
	ok(stormClient, "log4j2 configurations")
}

// Components that cannot be loaded or opened have an error that says why, and the others run. What the deserialization filter
// refuses, a key of the conf allows.
func TestJavaUnloadable(t *testing.T) {
	t.Parallel()
	const n = 50
	s, dir := startJava(t)
	s.must(t, true, "it.Unloadable", "unloadable", dir, strconv.Itoa(n), "")
	waitFor(t, time.Minute, "an ack of every tuple", func() bool { return len(kinds(lines(dir, "acked"))) == n })
	var errs string
	for _, want := range []string{
		"component managed cannot be loaded: class javax.management.BadAttributeValueExpException is refused by the deserialization filter",
		"name it in gearstorm.java.serial.filter", "component read cannot be loaded", "it cannot be read back", "it cannot be opened",
		"component deep cannot be loaded", "is more than the deserialization filter allows (depth ",
	} {
		waitFor(t, 30*time.Second, want, func() bool {
			if !strings.Contains(errs, want) {
				errs = s.must(t, false, command+"GetErrors", "unloadable")
			}
			return strings.Contains(errs, want)
		})
	}
	dir = t.TempDir()
	s.must(t, true, "it.Unloadable", "allowed", dir, strconv.Itoa(n), "javax.management.*;maxdepth=5000")
	waitFor(t, time.Minute, "all that can be prepared", func() bool {
		prepared := lines(dir, "prepared")
		return slices.Contains(prepared, "good") && slices.Contains(prepared, "managed")
	})
	ok(stormClient, "Java components that cannot be loaded")
}

// Subclasses of ShellSpout and ShellBolt with methods of their own run as Storm runs them. When a child ends, ShellBolt ends its
// JVM; another one goes on, and the error says what happened.
func TestJavaOwnShells(t *testing.T) {
	t.Parallel()
	const n = 200
	s, dir := startJava(t)
	s.must(t, true, "it.OwnShells", "shells", dir)
	waitFor(t, 2*time.Minute, "an ack of every sentence", func() bool { return len(kinds(lines(dir, "acked"))) == n })
	if _, err := os.Stat(filepath.Join(dir, "ended")); err != nil {
		t.Errorf("the child did not end: %v", err)
	}
	if got := kinds(lines(dir, "executed")); len(got) != n {
		t.Errorf("the method of the subclass saw %d sentences, want %d", len(got), n)
	}
	var errs string
	for _, want := range []string{"exit status 11", "a ShellBolt or ShellSpout ended the process because its child ended"} {
		waitFor(t, 30*time.Second, want, func() bool {
			errs = s.must(t, false, command+"GetErrors", "shells")
			return strings.Contains(errs, want)
		})
	}
	s.must(t, false, command+"KillTopology", "shells", "-w", "0")
	waitFor(t, 30*time.Second, "the children of the JVM are gone", func() bool {
		for _, p := range processes(t, s.c.dir) {
			if slices.Contains(p.args, "splitonce.py") || slices.Contains(p.args, "sentences.py") {
				return false
			}
		}
		return true
	})
	ok(stormClient, "shell components with methods of their own")
}

// Profiling actions reach the Java process. One that stands still is killed for it, and another one goes on.
func TestJavaStandsStill(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t, "-c", "supervisor.worker.timeout.secs=10")
	s.must(t, true, "it.Operated", "operated", dir)
	waitFor(t, time.Minute, "the bolt is prepared", func() bool { return len(lines(dir, "credentials")) == 1 })
	pid := javaProcess(t, s.c)
	nimbus := s.c.dial(t).Nimbus()
	running, err := nimbus.GetTopologyInfoByName(t.Context(), "operated")
	if err != nil {
		t.Fatal(err)
	}
	at := running.Executors[0]
	for action, pattern := range map[stormrpc.ProfileAction]string{
		stormrpc.ProfileAction_JSTACK_DUMP: "jstack-%d-*.txt", stormrpc.ProfileAction_JMAP_DUMP: "heap-%d-*.bin",
		stormrpc.ProfileAction_JPROFILE_STOP: "recording-%d-*.jfr",
	} {
		until := time.Now().Add(3 * time.Second).UnixMilli()
		r := &stormrpc.ProfileRequest{NodeInfo: &stormrpc.NodeInfo{Node: at.Host, Port: []int64{int64(at.Port)}}, Action: action, TimeStamp: &until}
		if err := nimbus.SetWorkerProfiler(t.Context(), running.ID, r); err != nil {
			t.Fatal(err)
		}
		waitFor(t, time.Minute, action.String()+" of the Java process", func() bool {
			found, _ := filepath.Glob(filepath.Join(s.c.dir, "logs", "workers-artifacts", "*", "*", fmt.Sprintf(pattern, pid)))
			return len(found) == 1
		})
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "the bolt is prepared again", func() bool { return len(lines(dir, "credentials")) == 2 })
	waitFor(t, 30*time.Second, "an error that says so", func() bool {
		return strings.Contains(s.must(t, false, command+"GetErrors", "operated"), "the process does not answer for 10s")
	})
	ok(stormClient, "a JVM that stands still")
}

// javaProcess returns the one Java process of the workers of a cluster.
func javaProcess(t *testing.T, c *cluster) int {
	t.Helper()
	for _, p := range processes(t, c.dir) {
		if slices.Contains(p.args, "gearstorm.jvmhost.storm.Main") {
			return p.pid
		}
	}
	t.Fatal("there is no Java process")
	return 0
}

// Metrics of version 2 reach reporters and, as version 1, the consumers.
func TestJavaMetrics(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	s.must(t, true, "it.Measured", "measured", dir, "50", "1")
	for _, want := range []string{"counts 1 seen 50", "counts 1 always 7"} {
		waitFor(t, time.Minute, want, func() bool { return slices.Contains(lines(dir, "metrics"), want) })
	}
	checkBuiltIns(t, dir)
	waitFor(t, 30*time.Second, "the counter at the reporter", func() bool {
		log := javaLogs(s.c)
		return strings.Contains(log, "storm.topology.measured-1-") && strings.Contains(log, "-seen") && strings.Contains(log, "count = 50")
	})
	ok(stormClient, "Java metrics")
}

// Storm's own metrics of tasks count also what passes between processes.
func TestJavaMetricsOfTwoWorkers(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	s.must(t, true, "it.Measured", "measured", dir, "50", "2")
	checkBuiltIns(t, dir)
	ok(stormClient, "Java metrics of two workers")
}

// checkBuiltIns waits until the consumer of it.Measured has heard all that Storm itself counts of 50 numbers.
func checkBuiltIns(t *testing.T, dir string) {
	t.Helper()
	for _, want := range []string{
		"numbers 1 __emit-count-default 50", "numbers 1 __transfer-count-default 50", "numbers 1 __ack-count-default 50",
		"counts 1 __execute-count-numbers:default 50", "counts 1 __ack-count-numbers:default 50", "counts 1 __reported-error-count 0",
		"numbers 1 __complete-latency-default ", "counts 1 __execute-latency-numbers:default ", "counts 1 __process-latency-numbers:default ",
	} {
		waitFor(t, time.Minute, want, func() bool {
			return slices.ContainsFunc(lines(dir, "metrics"), func(line string) bool {
				return line == want || strings.HasSuffix(want, " ") && strings.HasPrefix(line, want)
			})
		})
	}
}

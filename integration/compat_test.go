package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const stormScript = "scripts/storm"

// row runs one row of `make compat` and prints how it went.
func row(t *testing.T, client, command string, do func() error) {
	t.Helper()
	err := do()
	if err == nil {
		ok(client, command)
		return
	}
	fmt.Printf("compat %s %s FAIL %s\n", client, command, strings.Join(strings.Fields(err.Error()), " "))
	t.Errorf("%s %s: %v", client, command, err)
}

// stormUser runs Storm's commands in one of two ways, on a topology and a blob of its own.
type stormUser struct {
	argv          func(args ...string) []string // the program and its arguments
	env           []string
	topology, key string
}

// mainClasses are those of Storm's commands.
var mainClasses = map[string]string{
	"list": "ListTopologies", "kill": "KillTopology", "activate": "Activate", "deactivate": "Deactivate", "rebalance": "Rebalance", "get-errors": "GetErrors",
	"set_log_level": "SetLogLevel", "monitor": "Monitor", "upload-credentials": "UploadCredentials", "blobstore": "Blobstore", "shell": "ShellSubmission",
}

// newStormUsers are the real Storm client and scripts/storm on the same cluster.
func newStormUsers(t *testing.T, c *cluster) (real, ours *stormUser) {
	t.Helper()
	s := newStorm(t, c)
	real = &stormUser{topology: "viajava", key: "viajava.txt", argv: func(args ...string) []string {
		switch args[0] {
		case "jar": // JAR CLASS ARGS
			return append([]string{"java"}, s.argv(args[2], args[3:]...)...)
		case "shell": // Storm's script has packed the folder
			return append([]string{"java"}, s.argv(command+mainClasses["shell"], append([]string{s.jar}, args[2:]...)...)...)
		}
		return append([]string{"java"}, s.argv(command+mainClasses[args[0]], args[1:]...)...)
	}}
	home := t.TempDir() // a release, as far as clients need one
	if err := os.Symlink(s.lib, filepath.Join(home, "lib-worker")); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("../scripts/storm")
	if err != nil {
		t.Fatal(err)
	}
	ours = &stormUser{topology: "viascript", key: "viascript.txt",
		argv: func(args ...string) []string {
			return slices.Concat([]string{script}, args, []string{"-c", `nimbus.seeds=["127.0.0.1"]`, "-c", fmt.Sprintf("nimbus.thrift.port=%d", c.nimbus)})
		},
		env: []string{"GEARSTORM=" + binary, "STORM_HOME=" + home, "STORM_JAR_JVM_OPTS=-Xmx256m -XX:+UseSerialGC"}}
	return real, ours
}

// argv is a command line of java for a class of the client, with the jar to upload.
func (s *storm) argv(class string, args ...string) []string {
	more := ""
	if s.options != "" {
		more = "," + s.options
	}
	argv := []string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.disableJmx=true", "-Dstorm.conf.file=", "-Dstorm.home=" + s.c.dir, "-Dstorm.log.dir=" + s.c.dir,
		fmt.Sprintf("-Dstorm.options=nimbus.seeds=%s,nimbus.thrift.port=%d%s", url.QueryEscape(`["127.0.0.1"]`), s.c.nimbus, more),
		"-Dstorm.jar=" + s.jar, "-Dstorm.dependency.jars=", "-Dstorm.dependency.artifacts={}", "-cp", s.lib + "/*:" + s.jar, class}
	return append(argv, args...)
}

// said is what a command wrote, with names that both users have, and its exit status.
type said struct {
	Lines  []string
	Status int
}

var (
	logLine = regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} \[[^\]]*\] [A-Z]+ +(\S+) +- (.*)$`)
	version = regexp.MustCompile(`(KEY) \d+ (\[)`)
	idOf    = regexp.MustCompile(`TOPOLOGY-\d+-\d+`)
	placeID = regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)
)

// do runs a command; TOPOLOGY and KEY in its arguments become the user's.
func (u *stormUser) do(t *testing.T, args ...string) said {
	t.Helper()
	argv := u.argv(u.named(args)...)
	out, err := run(t, 2*time.Minute, u.env, "", argv[0], argv[1:]...)
	status := 0
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		status = ended.ExitCode()
	} else if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return said{u.plain(out), status}
}

func (u *stormUser) named(args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		out[i] = strings.NewReplacer("TOPOLOGY", u.topology, "KEY", u.key).Replace(a)
	}
	return out
}

// plain leaves of what a command wrote what it is about: the log of the client's inside goes, and what differs by its nature.
func (u *stormUser) plain(out string) (lines []string) {
	out = strings.NewReplacer(u.key, "KEY", u.topology, "TOPOLOGY").Replace(out)
	for _, l := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		if m := logLine.FindStringSubmatch(l); m != nil {
			if !strings.HasPrefix(m[1], "o.a.s.c.") { // org.apache.storm.command
				continue
			}
			l = m[2]
		}
		l = placeID.ReplaceAllString(idOf.ReplaceAllString(version.ReplaceAllString(l, "$1 VERSION $2"), "ID"), "JAR")
		if !strings.HasPrefix(l, "Running: ") && !strings.HasPrefix(l, "SLF4J") && l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// TestCompatCommands runs Storm's commands by Storm's own client and by scripts/storm: the client works against us, and the
// script says what the client says, with the same exit status. Where the client's exit status is not 0 it writes a Java
// stack trace, so only the status is compared.
func TestCompatCommands(t *testing.T) {
	t.Parallel()
	program(t, "node")
	program(t, "python3")
	c := startCluster(t)
	real, ours := newStormUsers(t, c)
	jar := tool(t, "scripts/get-storm-client.sh", "storm", "build", "integration.jar")
	words := filepath.Join(c.dir, "words")
	for _, u := range []*stormUser{real, ours} {
		client := stormClient
		if u == ours {
			client = stormScript
		}
		row(t, client, "jar", func() error {
			got := u.do(t, "jar", jar, "it.ShellTopology", "TOPOLOGY", words+u.topology, "1")
			if got.Status != 0 {
				return fmt.Errorf("status %d: %s", got.Status, strings.Join(got.Lines, " | "))
			}
			return nil
		})
		waitFor(t, time.Minute, "words at the last bolt", func() bool { return len(distinctWords(t, words+u.topology)) > 0 })
	}
	file := filepath.Join(c.dir, "blob")
	if err := os.WriteFile(file, []byte(strings.Repeat("what a blob holds\n", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		name   string
		args   []string
		want   string // a line of both
		status int
		sorted bool
	}{
		{"get-errors", []string{"get-errors", "TOPOLOGY"}, `{"Comp-Errors":{},"Topology Name":"TOPOLOGY"}`, 0, false},
		{"deactivate", []string{"deactivate", "TOPOLOGY"}, "Deactivated topology: TOPOLOGY", 0, false},
		{"activate", []string{"activate", "TOPOLOGY"}, "Activated topology: TOPOLOGY", 0, false},
		{"activate-unknown", []string{"activate", "nosuch"}, "", 1, false},
		{"rebalance", []string{"rebalance", "TOPOLOGY", "-w", "0", "-n", "1", "-e", "split=1"}, "Topology TOPOLOGY is rebalancing", 0, false},
		{"rebalance-overrides", []string{"rebalance", "TOPOLOGY", "-w", "0", "-r", `{"split":{"cpu.pcore.percent":20}}`, "-t", `{"topology.debug":false}`}, "Topology TOPOLOGY is rebalancing", 0, false},
		{"set_log_level", []string{"set_log_level", "-l", "ROOT=DEBUG:30", "TOPOLOGY"}, "Log config LogConfig(named_logger_level:{ROOT=LogLevel(action:UPDATE, " +
			"target_log_level:DEBUG, reset_log_level_timeout_secs:30)}) is sent for topology TOPOLOGY", 0, false},
		{"set_log_level-remove", []string{"set_log_level", "-r", "ROOT", "TOPOLOGY"}, "Log config LogConfig(named_logger_level:{ROOT=LogLevel(action:REMOVE)}) is sent for topology TOPOLOGY", 0, false},
		{"set_log_level-unknown", []string{"set_log_level", "-l", "ROOT=DEBUG", "nosuch"}, "", 1, false},
		{"upload-credentials", []string{"upload-credentials", "TOPOLOGY", "user", "ada"}, "Uploaded new creds to topology: TOPOLOGY", 0, false},
		{"upload-credentials-none", []string{"upload-credentials", "TOPOLOGY"}, "", 0, false},
		{"upload-credentials-empty", []string{"upload-credentials", "TOPOLOGY", "-e"}, "", 1, false},
		{"upload-credentials-odd", []string{"upload-credentials", "TOPOLOGY", "user"}, "", 1, false},
		{"set_log_level-nothing", []string{"set_log_level", "TOPOLOGY"}, "Log config LogConfig() is sent for topology TOPOLOGY", 0, false},
		{"monitor-components", []string{"monitor", "TOPOLOGY"}, "Please use -m to specify one component", 0, true},
		{"monitor-unknown", []string{"monitor", "TOPOLOGY", "-m", "nosuch"}, "", 1, false},
		{"shell", []string{"shell", c.dir + "/logs", "echo", "told"}, fmt.Sprintf("told 127.0.0.1 %d JAR", c.nimbus), 0, false},
		{"blobstore-create", []string{"blobstore", "create", "KEY", "-f", file, "-a", "u:bob:rw-,o::r--"}, "Successfully created KEY", 0, false},
		{"blobstore-create-again", []string{"blobstore", "create", "KEY", "-f", file}, "", 1, false},
		{"blobstore-list", []string{"blobstore", "list", "KEY", "nosuch"}, "KEY VERSION [u:bob:rw-, o::r--, o::rwa]", 0, false},
		{"blobstore-cat", []string{"blobstore", "cat", "KEY"}, "what a blob holds", 0, false},
		{"blobstore-update", []string{"blobstore", "update", "KEY", "-f", jar}, "Successfully updated KEY", 0, false},
		{"blobstore-set-acl", []string{"blobstore", "set-acl", "-s", "o::rwa", "KEY"}, "Setting ACL for KEY to [o::rwa]", 0, false},
		{"blobstore-replication", []string{"blobstore", "replication", "--read", "KEY"}, "Current replication factor 1", 0, false},
		{"blobstore-replication-update", []string{"blobstore", "replication", "--update", "-r", "2", "KEY"}, "", 1, false},
		{"blobstore-delete", []string{"blobstore", "delete", "KEY"}, "deleted KEY", 0, false},
		{"blobstore-cat-unknown", []string{"blobstore", "cat", "KEY"}, "", 1, false},
	} {
		theirs, got := real.do(t, s.args...), ours.do(t, s.args...)
		row(t, stormClient, s.name, func() error {
			if theirs.Status != s.status || s.want != "" && !slices.Contains(theirs.Lines, s.want) {
				return fmt.Errorf("status %d: %s", theirs.Status, strings.Join(theirs.Lines[:min(len(theirs.Lines), 12)], " | "))
			}
			return nil
		})
		row(t, stormScript, s.name, func() error { return sameAs(theirs, got, s.sorted) })
	}
	valueRows(t, newStorm(t, c), ours)
	monitorRows(t, real, ours)
	listRows(t, real, ours)
	killRows(t, real, ours)
}

// sameAs says how what was said differs from what Storm says.
func sameAs(theirs, got said, sorted bool) error {
	if theirs.Status != 0 {
		theirs.Lines, got.Lines = nil, nil
	}
	if sorted {
		slices.Sort(theirs.Lines)
		slices.Sort(got.Lines)
	}
	if d := cmp.Diff(theirs, got); d != "" {
		return fmt.Errorf("(-Storm +gearstorm) %s", d)
	}
	return nil
}

// valueRows compares values of the configuration, one of each kind. Storm's script puts the key before what ConfigValue prints.
func valueRows(t *testing.T, s *storm, ours *stormUser) {
	for _, key := range []string{"nimbus.thrift.max_buffer_size", "supervisor.slots.ports", "storm.zookeeper.servers", "topology.stats.sample.rate",
		"storm.health.check.fail.on.timeouts", "supervisor.scheduler.meta", "storm.thrift.transport", "no.such.key"} {
		out, err := run(t, 2*time.Minute, nil, "", "java", s.argv(command+"ConfigValue", key)...)
		got := ours.do(t, "localconfvalue", key)
		row(t, stormScript, "localconfvalue-"+key, func() error {
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			want := key + ": " + strings.TrimPrefix(lastLine(out), "VALUE: ")
			if !slices.Equal(got.Lines, []string{want}) {
				return fmt.Errorf("it says %q, Storm %q", got.Lines, want)
			}
			return nil
		})
	}
}

// monitorRows compares the first lines of a monitor that runs until it is killed.
func monitorRows(t *testing.T, real, ours *stormUser) {
	args := []string{"monitor", "TOPOLOGY", "-m", "sentences", "-i", "1"}
	theirs, got := real.first(t, 3, args...), ours.first(t, 3, args...)
	row(t, stormClient, "monitor", func() error {
		if len(theirs) != 3 || len(strings.Split(theirs[2], "\t")) != 7 {
			return fmt.Errorf("it says %q", theirs)
		}
		return nil
	})
	row(t, stormScript, "monitor", func() error {
		for i, l := range theirs {
			want := strings.Split(l, "\t")
			if have := strings.Split(got[i], "\t"); i == 0 && l != got[0] || i > 0 && (len(have) != 7 || !slices.Equal(want[:4], have[:4])) {
				return fmt.Errorf("line %d is %q, Storm's is %q", i, got[i], l)
			}
		}
		return nil
	})
}

// first runs a command until it has written n lines with a tab, and ends it.
func (u *stormUser) first(t *testing.T, n int, args ...string) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	argv := u.argv(u.named(args)...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), u.env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for scan := bufio.NewScanner(out); len(lines) < n && scan.Scan(); {
		if strings.Contains(scan.Text(), "\t") {
			lines = append(lines, u.plain(scan.Text())...)
		}
	}
	cancel()
	cmd.Wait() // killed
	if len(lines) < n {
		t.Fatalf("%v wrote %q", args, lines)
	}
	return lines
}

// listRows compares the tables but for uptimes.
func listRows(t *testing.T, real, ours *stormUser) {
	table := func(u *stormUser) (rows [][]string, err error) {
		argv := u.argv("list")
		out, err := run(t, 2*time.Minute, u.env, "", argv[0], argv[1:]...)
		for _, l := range strings.Split(out, "\n") {
			if f := strings.Fields(l); len(f) == 7 && (f[0] == "Topology_name" || strings.HasPrefix(f[0], "via")) {
				f[4] = ""
				rows = append(rows, f)
			}
		}
		if len(rows) != 3 {
			return rows, fmt.Errorf("it says %s", out)
		}
		return rows, err
	}
	theirs, err := table(real)
	row(t, stormClient, "list", func() error { return err })
	row(t, stormScript, "list", func() error {
		got, err := table(ours)
		if d := cmp.Diff(theirs, got); err == nil && d != "" {
			return fmt.Errorf("(-Storm +gearstorm) %s", d)
		}
		return err
	})
}

func killRows(t *testing.T, real, ours *stormUser) {
	theirs, got := real.do(t, "kill", "TOPOLOGY", "-w", "0"), ours.do(t, "kill", "TOPOLOGY", "-w", "0")
	row(t, stormClient, "kill", func() error {
		if theirs.Status != 0 || !slices.Contains(theirs.Lines, "Killed topology: TOPOLOGY") {
			return fmt.Errorf("status %d: %q", theirs.Status, theirs.Lines)
		}
		return nil
	})
	row(t, stormScript, "kill", func() error { return sameAs(theirs, got, false) })
	theirs, got = real.do(t, "kill", "-i", "nosuch", "nosuch"), ours.do(t, "kill", "-i", "nosuch", "nosuch")
	row(t, stormScript, "kill-ignore-errors", func() error { return sameAs(theirs, got, false) })
	theirs, got = real.do(t, "kill", "nosuch"), ours.do(t, "kill", "nosuch")
	row(t, stormScript, "kill-unknown", func() error { return sameAs(theirs, got, false) })
	waitFor(t, 30*time.Second, "an empty list", func() bool {
		return slices.Equal(ours.do(t, "list").Lines, []string{"No topologies running."})
	})
	theirs, got = real.do(t, "list"), ours.do(t, "list")
	row(t, stormScript, "list-empty", func() error { return sameAs(theirs, got, false) })
}

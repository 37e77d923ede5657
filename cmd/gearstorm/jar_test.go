package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/internal/seeds"
)

// fakeJava is a JAVA_HOME whose java writes its arguments, a line each, then its configuration, and ends with 3.
func fakeJava(t *testing.T) {
	t.Helper()
	home, err := filepath.Abs("jdk")
	if err != nil {
		t.Fatal(err)
	}
	java := filepath.Join(home, "bin", "java")
	write(t, java, "#!/bin/sh\ncase \"$*\" in *DependencyResolverMain*) echo '{\"g:a:1\":\"/repo/a.jar\"}'; exit 0;; esac\nprintf '%s\\n' \"$@\"\nfor a in \"$@\"; do case $a in -Dstorm.conf.file=*) cat \"${a#*=}\"; echo;; esac; done\necho loud >&2\nexit 3\n")
	if err := os.Chmod(java, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JAVA_HOME", home)
	write(t, "release/lib-worker/storm-client-2.8.3.jar", "")
	write(t, "release/conf/storm_env.ini", "[environment]\nSTORM_EXT_CLASSPATH: /more/*\n")
	t.Setenv("STORM_HOME", "release")
	t.Setenv("STORM_JAR_JVM_OPTS", "-Da='b c'")
}

func TestJarRunsTheClass(t *testing.T) {
	bare(t)
	fakeJava(t)
	write(t, "x.jar", "PK\x03\x04")
	write(t, "dep.jar", "PK\x03\x04")
	write(t, "storm.yaml", "topology.debug: true\n")
	got := command(t, "storm", "jar", "x.jar", "my.Main", "-e", "one", "--jars", "dep.jar", "-c", "topology.workers=2", "-c", "topology.classpath=a,b", "--config", "storm.yaml", "--nimbus", "h:77")
	if got.code != 3 || got.stderr != "loud\n" {
		t.Errorf("status %d, %q", got.code, got.stderr)
	}
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if !strings.HasPrefix(lines[0], "Running: "+os.Getenv("JAVA_HOME")+"/bin/java -client ") {
		t.Errorf("the first line is %q", lines[0])
	}
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "-Dstorm.conf.file=") })
	if i < 0 {
		t.Fatal(got.stdout)
	}
	if _, err := os.Stat(strings.TrimPrefix(lines[i], "-Dstorm.conf.file=")); !os.IsNotExist(err) {
		t.Errorf("the configuration is left behind: %v", err)
	}
	lines[i] = "-Dstorm.conf.file="
	want := []string{"-client", "-XX:TieredStopAtLevel=1", "-Ddaemon.name=", "-Dstorm.options=topology.workers%3D2,topology.classpath%3Da%2Cb", "-Dstorm.home=release",
		"-Dstorm.log.dir=release/logs", "-Dstorm.conf.file=", "-cp", "release/*:release/lib-worker/*:release/extlib/*:/more/*:x.jar:dep.jar",
		"-Da=b c", "-Dstorm.jar=x.jar", "-Dstorm.dependency.jars=dep.jar", "-Dstorm.dependency.artifacts={}", "my.Main", "-e", "one",
		`{"nimbus.seeds":["h"],"nimbus.thrift.port":77,"topology.debug":true}`}
	if d := cmp.Diff(want, lines[1:]); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestJarWithArtifacts(t *testing.T) {
	bare(t)
	fakeJava(t)
	write(t, "x.jar", "PK\x03\x04")
	args := []string{"gearstorm", "jar", "x.jar", "my.Main", "--artifacts", "g:a:1", "--nimbus", "h:77"}
	if got := command(t, args...); got.code != 1 || !strings.Contains(got.stderr, "--artifacts needs Storm's resolver") {
		t.Errorf("%+v", got)
	}
	write(t, "release/lib-tools/submit-tools/resolver.jar", "")
	got := command(t, args...)
	for _, part := range []string{"Resolving dependencies on demand: artifacts (g:a:1) with repositories ()\n", ":x.jar:/repo/a.jar\n", "-Dstorm.dependency.artifacts={\"g:a:1\":\"/repo/a.jar\"}\n"} {
		if got.code != 3 || !strings.Contains(got.stdout, part) {
			t.Errorf("%q is not in %+v", part, got)
		}
	}
}

func TestJarRefuses(t *testing.T) {
	bare(t)
	write(t, "x.jar", "PK\x03\x04")
	write(t, "text", "some text")
	write(t, "empty", "")
	t.Setenv("STORM_HOME", "nowhere")
	for args, want := range map[string]outcome{
		"jar":                             {2, "", "takes a jar, a Go program or a YAML file"},
		"jar nosuch C":                    {1, "", "no such file"},
		"jar x.jar":                       {2, "", "takes the main class"},
		"jar text C":                      {1, "", "text is no jar"},
		"jar empty":                       {1, "", "empty is empty"},
		"jar . C":                         {1, "", "no file"},
		"jar x.jar C":                     {1, "", "no storm-client jar in nowhere/lib-worker"},
		"classpath":                       {1, "", "no storm-client jar in nowhere/lib-worker"},
		"local x.jar C --local-ttl -1":    {2, "", "want 0 or more seconds"},
		"local x.jar C --local-ttl later": {2, "", "cannot be \"later\""},
	} {
		got := command(t, append([]string{"gearstorm"}, strings.Fields(args)...)...)
		if got.code != want.code || got.stdout != "" || !strings.Contains(got.stderr, want.stderr) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

func TestClasspath(t *testing.T) {
	bare(t)
	fakeJava(t)
	if got := command(t, "storm", "classpath"); got != (outcome{0, "release/*:release/lib-worker/*:release/extlib/*:/more/*\n", ""}) {
		t.Errorf("%+v", got)
	}
	if got := command(t, "storm", "dev-zookeeper"); got.code != 1 || !strings.Contains(got.stderr, "jars of Storm's servers are needed") {
		t.Errorf("%+v", got)
	}
	write(t, "release/lib/zookeeper.jar", "")
	if got := command(t, "storm", "dev-zookeeper"); got.code != 3 || !strings.Contains(got.stdout, "\norg.apache.storm.command.DevZookeeper\n") {
		t.Errorf("%+v", got)
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                            nil,
		" -Xmx1g  -Dx=y ":             {"-Xmx1g", "-Dx=y"},
		`-Da="b c" 'd e' f\ g "h\"i"`: {"-Da=b c", "d e", "f g", `h"i`},
		`'a\b' ""`:                    {`a\b`, ""},
	} {
		if got, err := words(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	for _, text := range []string{`"a`, `a\`} {
		if got, err := words(text); err == nil {
			t.Errorf("%q is %q", text, got)
		}
	}
}

func TestParseStormEnv(t *testing.T) {
	got, err := parseStormEnv(strings.NewReader("# no\nIGNORED: 1\n[environment]\n; no\nA:b\nC = d:e \n[other]\nX: y\n"))
	if d := cmp.Diff(stormEnv{"A": "b", "C": "d:e"}, got); err != nil || d != "" {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
	if _, err := parseStormEnv(strings.NewReader("[environment]\nnonsense\n")); err == nil {
		t.Error("nonsense was taken")
	}
}

// TestShell uploads a folder and looks at what the program is told.
func TestShell(t *testing.T) {
	bare(t)
	state := mem.New()
	defer state.Close()
	n := startMaster(t, state)
	t.Setenv(seeds.Env, n.Addr())
	write(t, "resources/a.py", "a")
	write(t, "resources/.git/hidden", "b")
	got := command(t, "storm", "shell", "resources", "echo", "-n", "one")
	f := strings.Fields(got.stdout)
	if got.code != 0 || len(f) != 4 || f[0] != "one" || f[1]+":"+f[2] != n.Addr() || len(f[3]) < 36 {
		t.Errorf("%+v", got)
	}
	for _, name := range []string{"gearstorm", "storm"} {
		if got := command(t, name, "shell", "resources"); got.code != 2 || got.stderr == "" {
			t.Errorf("without a program: %+v", got)
		}
	}
	write(t, "fail", "#!/bin/sh\nexit 7\n")
	if err := os.Chmod("fail", 0o700); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "storm", "shell", "resources", "./fail"); got.code != 7 {
		t.Errorf("a program that fails: %+v", got)
	}
	if got := command(t, "storm", "shell", "nowhere", "echo"); got.code != 1 || !strings.Contains(got.stderr, "nowhere") {
		t.Errorf("no folder: %+v", got)
	}
	if got := command(t, "storm", "shell", "resources", "no-such-program"); got.code != 127 {
		t.Errorf("no program: %+v", got)
	}
}

func TestConfValue(t *testing.T) {
	for want, v := range map[string]any{
		"null": nil, "1": int64(1), "1.0": 1.0, "0.25": 0.25, "true": true, "a b": []any{"a", "b"}, "": []any{},
		"{a=[1, 2], b=null}": conf.Conf{"k": map[string]any{"b": nil, "a": []any{int64(1), int64(2)}}}["k"],
	} {
		if got := confValue(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

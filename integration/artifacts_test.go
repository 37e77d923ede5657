//go:build unpublished

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// unpublished is the folder of the parts of Storm that are not published as jars. They are built from Storm's sources, which not
// every machine has, so the tests that need them have a build tag of their own; make compat sets it where it can.
func unpublished(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../.tools/storm-unpublished")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "stamp"))
	}
	if err != nil {
		t.Fatalf("%v: run scripts/get-storm-unpublished.sh", err)
	}
	return dir
}

// release puts together a release of Storm, as far as `storm jar` needs one.
func release(t *testing.T, s *storm) string {
	t.Helper()
	from, home := unpublished(t), t.TempDir()
	script, err := os.ReadFile(filepath.Join(from, "bin", "storm.py"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"bin", "conf", "lib-tools"} {
		if err := os.Mkdir(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err = errors.Join(os.WriteFile(filepath.Join(home, "bin", "storm.py"), script, 0o755), // a copy: a link would lead it to another release
		os.WriteFile(filepath.Join(home, "conf", "storm.yaml"), nil, 0o600),
		os.WriteFile(filepath.Join(home, "RELEASE"), []byte("2.8.3\n"), 0o600),
		os.Symlink(s.lib, filepath.Join(home, "lib")),
		os.Symlink(filepath.Join(filepath.Dir(s.lib), "lib-worker"), filepath.Join(home, "lib-worker")),
		os.Symlink(filepath.Join(from, "submit-tools"), filepath.Join(home, "lib-tools", "submit-tools")))
	if err != nil {
		t.Fatal(err)
	}
	return home
}

// compileJar makes a jar of a folder of testdata/artifacts.
func compileJar(t *testing.T, module, file string, classpath ...string) string {
	t.Helper()
	sources, err := filepath.Glob(filepath.Join("testdata", "artifacts", module, "*.java"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources of %s: %v", module, err)
	}
	return makeJar(t, file, strings.Join(classpath, ":"), sources...)
}

// repository makes a Maven repository of files with the artifacts words and greeting, which needs words.
func repository(t *testing.T) (dir, greeting string) {
	t.Helper()
	dir = t.TempDir()
	at := func(name, ext string) string {
		return filepath.Join(dir, "com", "example", name, "1.0", name+"-1.0."+ext)
	}
	words := compileJar(t, "words", at("words", "jar"))
	greeting = compileJar(t, "greeting", at("greeting", "jar"), words)
	for name, needs := range map[string]string{"words": "", "greeting": "<dependencies><dependency><groupId>com.example</groupId><artifactId>words</artifactId><version>1.0</version></dependency></dependencies>"} {
		pom := "<project><modelVersion>4.0.0</modelVersion><groupId>com.example</groupId><artifactId>" + name + "</artifactId><version>1.0</version>" + needs + "</project>"
		if err := os.WriteFile(at(name, "pom"), []byte(pom), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, greeting
}

// What `storm jar` is told to send along, jars and Maven artifacts with what they need in turn, is on the class path of the workers: by
// Storm's own command and by ours, both with Storm's own resolver.
func TestStormArtifacts(t *testing.T) {
	program(t, "jar")
	s, dir := startJava(t)
	home := release(t, s)
	repo, greeting := repository(t)
	plain := compileJar(t, "plain", filepath.Join(dir, "plain.jar"))
	topology := compileJar(t, "depends", filepath.Join(dir, "depends.jar"), s.lib+"/*", greeting, plain)
	options := []string{"--jars", plain, "--artifacts", "com.example:greeting:1.0", "--artifactRepositories", "files^file://" + repo,
		"--mavenLocalRepositoryDirectory", filepath.Join(dir, "local"),
		"--proxyUrl", "http://127.0.0.1:1"} // nobody is there: the resolver would ask the central repository first
	to := []string{"-c", `nimbus.seeds=["127.0.0.1"]`, "-c", fmt.Sprintf("nimbus.thrift.port=%d", s.c.nimbus)}
	for client, argv := range map[string][]string{
		stormClient: {"python3", filepath.Join(home, "bin", "storm.py"), "jar"},
		stormScript: {binary, "jar"},
	} {
		name := strings.NewReplacer("/", "", ".", "").Replace("by-" + client)
		row(t, client, "jar --artifacts --jars", func() error {
			argv = slices.Concat(argv, []string{topology, "it.Depends", name, filepath.Join(dir, name)}, options, to)
			out, err := run(t, 3*time.Minute, []string{"STORM_HOME=" + home, "STORM_JAR_JVM_OPTS=-Xmx256m -XX:+UseSerialGC"}, dir, argv[0], argv[1:]...)
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				if got := lines(dir, name); len(got) > 0 {
					if got[0] != "hello world!" {
						return fmt.Errorf("the bolt wrote %q", got)
					}
					return nil
				}
			}
			return fmt.Errorf("the bolt wrote nothing; %s", s.must(t, false, command+"GetErrors", name))
		})
	}
	row(t, stormScript, "jar --artifacts of nothing", func() error {
		out, err := run(t, 2*time.Minute, []string{"STORM_HOME=" + home}, dir, binary, slices.Concat([]string{"jar", topology, "it.Depends", "none", dir + "/none"},
			[]string{"--artifacts", "com.example:nosuch:1.0"}, options[4:], to)...)
		if err == nil || !strings.Contains(out, "nosuch") {
			return fmt.Errorf("it says (%v) %s", err, out)
		}
		return nil
	})
}

//go:build record

package nimbus

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/transcript"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// clientRecorder runs commands of Storm's Java client through a proxy to a real Nimbus.
type clientRecorder struct {
	nimbus *stormrpc.NimbusClient // past the proxy
	proxy  *transcript.Proxy
	lib    string // the client's jars
	jar    string // what is uploaded, with the classes of it.ShellTopology
	dir    string
	done   []transcript.Command
}

// recordClient writes clientFile from a Nimbus that runs words. STORM_CLIENT is what scripts/get-storm-client.sh made.
func recordClient(t *testing.T, client *stormrpc.NimbusClient, addr, release string) {
	t.Helper()
	home := os.Getenv("STORM_CLIENT")
	r := &clientRecorder{nimbus: client, lib: filepath.Join(home, "lib"), dir: t.TempDir()}
	var err error
	r.proxy, err = transcript.NewProxy(addr, transcript.Leader)
	must(t, err)
	defer r.proxy.Close()
	r.pack(t, filepath.Join(home, "build", "integration.jar"))
	r.commands(t)
	var b bytes.Buffer
	must(t, transcript.Write(&b, fmt.Sprintf("What the Java client of Storm %s said to a Nimbus of that release, recorded by scripts/record-storm.sh.", release), r.done))
	must(t, os.WriteFile(clientFile, b.Bytes(), 0o644))
}

// pack makes a small jar of the topology's classes.
func (r *clientRecorder) pack(t *testing.T, from string) {
	t.Helper()
	in, err := zip.OpenReader(from)
	must(t, err)
	defer in.Close()
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		if strings.HasPrefix(f.Name, "it/ShellTopology") {
			must(t, out.Copy(f))
		}
	}
	must(t, out.Close())
	r.jar = filepath.Join(r.dir, "shells.jar")
	must(t, os.WriteFile(r.jar, b.Bytes(), 0o600))
}

// commands is the script: words runs, viajar comes and goes.
func (r *clientRecorder) commands(t *testing.T) {
	file := func(name, text string) string {
		path := filepath.Join(r.dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	blob, more := file("blob", strings.Repeat("what a blob holds\n", 10_000)), file("more", "other text\n")
	// A jar of more than one chunk: a second entry of zeros, not compressed.
	r.dependency(t, "dep.jar", 400_000)
	r.dependency(t, "lib-1.0.jar", 10)
	depends := []string{"-Dstorm.dependency.jars=" + filepath.Join(r.dir, "dep.jar"),
		`-Dstorm.dependency.artifacts={"com.example:lib:1.0":"` + filepath.Join(r.dir, "lib-1.0.jar") + `"}`}
	none := []string{"-Dstorm.dependency.jars=", "-Dstorm.dependency.artifacts={}"}

	r.run(t, "list", nil, "ListTopologies")
	r.run(t, "blobstore list of all", nil, "Blobstore", "list") // while all keys are those of words
	r.run(t, "jar", none, "it.ShellTopology", "viajar", "/nowhere", "1")
	r.run(t, "jar of a name that is taken", none, "it.ShellTopology", "viajar", "/nowhere", "1")
	r.run(t, "jar with dependencies", depends, "it.ShellTopology", "depends", "/nowhere", "1")
	r.run(t, "jar with dependencies that are there", depends, "it.ShellTopology", "again", "/nowhere", "1")
	r.run(t, "get-errors", nil, "GetErrors", "words")
	r.run(t, "get-errors of nothing", nil, "GetErrors", "nosuch")
	r.run(t, "set_log_level", nil, "SetLogLevel", "-l", "ROOT=DEBUG:30", "-r", "com.example", "words")
	r.run(t, "monitor", nil, "Monitor", "words")
	r.watch(t, "monitor of a component", "Monitor", "words", "-m", "count", "-i", "1")
	r.run(t, "upload-credentials", nil, "UploadCredentials", "words", "user", "ada")
	r.run(t, "deactivate", nil, "Deactivate", "viajar")
	r.run(t, "activate", nil, "Activate", "viajar")
	r.run(t, "activate nothing", nil, "Activate", "nosuch")
	r.run(t, "rebalance", nil, "Rebalance", "viajar", "-w", "0", "-n", "1", "-e", "split=1")
	r.settled(t)
	r.run(t, "rebalance with overrides", nil, "Rebalance", "viajar", "-w", "0", "-r", `{"split":{"cpu.pcore.percent":20}}`, "-t", `{"topology.debug":false}`)
	r.settled(t)
	r.run(t, "rebalance too many", nil, "Rebalance", "viajar", "-w", "0", "-e", "nosuch=1")
	r.run(t, "shell", none, "ShellSubmission", r.jar, "echo", "told")
	r.run(t, "blobstore create", nil, "Blobstore", "create", "key.txt", "-f", blob, "-a", "u:bob:rw-,o::rwa")
	r.run(t, "blobstore create again", nil, "Blobstore", "create", "key.txt", "-f", blob)
	r.run(t, "blobstore list", nil, "Blobstore", "list", "key.txt", "nosuch")
	r.run(t, "blobstore cat", nil, "Blobstore", "cat", "key.txt", "-f", filepath.Join(r.dir, "out"))
	r.run(t, "blobstore update", nil, "Blobstore", "update", "key.txt", "-f", more)
	r.run(t, "blobstore set-acl", nil, "Blobstore", "set-acl", "-s", "o::rwa", "key.txt")
	r.run(t, "blobstore replication read", nil, "Blobstore", "replication", "--read", "key.txt")
	r.run(t, "blobstore replication update", nil, "Blobstore", "replication", "--update", "-r", "2", "key.txt")
	r.run(t, "blobstore delete", nil, "Blobstore", "delete", "key.txt")
	r.run(t, "blobstore cat of nothing", nil, "Blobstore", "cat", "key.txt")
	r.run(t, "kill", nil, "KillTopology", "viajar", "depends", "-w", "0")
	r.run(t, "kill nothing", nil, "KillTopology", "nosuch")
}

// dependency makes a jar with n zeros.
func (r *clientRecorder) dependency(t *testing.T, name string, n int) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "zeros", Method: zip.Store})
	must(t, err)
	_, err = w.Write(make([]byte, n))
	must(t, err)
	must(t, z.Close())
	must(t, os.WriteFile(filepath.Join(r.dir, name), b.Bytes(), 0o600))
}

func (r *clientRecorder) java(ctx context.Context, options []string, class string, args ...string) *exec.Cmd {
	if !strings.Contains(class, ".") {
		class = "org.apache.storm.command." + class
	}
	argv := append([]string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.disableJmx=true", "-Dstorm.conf.file=", "-Dstorm.home=" + r.dir,
		"-Dstorm.log.dir=" + r.dir, "-Dstorm.jar=" + r.jar,
		fmt.Sprintf("-Dstorm.options=nimbus.seeds=%s,nimbus.thrift.port=%d", url.QueryEscape(`["127.0.0.1"]`), r.proxy.Port())}, options...)
	return exec.CommandContext(ctx, "java", append(append(argv, "-cp", r.lib+"/*:"+r.jar, class), args...)...)
}

// run records a command to its end, however it ends.
func (r *clientRecorder) run(t *testing.T, name string, options []string, class string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := r.java(ctx, options, class, args...).CombinedOutput()
	r.keep(t, name, fmt.Sprint(err, "\n", string(out)))
}

// watch records a command until it has written two lines of figures.
func (r *clientRecorder) watch(t *testing.T, name, class string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := r.java(ctx, nil, class, args...)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	n := 0
	for lines := bufio.NewScanner(out); n < 3 && lines.Scan(); {
		if strings.Contains(lines.Text(), "\t") {
			n++
		}
	}
	cancel()
	io.Copy(io.Discard, out)
	cmd.Wait() // killed
	r.keep(t, name, fmt.Sprint(n, " lines of figures"))
}

func (r *clientRecorder) keep(t *testing.T, name, said string) {
	t.Helper()
	calls, err := r.proxy.Take()
	if err != nil || len(calls) == 0 {
		t.Fatalf("%s: %d calls, %v; it said %s", name, len(calls), err, said)
	}
	t.Logf("%s: %s", name, said)
	r.done = append(r.done, transcript.Command{Name: name, Calls: calls})
}

// settled waits until viajar is no longer being rebalanced: until then Nimbus refuses more.
func (r *clientRecorder) settled(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if s, err := r.nimbus.GetTopologySummaryByName(t.Context(), "viajar"); err == nil && s.Status == "ACTIVE" {
			return
		}
	}
	t.Fatal("viajar is still being rebalanced after a minute")
}

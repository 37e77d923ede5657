package integration

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/seeds"
)

// drpcOf returns where the DRPC server of a dev listens.
func drpcOf(t *testing.T, c *cluster) seeds.Ports {
	t.Helper()
	p, ok := seeds.ReadPorts(c.dir)
	if !ok || p.DRPC == 0 || p.Invocations == 0 || p.DRPCHTTP == 0 {
		t.Fatalf("the ports file says %+v", p)
	}
	return p
}

// execute runs the command drpc-client.
func execute(t *testing.T, c *cluster, args ...string) (string, error) {
	t.Helper()
	return c.gearstorm(t, append([]string{"drpc-client", "--drpc", fmt.Sprintf("127.0.0.1:%d", drpcOf(t, c).DRPC)}, args...)...)
}

// submitAnswers starts the topology of testdata/drpc and returns the folder that its bolt writes to.
func submitAnswers(t *testing.T, c *cluster, workers int) string {
	t.Helper()
	program(t, "python3")
	dir := t.TempDir()
	props := filepath.Join(dir, "properties")
	if err := os.WriteFile(props, fmt.Appendf(nil, "dir=%s\nworkers=%d\n", dir, workers), 0o600); err != nil {
		t.Fatal(err)
	}
	c.must(t, "submit", "--filter", props, filepath.Join("testdata", "drpc", "answers.yaml"))
	return dir
}

func httpAnswer(t *testing.T, method, at, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// A topology from YAML with a bolt in Python answers our client, HTTP and the real Storm client; the first call waits for its
// start. Requests that it fails are named failures.
func TestDRPC(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	submitAnswers(t, c, 1)
	if out, err := execute(t, c, "answer", "hello", "answer", "two words"); err != nil || out != "answer \"hello\" => \"hello!\"\nanswer \"two words\" => \"two words!\"\n" {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := execute(t, c, "-f", "answer", "a", "b"); err != nil || out != "answer \"a\" => \"a!\"\nanswer \"b\" => \"b!\"\n" {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := execute(t, c, "answer", "fail"); err == nil || !strings.Contains(out, "Request failed (FAILED_REQUEST)") {
		t.Errorf("%v\n%s", err, out)
	}
	base := fmt.Sprintf("http://127.0.0.1:%d/drpc/answer", drpcOf(t, c).DRPCHTTP)
	for _, q := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/hello", "", 200, "hello!"},
		{"POST", "", "http://x/?y=1&z", 200, "http://x/?y=1&z!"},
		{"GET", "", "", 200, "!"},
		{"GET", "/fail", "", 400, "Request failed"},
	} {
		if status, text := httpAnswer(t, q.method, base+q.path, q.body); status != q.status || !strings.Contains(text, q.want) {
			t.Errorf("%s %s: %d %s", q.method, q.path, status, text)
		}
	}

	s := newStorm(t, c)
	s.options = drpcOptions(t, c)
	if out := s.must(t, false, command+"BasicDrpcClient", "answer", "hello"); !strings.Contains(out, `answer "hello" => "hello!"`) {
		t.Errorf("Storm's client says\n%s", out)
	}
	out := s.must(t, false, command+"BasicDrpcClient", "-f", "answer", "a", "b")
	if !strings.Contains(out, `answer "a" => "a!"`) || !strings.Contains(out, `answer "b" => "b!"`) {
		t.Errorf("Storm's client says\n%s", out)
	}
	if out, err := s.java(t, false, command+"BasicDrpcClient", "answer", "fail"); err == nil || !strings.Contains(out, "DRPCExecutionException") || !strings.Contains(out, "FAILED_REQUEST") {
		t.Errorf("Storm's client says (%v)\n%s", err, out)
	}
	ok(stormClient, "drpc-client")
}

func drpcOptions(t *testing.T, c *cluster) string {
	t.Helper()
	return fmt.Sprintf("drpc.servers=%s,drpc.port=%d", url.QueryEscape(`["127.0.0.1"]`), drpcOf(t, c).DRPC)
}

// A jar with Storm's DRPCSpout and ReturnResults around a ShellBolt, submitted by the real client, runs without a JVM.
func TestDRPCOfAJar(t *testing.T) {
	t.Parallel()
	program(t, "python3")
	c := startCluster(t)
	s := newStorm(t, c)
	s.must(t, true, "it.DrpcTopology", "loud", "shout")
	if out, err := execute(t, c, "shout", "hello"); err != nil || out != "shout \"hello\" => \"HELLO\"\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// Storm's own client of the invocations port fetches and answers; each way of its to end a request reaches the caller.
func TestStormsInvocationsClient(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	s := newStorm(t, c)
	port := fmt.Sprint(drpcOf(t, c).Invocations)
	var out string
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		out, err = s.java(t, true, "it.Invocations", port, "upper", "3")
	}()
	for args, want := range map[string]string{"hello": `"HELLO"`, "fail": "Request failed (FAILED_REQUEST)", "explain": "no such user (INTERNAL_ERROR)"} {
		if got, _ := execute(t, c, "upper", args); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
	if <-ended; err != nil {
		t.Errorf("Storm's client says (%v)\n%s", err, out)
	}
}

// A Go program with bolts in Go and Python answers, and goes on doing so where it was when the cluster starts again.
func TestDRPCOfAGoProgram(t *testing.T) {
	t.Parallel()
	program(t, "python3")
	c := startCluster(t)
	exe := filepath.Join(t.TempDir(), "shout")
	if out, err := run(t, 5*time.Minute, nil, "", "go", "build", "-trimpath", "-o", exe, "../examples/drpc"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := run(t, time.Minute, nil, "", exe, "submit", "-nimbus", fmt.Sprintf("127.0.0.1:%d", c.nimbus)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ports := drpcOf(t, c)
	at := fmt.Sprintf("http://127.0.0.1:%d/drpc/shout/hello", ports.DRPCHTTP)
	if status, text := httpAnswer(t, "GET", at, ""); status != 200 || text != "HELLO!" {
		t.Errorf("%d %s", status, text)
	}
	c.dev.stop(t)
	c.startDev(t)
	if again := drpcOf(t, c); again.DRPC != ports.DRPC || again.DRPCHTTP != ports.DRPCHTTP {
		t.Errorf("the ports were %+v and are %+v", ports, again)
	}
	if status, text := httpAnswer(t, "GET", at, ""); status != 200 || text != "HELLO!" {
		t.Errorf("after the restart: %d %s", status, text)
	}
}

// Who waits is told by name when what works for him dies: at once when the tuple is known to be lost, else when the time of the
// request is up.
func TestDRPCOfKilledWorkers(t *testing.T) {
	t.Parallel()
	const timeout = 8 * time.Second
	c := startCluster(t, "-c", fmt.Sprintf("drpc.request.timeout.secs=%d", timeout/time.Second))
	dir := submitAnswers(t, c, 1)
	waitFor(t, time.Minute, "the first answer", func() bool {
		out, err := execute(t, c, "answer", "hello")
		return err == nil && strings.Contains(out, "hello!")
	})
	for _, victim := range []struct {
		name, says string
		of         func() map[int]process
	}{
		{"child", "Request failed (FAILED_REQUEST)", func() map[int]process { return c.scripts(t, "answer.py") }},
		{"worker", "Timed Out (SERVER_TIMEOUT)", func() map[int]process { return c.workers(t) }},
	} {
		t.Run(victim.name, func(t *testing.T) {
			told := make(chan string, 1)
			began := time.Now()
			go func() {
				out, err := execute(t, c, "answer", "wait "+victim.name)
				told <- fmt.Sprint(out, err)
			}()
			waitFor(t, timeout, "the bolt's work", func() bool {
				_, err := os.Stat(filepath.Join(dir, victim.name))
				return err == nil
			})
			any1(t, victim.of()).signal(t, syscall.SIGKILL)
			if out := <-told; !strings.Contains(out, victim.says) {
				t.Errorf("the caller was told %q, want %q", out, victim.says)
			}
			t.Logf("told after %v", time.Since(began).Round(time.Millisecond))
			if took := time.Since(began); took > timeout+10*time.Second {
				t.Errorf("that took %v", took)
			}
			waitFor(t, time.Minute, "answers again", func() bool {
				out, err := execute(t, c, "answer", "again")
				return err == nil && strings.Contains(out, "again!")
			})
		})
	}
}

// Two DRPC servers on their own: one task asks both, what one has is answered there, and the death of one is nothing to callers
// of the other.
func TestTwoDRPCServers(t *testing.T) {
	t.Parallel()
	ports := freePorts(t, 3)
	d := startDaemons(t, 1, `drpc.servers: ["127.0.0.1", "127.0.0.2"]`,
		fmt.Sprintf("drpc.port: %d\ndrpc.invocations.port: %d\ndrpc.http.port: %d", ports[0], ports[1], ports[2]))
	servers := map[string]*daemon{}
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		servers[host] = startDaemon(t, d.dir, append([]string{"drpc", "--host", host}, d.args...)...)
	}
	submitAnswers(t, d.cluster, 1)
	for host, s := range servers {
		at := fmt.Sprintf("%s:%d", host, ports[0])
		waitFor(t, 10*time.Second, "the server's line", func() bool {
			s.mustRun(t)
			return strings.Contains(s.out.String(), "serving "+at)
		})
		if out, err := d.gearstorm(t, "drpc-client", "--drpc", at, "answer", host); err != nil || !strings.Contains(out, host+"!") {
			t.Errorf("%v\n%s", err, out)
		}
	}
	ask := func(args string) (string, error) {
		return run(t, time.Minute, nil, "", binary, append(d.args, "drpc-client", "answer", args)...)
	}
	for i := range 4 { // at either of them
		if out, err := ask(fmt.Sprint(i)); err != nil || !strings.Contains(out, fmt.Sprintf("%d!", i)) {
			t.Errorf("%v\n%s", err, out)
		}
	}
	servers["127.0.0.1"].kill(t)
	if out, err := ask("still there"); err != nil || !strings.Contains(out, "still there!") {
		t.Errorf("%v\n%s", err, out)
	}
	servers["127.0.0.1"] = startDaemon(t, d.dir, append([]string{"drpc", "--host", "127.0.0.1"}, d.args...)...)
	waitFor(t, 20*time.Second, "answers of the server that came back", func() bool {
		out, err := d.gearstorm(t, "drpc-client", "--drpc", fmt.Sprintf("127.0.0.1:%d", ports[0]), "answer", "back")
		return err == nil && strings.Contains(out, "back!")
	})
}

// A rebalance that moves spout and bolts loses no request: all are answered.
func TestDRPCDuringARebalance(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	submitAnswers(t, c, 1)
	base := fmt.Sprintf("http://127.0.0.1:%d/drpc/answer/", drpcOf(t, c).DRPCHTTP)
	if status, text := httpAnswer(t, "GET", base+"first", ""); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	stop := make(chan struct{})
	var callers sync.WaitGroup
	var answered atomic.Int64
	for i := range 3 {
		callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				word := fmt.Sprintf("%d-%d", i, n)
				if status, text := httpAnswer(t, "GET", base+word, ""); status != 200 || text != word+"!" {
					t.Errorf("%s: %d %s", word, status, text)
				}
				answered.Add(1)
			}
		})
	}
	for _, workers := range []string{"2", "1", "2"} {
		c.must(t, "rebalance", "answers", "-w", "0", "-n", workers)
		waitFor(t, time.Minute, workers+" workers", func() bool { return fmt.Sprint(len(c.workers(t))) == workers })
		was := answered.Load()
		waitFor(t, time.Minute, "answers", func() bool { return answered.Load() > was+20 })
	}
	close(stop)
	callers.Wait()
	t.Logf("%d requests answered", answered.Load())
}

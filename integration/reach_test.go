package integration

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// startReach submits it.Reach with the real client and returns where HTTP callers ask it.
func startReach(t *testing.T, workers string) (s *storm, at string) {
	t.Helper()
	s, _ = startJava(t)
	s.must(t, true, "it.Reach", "reach", "reach", workers)
	s.options = drpcOptions(t, s.c)
	return s, fmt.Sprintf("http://127.0.0.1:%d/drpc/reach/", drpcOf(t, s.c).DRPCHTTP)
}

// Storm's linear DRPC topologies: requests of the real drpc-client, of ours and of HTTP at once, each answered once all of its
// batches are done on every task, on one worker and on two.
func TestDRPCReach(t *testing.T) {
	t.Parallel()
	for _, workers := range []string{"1", "2"} {
		t.Run(workers+" workers", func(t *testing.T) {
			s, at := startReach(t, workers)
			began := time.Now()
			if out, err := execute(t, s.c, "reach", "page 3"); err != nil || out != "reach \"page 3\" => \"20\"\n" {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("the first answer came %v after the submit", time.Since(began).Round(time.Millisecond))
			if out := s.must(t, false, command+"BasicDrpcClient", "reach", "page 100"); !strings.Contains(out, `reach "page 100" => "505"`) {
				t.Errorf("Storm's client says\n%s", out)
			}
			var callers sync.WaitGroup
			for i := range 20 {
				callers.Go(func() {
					want := "0" // such a page is named by nobody
					if i > 0 {
						want = fmt.Sprint(5*i + 5)
					}
					if status, text := httpAnswer(t, "GET", fmt.Sprintf("%spage%%20%d", at, i), ""); status != 200 || text != want {
						t.Errorf("page %d: %d %s, want %s", i, status, text, want)
					}
				})
			}
			callers.Wait()
			if status, text := httpAnswer(t, "GET", at+"fail", ""); status != 400 || !strings.Contains(text, "Request failed") {
				t.Errorf("a request that a bolt fails: %d %s", status, text)
			}
			if out, err := s.java(t, false, command+"BasicDrpcClient", "reach", "fail"); err == nil || !strings.Contains(out, "FAILED_REQUEST") {
				t.Errorf("Storm's client says (%v)\n%s", err, out)
			}
		})
	}
	ok(stormClient, "drpc-client to a linear topology in Java")
}

// kill -9 of the Java process: who waits is told that his request failed, and the next one is answered.
func TestDRPCReachKill(t *testing.T) {
	t.Parallel()
	s, at := startReach(t, "1")
	if status, text := httpAnswer(t, "GET", at+"page%203", ""); status != 200 || text != "20" {
		t.Fatalf("%d %s", status, text)
	}
	told := make(chan string, 1)
	go func() { // some million followers take a while
		_, text := httpAnswer(t, "GET", at+"page%20300000", "")
		told <- text
	}()
	began := time.Now()
	killJava(t, s.c)
	if text := <-told; !strings.Contains(text, "Request failed") {
		t.Errorf("who waited was told %q", text)
	}
	t.Logf("told %v after the kill", time.Since(began).Round(time.Millisecond))
	if status, text := httpAnswer(t, "GET", at+"page%204", ""); status != 200 || text != "25" {
		t.Errorf("after the kill: %d %s", status, text)
	}
	t.Logf("the next answer came %v after the kill", time.Since(began).Round(time.Millisecond))
}

// Requests that a bolt of a linear topology fails, throws at, or never answers are told as Storm tells them: as failed, also when
// the time of their tuple is over, or as timed out when their own time is before. Those behind them are answered. The first bolt is
// a KeyedFairBolt.
func TestDRPCUnanswered(t *testing.T) {
	t.Parallel()
	const requestTimeout = 15
	s, dir := startJava(t, "-c", fmt.Sprintf("drpc.request.timeout.secs=%d", requestTimeout))
	s.must(t, true, "it.Unanswered", "short", "short", dir, "3")
	s.must(t, true, "it.Unanswered", "long", "long", dir, "120")
	s.options = drpcOptions(t, s.c)
	at := fmt.Sprintf("http://127.0.0.1:%d/drpc/", drpcOf(t, s.c).DRPCHTTP)
	ask := func(function, request, want string) {
		t.Helper()
		if status, text := httpAnswer(t, "GET", at+function+"/"+request, ""); status != 200 || text != want {
			t.Errorf("%s %s: %d %s, want %s", function, request, status, text, want)
		}
	}
	ask("short", "3", "3")
	ask("long", "4", "4")
	for _, u := range []struct{ function, request, text, kind string }{
		{"short", "fail", "Request failed", "FAILED_REQUEST"},
		{"short", "throw", "Request failed", "FAILED_REQUEST"},
		{"short", "never", "Request failed", "FAILED_REQUEST"},
		{"long", "never", "Timed Out", "SERVER_TIMEOUT"},
	} {
		began := time.Now()
		out, err := s.java(t, false, command+"BasicDrpcClient", u.function, u.request)
		if want := fmt.Sprintf("DRPCExecutionException(msg:%s, type:%s)", u.text, u.kind); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s %s: Storm's client says (%v)\n%swant %s", u.function, u.request, err, out, want)
		}
		t.Logf("%s %s: told after %v", u.function, u.request, time.Since(began).Round(10*time.Millisecond))
		ask(u.function, "2", "2")
	}
	if open := lines(dir, "open"); len(open) != 2 {
		t.Errorf("requests %v were left open, want one of each topology", open)
	}
	ok(stormClient, "drpc-client to requests that are not answered")
}

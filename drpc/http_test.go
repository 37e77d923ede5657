package drpc

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// answering serves every request for a function by answer until the test ends.
func answering(t *testing.T, b *book, function string, answer func(args string) outcome) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			if id, args, ok := b.fetch(function); ok {
				b.settle(id, answer(args))
				continue
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
}

func TestHTTP(t *testing.T) {
	b := newBook(Limits{Timeout: 200 * time.Millisecond})
	answering(t, b, "echo", func(args string) outcome { return outcome{result: "<" + args + ">"} })
	answering(t, b, "a b", func(args string) outcome { return outcome{result: args} })
	answering(t, b, "fails", func(string) outcome { return outcome{failure: errFailed} })
	kind := stormrpc.DRPCExceptionType_INTERNAL_ERROR
	answering(t, b, "breaks", func(string) outcome { return outcome{failure: &failure{Msg: "broken", Type: &kind}} })
	answering(t, b, "untyped", func(string) outcome { return outcome{failure: &failure{Msg: "what"}} })
	srv := httptest.NewServer(&web{b, 1000})
	defer srv.Close()
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		want, kind               string // of a result; of an error
	}{
		{"get", "GET", "/drpc/echo/hello", "", 200, "<hello>", ""},
		{"escaped", "GET", "/drpc/echo/a%2Fb%20%C3%BC", "", 200, "<a/b ü>", ""},
		{"slashes stay", "GET", "/drpc/echo/http://x/../y", "", 200, "<http://x/../y>", ""},
		{"function with a blank", "GET", "/drpc/a%20b/1", "", 200, "1", ""},
		{"without arguments", "GET", "/drpc/echo", "", 200, "<>", ""},
		{"post", "POST", "/drpc/echo", "body & more", 200, "<body & more>", ""},
		{"failed", "GET", "/drpc/fails/1", "", 400, "Request failed", "FAILED_REQUEST"},
		{"internal", "GET", "/drpc/breaks/1", "", 500, "broken", "INTERNAL_ERROR"},
		{"untyped", "GET", "/drpc/untyped/1", "", 500, "what", "Internal Error"},
		{"timeout", "GET", "/drpc/nobody/1", "", 504, "Timed Out", "SERVER_TIMEOUT"},
		{"long body", "POST", "/drpc/echo", strings.Repeat("x", 1001), 413, "drpc.max_buffer_size", "Bad Request"},
		{"long name", "GET", "/drpc/" + strings.Repeat("x", 300), "", 400, "300 bytes", "FAILED_REQUEST"},
		{"post with arguments", "POST", "/drpc/echo/1", "x", 405, "POST", "Bad Request"},
		{"delete", "DELETE", "/drpc/echo/1", "", 405, "DELETE", "Bad Request"},
		{"no function", "GET", "/drpc/", "", 404, "/drpc/FUNCTION", "Bad Request"},
		{"elsewhere", "GET", "/", "", 404, "/drpc/FUNCTION", "Bad Request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequest(c.method, srv.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status {
				t.Fatalf("status %d, %q, %v; want %d", resp.StatusCode, text, err, c.status)
			}
			if c.kind == "" {
				if string(text) != c.want || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
					t.Errorf("%q as %s, want %q", text, resp.Header.Get("Content-Type"), c.want)
				}
				return
			}
			var problem struct{ Error, ErrorMessage string }
			if err := json.Unmarshal(text, &problem); err != nil || problem.Error != c.kind || !strings.Contains(problem.ErrorMessage, c.want) {
				t.Errorf("%s; want %s %q", text, c.kind, c.want)
			}
		})
	}
	wantEmpty(t, b)
}

// What is beyond the bounds is refused with 503, so that a client tries again.
func TestHTTPBusy(t *testing.T) {
	b := newBook(Limits{Bytes: 100})
	srv := httptest.NewServer(&web{b, 1000})
	defer srv.Close()
	resp, err := http.Post(srv.URL+"/drpc/f", "text/plain", strings.NewReader(strings.Repeat("x", 500)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, headers %v", resp.StatusCode, resp.Header)
	}
	b.close()
	if resp, err = http.Get(srv.URL + "/drpc/f/1"); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a server that ends answers %d", resp.StatusCode)
	}
	wantEmpty(t, b)
}

// Who closes his connection takes his request along, whether its arguments came with the path or as a body.
func TestHTTPCallerGone(t *testing.T) {
	b := newBook(Limits{})
	srv := httptest.NewServer(&web{b, 1000})
	defer srv.Close()
	defer b.close()
	for _, method := range []string{"GET", "POST"} {
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, method, srv.URL+"/drpc/f", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			resp, err := srv.Client().Do(req)
			if err == nil {
				resp.Body.Close()
			}
			ended <- err
		}()
		open := func(want int) {
			t.Helper()
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				if n, _ := b.counts(); n == want {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("%s: not %d requests", method, want)
				}
			}
		}
		open(1)
		leave()
		if err := <-ended; err == nil {
			t.Error("the caller who left got an answer")
		}
		open(0)
	}
}

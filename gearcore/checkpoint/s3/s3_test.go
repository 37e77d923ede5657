package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
)

// serve runs a store in memory with a bucket, behind what wrap makes of it, and returns its URL.
func serve(t *testing.T, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	h := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	if wrap != nil {
		h = wrap(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func config(url string) Config {
	return Config{Bucket: "bucket", Endpoint: url, Region: "us-east-1", Keys: func() Keys { return Keys{Access: "key", Secret: "secret"} }}
}

func open(t *testing.T, c Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	for _, prefix := range []string{"", "deep/er"} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) checkpoint.Store {
				c := config(serve(t, nil))
				c.Prefix = prefix
				return open(t, c)
			})
		})
	}
}

// Two stores in a bucket do not see each other.
func TestPrefixesAreApart(t *testing.T) {
	c := config(serve(t, nil))
	c.Prefix = "a"
	a := open(t, c)
	c.Prefix = "ab"
	b := open(t, c)
	for _, s := range []*Store{a, b} {
		if err := s.PutIfAbsent(t.Context(), "x", []byte("y")); err != nil {
			t.Error(err)
		}
		if l, err := s.List(t.Context(), ""); err != nil || len(l) != 1 || l[0].Name != "x" {
			t.Errorf("%s has %v, %v", s.prefix, l, err)
		}
	}
}

// More than goes in one request.
func TestParts(t *testing.T) {
	s := open(t, config(serve(t, nil)))
	content := bytes.Repeat([]byte("0123456789abcdef"), 2*partSize/16+1)
	f, err := checkpoint.NewVault(s, "t", 1).Put(t.Context(), "large", bytes.NewReader(content))
	if err != nil || f.Bytes != int64(len(content)) {
		t.Fatal(f, err)
	}
	l, err := s.List(t.Context(), "topologies/")
	if err != nil || len(l) != 1 || l[0].Bytes != f.Bytes {
		t.Errorf("%v, %v", l, err)
	}
}

// A store that is busy for a moment does not cost a checkpoint.
func TestPutIsTriedAgain(t *testing.T) {
	var busy atomic.Int32
	s := open(t, config(serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/x") && busy.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})
	})))
	if err := s.Put(t.Context(), "x", strings.NewReader("y")); err != nil || busy.Load() != 2 {
		t.Errorf("%d requests: %v", busy.Load(), err)
	}
	if l, err := s.List(t.Context(), ""); err != nil || len(l) != 1 || l[0].Bytes != 1 {
		t.Errorf("there are %v, %v", l, err)
	}
}

// A store that puts in any case would let two coordinators commit.
func TestAStoreThatIgnoresConditionsIsRefused(t *testing.T) {
	url := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-None-Match")
			h.ServeHTTP(w, r)
		})
	})
	if _, err := Open(t.Context(), config(url)); err == nil || !strings.Contains(err.Error(), "conditional") {
		t.Errorf("it opens: %v", err)
	}
}

// So would one that looks first and writes later, when two come at a time. It stays refused.
func TestAStoreThatChecksTooEarlyIsRefused(t *testing.T) {
	url := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, probe+"-") {
				r.Header.Del("If-None-Match") // as if all had looked before any has written
			}
			h.ServeHTTP(w, r)
		})
	})
	for range 2 {
		if _, err := Open(t.Context(), config(url)); !errors.Is(err, errUnconditional) || !strings.Contains(err.Error(), "at a time") {
			t.Errorf("it opens: %v", err)
		}
	}
}

func TestErrors(t *testing.T) {
	status, code := 0, ""
	url := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if status == 0 {
				h.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>m</Message></Error>", code)
		})
	})
	s := open(t, config(url))
	for _, c := range []struct {
		status int
		code   string
		want   error
	}{
		{507, "x", checkpoint.ErrFull}, {403, "QuotaExceeded", checkpoint.ErrFull}, {507, "XMinioStorageFull", checkpoint.ErrFull},
		{403, "AccessDenied", nil}, {404, "NoSuchBucket", nil}, {409, "ConditionalRequestConflict", nil},
	} {
		status, code = c.status, c.code
		err := s.PutIfAbsent(t.Context(), "a", []byte("x"))
		if err == nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && (checkpoint.Lost(err) || errors.Is(err, checkpoint.ErrExists)) {
			t.Errorf("%d %s is %v", c.status, c.code, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	url := serve(t, nil)
	for name, change := range map[string]func(*Config){
		"no bucket": func(c *Config) { c.Bucket = "" }, "a bucket that is not there": func(c *Config) { c.Bucket = "missing" },
		"a bad bucket": func(c *Config) { c.Bucket = "A/B" }, "a bad prefix": func(c *Config) { c.Prefix = "../x" },
		"no scheme": func(c *Config) { c.Endpoint = "host:1" }, "a path": func(c *Config) { c.Endpoint += "/path" },
		"a password": func(c *Config) { c.Endpoint = "http://a:b@host" }, "another scheme": func(c *Config) { c.Endpoint = "file:///x" },
	} {
		c := config(url)
		change(&c)
		if _, err := Open(t.Context(), c); err == nil {
			t.Errorf("%s opens", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, config(url)); !errors.Is(err, context.Canceled) {
		t.Errorf("under a context that has ended: %v", err)
	}
}

// Keys may change: the next request is signed with the new ones. Without any, those of the environment are used.
func TestKeysChange(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "ours")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	var mu sync.Mutex
	now, used := Keys{}, ""
	c := config(serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			key, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
			used = key + r.Header.Get("X-Amz-Security-Token")
			mu.Unlock()
			h.ServeHTTP(w, r)
		})
	}))
	c.Keys = func() Keys { mu.Lock(); defer mu.Unlock(); return now }
	s := open(t, c)
	for _, k := range []struct {
		keys Keys
		want string
	}{{Keys{}, "ours"}, {Keys{Access: "first", Secret: "a"}, "first"}, {Keys{Access: "second", Secret: "b", Session: "-token"}, "second-token"}, {Keys{}, "ours"}} {
		mu.Lock()
		now = k.keys
		mu.Unlock()
		if err := s.Put(t.Context(), "x", strings.NewReader("y")); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		if used != k.want {
			t.Errorf("with %q the request was signed by %q, want %q", k.keys.Access, used, k.want)
		}
		mu.Unlock()
	}
}

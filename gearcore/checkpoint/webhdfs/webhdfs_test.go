package webhdfs

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
)

func open(t *testing.T, c Config) *Store {
	t.Helper()
	if c.Path == "" {
		c.Path = "/user/storm/checkpoints"
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	for _, plain := range []bool{false, true} {
		name := map[bool]string{false: "a name node", true: "a gateway"}[plain]
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) checkpoint.Store {
				c := newCluster(t)
				c.plain = plain
				return open(t, Config{Hosts: c.host(), User: "storm"})
			})
		})
	}
}

func TestWhoWeAre(t *testing.T) {
	for name, c := range map[string]struct {
		conf Config
		want url.Values
	}{
		"a user":  {Config{User: "storm"}, url.Values{"user.name": {"storm"}, "delegation": {""}}},
		"a token": {Config{User: "storm", Delegation: func() string { return "HAAF/c=" }}, url.Values{"delegation": {"HAAF/c="}, "user.name": {""}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newCluster(t)
			h.want = c.want
			c.conf.Hosts = h.host()
			s := open(t, c.conf)
			if err := s.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil {
				t.Error(err)
			}
			if _, err := s.List(t.Context(), ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// A token in a URL is a secret: no error tells it.
func TestErrorsTellNoToken(t *testing.T) {
	h := newCluster(t)
	s := open(t, Config{Hosts: h.host(), Delegation: func() string { return "SECRET" }})
	for _, stop := range []func(){h.data.Close, h.name.Close} {
		stop()
		if err := s.Put(t.Context(), "a", strings.NewReader("x")); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("the error is %v", err)
		}
	}
}

// The second name node takes over, then the first one again.
func TestFailover(t *testing.T) {
	h := newCluster(t)
	standby := newCluster(t)
	standby.say = func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, 403, "StandbyException", "Operation category READ is not supported in state standby")
		return true
	}
	s := open(t, Config{Hosts: standby.host() + "," + h.host()})
	if err := s.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	standby.name.Close()
	if l, err := s.List(t.Context(), ""); err != nil || len(l) != 1 {
		t.Errorf("after one is gone: %v, %v", l, err)
	}
	h.name.Close()
	if _, err := s.List(t.Context(), ""); err == nil || checkpoint.Lost(err) {
		t.Errorf("after both are: %v", err)
	}
}

// A name node that takes connections and says nothing, as one that was stopped, is passed over as one that is gone.
func TestNameNodeThatSaysNothing(t *testing.T) {
	h, frozen := newCluster(t), newCluster(t)
	asked := make(chan struct{}) // whoever waits for the frozen one has lost patience
	frozen.say = func(_ http.ResponseWriter, r *http.Request) bool {
		asked <- struct{}{}
		<-r.Context().Done()
		return true
	}
	late := func(f func()) func() bool {
		over := make(chan struct{})
		go func() {
			select {
			case <-asked:
				f()
			case <-over:
			}
		}()
		return func() bool { close(over); return true }
	}
	s := open(t, Config{Hosts: frozen.host() + "," + h.host(), late: late})
	if err := s.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if at := s.c.at.Load(); at != 1 {
		t.Errorf("the name node at %d is asked first, want 1", at)
	}
	if _, err := Open(t.Context(), Config{Hosts: frozen.host(), Path: "/x", late: late}); err == nil || !strings.Contains(err.Error(), "has not answered within 20s") {
		t.Errorf("there is only a silent one: %v", err)
	}
}

// A name node notices late that a data node is gone: another one is asked for.
func TestAnotherDataNode(t *testing.T) {
	h := newCluster(t)
	s := open(t, Config{Hosts: h.host()})
	gone := httptest.NewServer(nil)
	h.gone = strings.TrimPrefix(gone.URL, "http://")
	gone.Close()
	if err := s.Put(t.Context(), "a/b", io.MultiReader(strings.NewReader("content"))); err != nil {
		t.Error(err)
	}
	r, err := s.Get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "content" {
		t.Errorf("it reads %q, %v", b, err)
	}
}

// A name node sends on to data nodes over HTTP, and nowhere else.
func TestRedirects(t *testing.T) {
	for _, to := range []string{"file:///etc/passwd", "ftp://host/x", "/relative", "", "http://", "gopher://x", "::"} {
		h := newCluster(t)
		s := open(t, Config{Hosts: h.host()})
		h.say = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}
		if _, err := s.Get(t.Context(), "a"); err == nil {
			t.Errorf("sent to %q it reads", to)
		}
		if _, err := s.List(t.Context(), ""); err == nil {
			t.Errorf("a list may come from %q", to)
		}
	}
	h := newCluster(t)
	s := open(t, Config{Hosts: h.host()})
	s.c.scheme = "https"
	h.data.Close()
	r := &http.Response{Header: http.Header{"Location": {"http://data/x"}}, StatusCode: http.StatusTemporaryRedirect, Body: http.NoBody}
	s.c.http.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return r, nil })
	if _, err := s.Get(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "want https") {
		t.Errorf("from TLS to none: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestErrors(t *testing.T) {
	h := newCluster(t)
	s := open(t, Config{Hosts: h.host()})
	for _, c := range []struct {
		status             int
		exception, message string
		want               error
	}{
		{403, "DSQuotaExceededException", "", checkpoint.ErrFull},
		{403, "NSQuotaExceededException", "", checkpoint.ErrFull},
		{500, "RemoteException", "File x could only be written to 0 of the 1 minReplication nodes", checkpoint.ErrFull},
		{404, "FileNotFoundException", "", checkpoint.ErrNotFound},
		{403, "AccessControlException", "", nil},
		{401, "SecurityException", "", nil},
		{403, "SafeModeException", "", nil},
	} {
		h.say = func(w http.ResponseWriter, _ *http.Request) bool {
			refuse(w, c.status, c.exception, c.message)
			return true
		}
		_, err := s.Get(t.Context(), "a")
		if err == nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && (checkpoint.Lost(err) || errors.Is(err, checkpoint.ErrFull)) {
			t.Errorf("%s is %v", c.exception, err)
		}
	}
	h.say = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Write([]byte("<html>a proxy"))
		return true
	}
	if _, err := s.List(t.Context(), ""); err == nil {
		t.Error("a page passes for a list")
	}
}

func TestLeftoversOfCrashesGo(t *testing.T) {
	h := newCluster(t)
	at := "/user/storm/checkpoints/.tmp/"
	h.dirs[strings.TrimSuffix(at, "/")] = true
	h.files[at+"old"] = &file{nil, time.Now().Add(-2 * stale)}
	h.files[at+"new"] = &file{nil, time.Now()}
	open(t, Config{Hosts: h.host()})
	if h.files[at+"old"] != nil || h.files[at+"new"] == nil {
		t.Errorf("left are %v", h.files)
	}
}

func TestOpenRefuses(t *testing.T) {
	h := newCluster(t)
	for _, c := range []Config{
		{Hosts: ""}, {Hosts: "host"}, {Hosts: "a:1,b"}, {Hosts: "a/b:1"}, {Hosts: "u@h:1"}, {Hosts: "127.0.0.1:1", Path: "/x"},
		{Hosts: h.host(), Path: "relative"}, {Hosts: h.host(), Path: "/"}, {Hosts: h.host(), Path: "/a/../.."},
	} {
		if _, err := Open(t.Context(), c); err == nil {
			t.Errorf("%+v opens", c)
		}
	}
}

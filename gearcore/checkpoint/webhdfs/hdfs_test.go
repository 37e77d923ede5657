//go:build long

package webhdfs

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
	"github.com/gearstorm/gearstorm/internal/hdfstest"
)

// hdfs is a real cluster and what is tested with it.
type hdfs struct {
	*hdfstest.Cluster
	stores atomic.Int32
}

// The store in a real HDFS. The parts follow each other on one cluster, which the last of them breaks.
func TestHDFS(t *testing.T) {
	h := &hdfs{Cluster: hdfstest.New(t)}
	suite := func(at *hdfstest.Node) func(t *testing.T) {
		return func(t *testing.T) {
			storetest.RunPaged(t, hdfstest.Page, func(t *testing.T) checkpoint.Store { return h.open(t, at) })
		}
	}
	r := storetest.Real{Server: "hdfs"}
	r.Run(t, "suite", suite(h.NameNode))
	if err := h.StartGateway(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Run(t, "suite-by-httpfs", suite(h.Gateway))
	h.Gateway.Kill()
	r.Run(t, "owner-and-permissions", h.whoseFiles)
	r.Run(t, "blocks-on-disks", h.redirects)
	r.Run(t, "other-users-refused", h.notAllowed)
	r.Run(t, "quotas-and-room", h.full)
	r.Run(t, "directory-removed", h.directoryRemoved)
	r.Run(t, "writer-killed", h.writerKilled)
	r.Run(t, "data-node-killed-in-a-commit", h.dataNodeKilled)
	r.Run(t, "name-node-killed-in-a-commit", h.nameNodeKilled)
	r.Run(t, "data-node-down", h.dataNodeDown)
}

// open opens a new store of the ordinary user.
func (h *hdfs) open(t *testing.T, at *hdfstest.Node, change ...func(*Config)) *Store {
	t.Helper()
	c := Config{Hosts: at.Addr(), User: hdfstest.User, Path: fmt.Sprintf("/user/%s/%d", hdfstest.User, h.stores.Add(1))}
	for _, f := range change {
		f(&c)
	}
	return open(t, c)
}

// watched has a function see every request and its answer.
func watched(see func(*http.Request, *http.Response)) func(*Config) {
	return func(c *Config) {
		c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			a, err := http.DefaultTransport.RoundTrip(r)
			if err == nil {
				see(r, a)
			}
			return a, err
		})
	}
}

// Files and directories are the user's alone, whom user.name says.
func (h *hdfs) whoseFiles(t *testing.T) {
	s := h.open(t, h.NameNode)
	if err := s.PutIfAbsent(t.Context(), "a/b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "a", "a/b"} {
		var said struct {
			FileStatus struct{ Owner, Permission string }
		}
		if err := s.c.op(t.Context(), http.MethodGet, s.at(name), "GETFILESTATUS", nil, &said); err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{true: "600", false: "700"}[name == "a/b"]
		if f := said.FileStatus; f.Owner != hdfstest.User || f.Permission != want {
			t.Errorf("%q is %+v, want %s", name, f, want)
		}
	}
}

// What is put goes through a data node, on to its disk.
func (h *hdfs) redirects(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]string{} // op at a host
	s := h.open(t, h.NameNode, watched(func(r *http.Request, _ *http.Response) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Host != h.NameNode.Addr() {
			asked[r.URL.Query().Get("op")] = r.URL.Host
		}
	}))
	put := func() {
		if err := s.Put(t.Context(), "a", strings.NewReader(strings.Repeat("x", 3<<20))); err != nil {
			t.Fatal(err)
		}
	}
	put()
	synced := func() (n int64) {
		var said struct {
			Beans []struct{ FsyncCount, BlocksWritten int64 } `json:"beans"`
		}
		node := "http://" + asked["CREATE"] + "/jmx?qry=Hadoop:service=DataNode,name=DataNodeActivity*"
		if err := h.Ask(t.Context(), http.MethodGet, node, &said); err != nil || len(said.Beans) != 1 {
			t.Fatalf("the data node says %+v, %v", said, err)
		}
		return said.Beans[0].FsyncCount
	}
	before := synced()
	put()
	for end := time.Now().Add(time.Minute); synced()-before < 3; time.Sleep(100 * time.Millisecond) { // what it says is some seconds old
		if time.Now().After(end) {
			t.Fatalf("of files of 3 blocks the data node synced %d, then %d", before, synced())
		}
	}
	r, err := s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if len(asked) != 2 || asked["CREATE"] == "" || asked["OPEN"] == "" {
		t.Errorf("beside the name node were asked %v", asked)
	}
}

// Another user has no way in, and is told what to do.
func (h *hdfs) notAllowed(t *testing.T) {
	s := h.open(t, h.NameNode)
	if err := s.PutIfAbsent(t.Context(), "a/b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	other := &Store{c: newClient(Config{User: "other"}, s.c.hosts), root: s.root, made: map[string]bool{"a": true}}
	_, opened := Open(t.Context(), Config{Hosts: h.NameNode.Addr(), User: "other", Path: s.root})
	_, got := other.Get(t.Context(), "a/b")
	_, listed := other.List(t.Context(), "")
	for op, err := range map[string]error{
		"open": opened, "get": got, "list": listed, "put": other.Put(t.Context(), "a/c", strings.NewReader("x")),
		"put if absent": other.PutIfAbsent(t.Context(), "a/c", nil), "delete": other.Delete(t.Context(), "a/b"),
	} {
		if err == nil || checkpoint.Lost(err) || errors.Is(err, checkpoint.ErrFull) || errors.Is(err, checkpoint.ErrExists) {
			t.Errorf("%s: %v", op, err)
		} else if text := err.Error(); !strings.Contains(text, "user=other") || !strings.Contains(text, "webhdfs://user@") {
			t.Errorf("%s does not say who is not allowed and what to do: %v", op, err)
		}
	}
}

// Quotas and data nodes without room: the store is full, and takes writes again when it is not.
func (h *hdfs) full(t *testing.T) {
	large := false
	s := h.open(t, h.NameNode, func(c *Config) {
		c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if large && r.URL.Query().Get("op") == "CREATE" {
				r = r.Clone(r.Context())
				r.URL.RawQuery += "&blocksize=1000000000000000" // more than any node has
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	})
	put := func() error { return s.Put(t.Context(), "a/b", strings.NewReader(strings.Repeat("x", 2<<20))) }
	if err := put(); err != nil {
		t.Fatal(err)
	}
	quota := func(kind, n string) {
		if err := h.As(t.Context(), hdfstest.Superuser, s.root, "SETQUOTA", url.Values{kind: {n}}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what, advice string) {
		t.Helper()
		if err := put(); !errors.Is(err, checkpoint.ErrFull) || !strings.Contains(err.Error(), advice) {
			t.Errorf("%s: %v", what, err)
		}
	}
	quota("namespacequota", "4")
	check("no more files", "quota")
	if err := s.PutIfAbsent(t.Context(), "a/c", []byte("x")); !errors.Is(err, checkpoint.ErrFull) {
		t.Errorf("no more records: %v", err)
	}
	quota("namespacequota", "1000")
	quota("storagespacequota", "3000000")
	check("no more bytes", "quota")
	quota("storagespacequota", "-1") // none
	large = true
	if err := put(); err == nil || checkpoint.Lost(err) || !strings.Contains(err.Error(), "none has room") {
		t.Errorf("no node has room: %v", err)
	}
	large = false
	if err := put(); err != nil {
		t.Errorf("after that: %v", err)
	}
	if l, err := s.list(t.Context(), tmp); err != nil || len(l) != 0 {
		t.Errorf("left are %v, %v", l, err)
	}
}

// A directory that somebody removed is made again; a put that fails for it is not an object that is lost.
func (h *hdfs) directoryRemoved(t *testing.T) {
	s := h.open(t, h.NameNode)
	put := func() error { return s.Put(t.Context(), "a/b", strings.NewReader("x")) }
	if err := put(); err != nil {
		t.Fatal(err)
	}
	if err := s.yes(t.Context(), http.MethodDelete, s.at("a"), "DELETE", url.Values{"recursive": {"true"}}); err != nil {
		t.Fatal(err)
	}
	if err := put(); err == nil || checkpoint.Lost(err) {
		t.Errorf("into a directory that is gone: %v", err)
	}
	if err := put(); err != nil {
		t.Errorf("and again: %v", err)
	}
}

// writerKilled: half a file is there, under no object's name, and open. Whoever finds it later can remove it at once.
func (h *hdfs) writerKilled(t *testing.T) {
	at := h.open(t, h.NameNode).root
	storetest.KilledWriter(t, 3<<20, func(t *testing.T, via http.RoundTripper) checkpoint.Store {
		return h.open(t, h.NameNode, func(c *Config) { c.Path, c.Transport = at, via })
	})
	s := h.open(t, h.NameNode, func(c *Config) { c.Path = at })
	left, err := s.list(t.Context(), tmp)
	if err != nil || len(left) != 1 {
		t.Fatalf("left are %v, %v", left, err)
	}
	s.drop(t.Context(), path.Join(tmp, left[0].PathSuffix))
	if left, err = s.list(t.Context(), tmp); err != nil || len(left) != 0 {
		t.Errorf("after that are left %v, %v", left, err)
	}
}

// crash is a test in which something is killed while commits are under way.
func (h *hdfs) crash(kill func(), restart func(t *testing.T)) storetest.Crash {
	return storetest.Crash{
		Open: func(t *testing.T, via http.RoundTripper) checkpoint.Store {
			return h.open(t, h.NameNode, func(c *Config) { c.Transport = via })
		},
		Names: func(r *http.Request) bool {
			q := r.URL.Query()
			return q.Get("op") == "RENAME" && path.Base(path.Dir(q.Get("destination"))) == "log"
		},
		Kill:    kill,
		Restart: restart,
	}
}

func (h *hdfs) restart(t *testing.T, n *hdfstest.Node) {
	t.Helper()
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// dataNodeKilled kills the data node while commits are under way: what is being written is half written.
func (h *hdfs) dataNodeKilled(t *testing.T) {
	c := h.crash(h.DataNode.Kill, func(t *testing.T) { h.restart(t, h.DataNode) })
	c.Lives = true
	c.Run(t)
}

// nameNodeKilled kills the name node while commits are under way, and has it come back without its data node first.
func (h *hdfs) nameNodeKilled(t *testing.T) {
	quiet := h.quiet(t)
	h.crash(h.NameNode.Kill, func(t *testing.T) {
		h.DataNode.Kill()
		h.restart(t, h.NameNode)
		h.safeMode(t, quiet)
		h.restart(t, h.DataNode)
	}).Run(t)
}

// quiet is a store with one object, of which nothing is wanted while something is down.
func (h *hdfs) quiet(t *testing.T) *Store {
	t.Helper()
	s := h.open(t, h.NameNode)
	if err := s.PutIfAbsent(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	return s
}

// safeMode: nothing can be written, which is neither a loss nor a full store.
func (h *hdfs) safeMode(t *testing.T, s *Store) {
	_, opened := Open(t.Context(), Config{Hosts: h.NameNode.Addr(), User: hdfstest.User, Path: s.root + "-new"})
	for what, err := range map[string]error{
		"open": opened, "put if absent": s.PutIfAbsent(t.Context(), "new/x", nil), "delete": s.Delete(t.Context(), "a"),
	} {
		if err == nil || checkpoint.Lost(err) || errors.Is(err, checkpoint.ErrFull) || errors.Is(err, checkpoint.ErrExists) {
			t.Errorf("%s in safe mode: %v", what, err)
		} else if text := err.Error(); !strings.Contains(text, "SafeModeException") || !strings.Contains(text, "-safemode leave") {
			t.Errorf("%s does not speak of the safe mode: %v", what, err)
		}
	}
	if l, err := s.List(t.Context(), ""); err != nil || len(l) != 1 {
		t.Errorf("a list in safe mode: %v, %v", l, err)
	}
}

// dataNodeDown: the only data node is gone and the name node does not know it yet. Content can be neither written nor read, and nothing is lost.
func (h *hdfs) dataNodeDown(t *testing.T) {
	s := h.quiet(t)
	h.DataNode.Kill()
	_, got := s.Get(t.Context(), "a")
	for what, err := range map[string]error{
		"get": got, "put": s.Put(t.Context(), "x", strings.NewReader("x")), "put if absent": s.PutIfAbsent(t.Context(), "x", []byte("x")),
	} {
		if err == nil || checkpoint.Lost(err) || errors.Is(err, checkpoint.ErrFull) || errors.Is(err, checkpoint.ErrExists) {
			t.Errorf("%s: %v", what, err)
		} else if text := err.Error(); !strings.Contains(text, "at data node 127.0.0.1:") || !strings.Contains(text, "has to be reached") {
			t.Errorf("%s does not say which data node: %v", what, err)
		}
	}
	if l, err := s.List(t.Context(), ""); err != nil || len(l) != 1 {
		t.Errorf("a list without it: %v, %v", l, err)
	}
}

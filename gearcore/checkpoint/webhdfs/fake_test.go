package webhdfs

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
	"time"
)

// cluster is a name node and a data node in memory, as far as a store needs them.
type cluster struct {
	t          *testing.T
	name, data *httptest.Server
	// plain is that it knows no options of renames, like a gateway.
	plain bool
	// want are parameters that each request to the name node has to have.
	want url.Values
	// gone is the address of a data node that the name node still sends to, unless it is told that this one is gone.
	gone string
	// say, if not nil, may answer in place of the name node.
	say func(w http.ResponseWriter, r *http.Request) bool

	mu    sync.Mutex
	files map[string]*file
	dirs  map[string]bool
}

type file struct {
	content  []byte
	modified time.Time
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t, files: map[string]*file{}, dirs: map[string]bool{"/": true}}
	c.name = httptest.NewServer(http.HandlerFunc(c.nameNode))
	c.data = httptest.NewServer(http.HandlerFunc(c.dataNode))
	t.Cleanup(c.name.Close)
	t.Cleanup(c.data.Close)
	return c
}

func (c *cluster) host() string { return strings.TrimPrefix(c.name.URL, "http://") }

func say(w http.ResponseWriter, v any) { json.NewEncoder(w).Encode(v) }

func refuse(w http.ResponseWriter, status int, exception, message string) {
	w.WriteHeader(status)
	say(w, map[string]any{"RemoteException": map[string]string{"exception": exception, "message": message}})
}

func (c *cluster) nameNode(w http.ResponseWriter, r *http.Request) {
	if c.say != nil && c.say(w, r) {
		return
	}
	q := r.URL.Query()
	for k := range c.want {
		if q.Get(k) != c.want.Get(k) {
			refuse(w, 401, "SecurityException", "who are you?")
			return
		}
	}
	at, ok := strings.CutPrefix(r.URL.Path, "/webhdfs/v1")
	if !ok {
		http.NotFound(w, r)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	yes := func(b bool) { say(w, map[string]bool{"boolean": b}) }
	switch r.Method + " " + q.Get("op") {
	case "PUT CREATE":
		if c.files[at] != nil && q.Get("overwrite") != "true" {
			refuse(w, 403, "FileAlreadyExistsException", at)
			return
		}
		c.sendOn(w, r)
	case "GET OPEN":
		if c.files[at] == nil {
			refuse(w, 404, "FileNotFoundException", at)
			return
		}
		c.sendOn(w, r)
	case "PUT MKDIRS":
		for d := at; d != "/"; d = path.Dir(d) {
			c.dirs[d] = true
		}
		yes(true)
	case "PUT RENAME":
		c.rename(w, at, q.Get("destination"), q.Get("renameoptions"))
	case "DELETE DELETE":
		was := c.files[at] != nil
		delete(c.files, at)
		yes(was)
	case "GET GETFILESTATUS":
		if f := c.files[at]; f != nil {
			say(w, map[string]any{"FileStatus": status{Type: "FILE", Length: int64(len(f.content))}})
		} else {
			refuse(w, 404, "FileNotFoundException", at)
		}
	case "GET LISTSTATUS":
		c.list(w, at)
	default:
		refuse(w, 400, "UnsupportedOperationException", r.URL.String())
	}
}

// sendOn sends a client on to a data node.
func (c *cluster) sendOn(w http.ResponseWriter, r *http.Request) {
	to := c.data.URL
	if host, _, err := net.SplitHostPort(c.gone); err == nil && r.URL.Query().Get("excludedatanodes") != host {
		to = "http://" + c.gone
	}
	http.Redirect(w, r, to+r.URL.RequestURI(), http.StatusTemporaryRedirect)
}

func (c *cluster) rename(w http.ResponseWriter, from, to, option string) {
	f, known := c.files[from], option != "" && !c.plain
	switch {
	case f == nil && known:
		refuse(w, 404, "FileNotFoundException", from)
	case (c.files[to] != nil || c.dirs[to]) && known && option != "OVERWRITE":
		refuse(w, 403, "FileAlreadyExistsException", to)
	case f == nil || !c.dirs[path.Dir(to)] || c.files[to] != nil && !known:
		say(w, map[string]bool{"boolean": false})
	default:
		delete(c.files, from)
		c.files[to] = f
		if !known {
			say(w, map[string]bool{"boolean": true})
		}
	}
}

func (c *cluster) list(w http.ResponseWriter, at string) {
	out := []status{}
	if f := c.files[at]; f != nil {
		out = append(out, status{Type: "FILE", Length: int64(len(f.content))})
	} else if !c.dirs[at] {
		refuse(w, 404, "FileNotFoundException", at)
		return
	}
	for name, f := range c.files {
		if path.Dir(name) == at {
			out = append(out, status{path.Base(name), "FILE", int64(len(f.content)), f.modified.UnixMilli()})
		}
	}
	for name := range c.dirs {
		if path.Dir(name) == at && name != at {
			out = append(out, status{PathSuffix: path.Base(name), Type: "DIRECTORY"})
		}
	}
	say(w, map[string]any{"FileStatuses": map[string]any{"FileStatus": out}})
}

func (c *cluster) dataNode(w http.ResponseWriter, r *http.Request) {
	at := strings.TrimPrefix(r.URL.Path, "/webhdfs/v1")
	if r.Method == http.MethodGet {
		c.mu.Lock()
		f := c.files[at]
		c.mu.Unlock()
		if f == nil {
			refuse(w, 404, "FileNotFoundException", at)
			return
		}
		w.Write(f.content)
		return
	}
	if r.Header.Get("Content-Type") != "application/octet-stream" {
		refuse(w, 400, "HttpFSException", "content type")
		return
	}
	b, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files[at] = &file{b, time.Now()} // half a file too is there
	if err == nil {
		w.WriteHeader(http.StatusCreated)
	}
}

// Package webhdfs keeps checkpoints in HDFS, over its REST interface: name nodes themselves or an HttpFS gateway.
//
// An object is a file of its name. It is written under another name and gets its own by a rename, which does not replace what
// is there unless it is told to: of several callers one gets the name. Files and directories are the user's alone.
package webhdfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// Config says where a store is and who uses it.
type Config struct {
	// Hosts are name nodes or gateways as host:port, with commas between; whichever is in charge is used.
	Hosts string
	// Secure is that they speak TLS.
	Secure bool
	// Path is the directory of the store.
	Path string
	// User is who a cluster without Kerberos shall take us for. Delegation, for one with it, says the delegation token, in its URL form, and is
	// asked before every request; nil, or "": none.
	User       string
	Delegation func() string
	// Transport makes the requests; nil: one of the store's own.
	Transport http.RoundTripper

	late func(f func()) (stop func() bool) // calls f after patience; set by tests
}

// tmp is where files are written before they get their names. No name of an object begins like this.
const tmp = ".tmp"

// stale is how old a file there is when nobody can be writing it any more.
const stale = 48 * time.Hour

// Store is a checkpoint.Store in a directory of HDFS.
type Store struct {
	c    *client
	root string // without a "/" at its end
	mu   sync.Mutex
	made map[string]bool // directories that were there
}

var _ checkpoint.Store = (*Store)(nil)

// Open makes the directory, if need be, and removes what crashed writers left there long ago.
func Open(ctx context.Context, c Config) (*Store, error) {
	hosts := strings.Split(c.Hosts, ",")
	for _, h := range hosts {
		if host, port, err := net.SplitHostPort(h); err != nil || host == "" || port == "" || strings.ContainsAny(h, "/@?#% ") {
			return nil, fmt.Errorf("checkpoint store in HDFS at %q: want host:port, or several with commas between", c.Hosts)
		}
	}
	root := path.Clean(c.Path)
	if !strings.HasPrefix(root, "/") || root == "/" || strings.ContainsAny(root, ":\x00") {
		return nil, fmt.Errorf("checkpoint store in HDFS in directory %q: want a path from the root on, below it", c.Path)
	}
	s := &Store{c: newClient(c, hosts), root: root, made: map[string]bool{}}
	err := s.makeDir(ctx, tmp)
	if err == nil {
		err = s.sweep(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open the checkpoint store in HDFS directory %s: %w", root, err)
	}
	return s, nil
}

// Close lets connections go.
func (s *Store) Close() error {
	s.c.http.CloseIdleConnections()
	return nil
}

// status is one line of a list.
type status struct {
	PathSuffix       string `json:"pathSuffix"`
	Type             string `json:"type"`
	Length           int64  `json:"length"`
	ModificationTime int64  `json:"modificationTime"` // milliseconds
}

func (s *Store) at(name string) string { return path.Join(s.root, name) }

// makeDir makes a directory below the root, with those above it.
func (s *Store) makeDir(ctx context.Context, dir string) error {
	s.mu.Lock()
	made := s.made[dir]
	s.mu.Unlock()
	if made {
		return nil
	}
	if err := s.yes(ctx, http.MethodPut, s.at(dir), "MKDIRS", url.Values{"permission": {"700"}}); err != nil {
		return err
	}
	s.mu.Lock()
	s.made[dir] = true
	s.mu.Unlock()
	return nil
}

var errNo = errors.New("HDFS says no")

// yes makes a request whose answer is true or false, or empty for true.
func (s *Store) yes(ctx context.Context, method, at, op string, params url.Values) error {
	var said struct{ Boolean *bool }
	if err := s.c.op(ctx, method, at, op, params, &said); err != nil {
		return err
	}
	if said.Boolean != nil && !*said.Boolean {
		return fmt.Errorf("%s: %w", op, errNo)
	}
	return nil
}

func (s *Store) sweep(ctx context.Context) error {
	list, err := s.list(ctx, tmp)
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.Type == "FILE" && time.Since(time.UnixMilli(f.ModificationTime)) > stale {
			s.drop(ctx, path.Join(tmp, path.Base(f.PathSuffix))) // another process may do the same
		}
	}
	return nil
}

// drop removes a file, if it can.
func (s *Store) drop(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.yes(ctx, http.MethodDelete, s.at(name), "DELETE", nil)
}

// Put implements checkpoint.Store.
func (s *Store) Put(ctx context.Context, name string, content io.Reader) error {
	return s.write(ctx, name, content, s.replace)
}

// PutIfAbsent implements checkpoint.Store.
func (s *Store) PutIfAbsent(ctx context.Context, name string, content []byte) error {
	return s.write(ctx, name, bytes.NewReader(content), s.place)
}

// write writes a file under another name and gives it its own.
func (s *Store) write(ctx context.Context, name string, content io.Reader, give func(ctx context.Context, from, to string) error) (err error) {
	if err := checkpoint.CheckName(name); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("put %s: %w", name, err)
		}
	}()
	dir := path.Dir(name)
	if err := s.makeDir(ctx, dir); err != nil {
		return err
	}
	var id [12]byte
	rand.Read(id[:])
	from := path.Join(tmp, hex.EncodeToString(id[:]))
	defer func() {
		if err != nil {
			s.drop(ctx, from)
		}
	}()
	r, err := s.c.redirected(ctx, http.MethodPut, s.at(from), "CREATE", creation, content)
	if err != nil {
		return err
	}
	r.Body.Close()
	err = give(ctx, from, name)
	if errors.Is(err, checkpoint.ErrNotFound) { // the directory is gone, or a request before was carried out: no object was looked for
		s.forget(dir)
		return fmt.Errorf("%v", err)
	}
	return err
}

// creation has a file made for its user alone, and asks for each block to be on the disks of its data nodes before it counts as written: else it
// may be in their memory only. Gateways do not know that flag.
var creation = url.Values{"overwrite": {"false"}, "permission": {"600"}, "createflag": {"CREATE,SYNC_BLOCK"}}

// forget has a directory made anew by the next write to it.
func (s *Store) forget(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.made, dir)
}

// place renames a file to a name that nothing has. Name nodes that know the option do not move it into a directory of that name
// either, and say why not; others only say no.
func (s *Store) place(ctx context.Context, from, to string) error {
	err := s.yes(ctx, http.MethodPut, s.at(from), "RENAME", url.Values{"destination": {s.at(to)}, "renameoptions": {"NONE"}})
	if !errors.Is(err, errNo) {
		return err
	}
	if _, there := s.status(ctx, to); there == nil {
		return checkpoint.ErrExists
	}
	return err
}

// replace renames a file to a name that something may have.
func (s *Store) replace(ctx context.Context, from, to string) error {
	params := url.Values{"destination": {s.at(to)}, "renameoptions": {"OVERWRITE"}}
	err := s.yes(ctx, http.MethodPut, s.at(from), "RENAME", params)
	if !errors.Is(err, errNo) {
		return err
	}
	if err := s.yes(ctx, http.MethodDelete, s.at(to), "DELETE", nil); err != nil {
		return err
	}
	return s.yes(ctx, http.MethodPut, s.at(from), "RENAME", params)
}

func (s *Store) status(ctx context.Context, name string) (status, error) {
	var said struct{ FileStatus status }
	err := s.c.op(ctx, http.MethodGet, s.at(name), "GETFILESTATUS", nil, &said)
	return said.FileStatus, err
}

// Get implements checkpoint.Store.
func (s *Store) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkpoint.CheckName(name); err != nil {
		return nil, err
	}
	r, err := s.c.redirected(ctx, http.MethodGet, s.at(name), "OPEN", nil, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	return r.Body, nil
}

func (s *Store) list(ctx context.Context, dir string) ([]status, error) {
	var said struct {
		FileStatuses struct{ FileStatus []status }
	}
	err := s.c.op(ctx, http.MethodGet, s.at(dir), "LISTSTATUS", nil, &said)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return nil, nil
	}
	return said.FileStatuses.FileStatus, err
}

// List implements checkpoint.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]checkpoint.Object, error) {
	if err := checkpoint.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	var out []checkpoint.Object
	if err := s.walk(ctx, strings.TrimSuffix(prefix, "/"), &out); err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	slices.SortFunc(out, func(a, b checkpoint.Object) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// walk adds what is in a directory. What does not look like a part of a name is not an object's.
func (s *Store) walk(ctx context.Context, dir string, out *[]checkpoint.Object) error {
	list, err := s.list(ctx, dir)
	if err != nil {
		return err
	}
	for _, f := range list {
		name := path.Join(dir, f.PathSuffix) // a file that is listed itself has no suffix
		if f.PathSuffix == "" || strings.Contains(f.PathSuffix, "/") || checkpoint.CheckName(name) != nil {
			continue
		}
		if f.Type == "FILE" {
			*out = append(*out, checkpoint.Object{Name: name, Bytes: f.Length})
		} else if err := s.walk(ctx, name, out); err != nil {
			return err
		}
	}
	return nil
}

// Delete implements checkpoint.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := checkpoint.CheckName(name); err != nil {
		return err
	}
	err := s.yes(ctx, http.MethodDelete, s.at(name), "DELETE", nil)
	if err != nil && !errors.Is(err, errNo) && !errors.Is(err, checkpoint.ErrNotFound) {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

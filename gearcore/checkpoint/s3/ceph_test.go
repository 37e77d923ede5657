//go:build long

package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
	"github.com/gearstorm/gearstorm/internal/cephtest"
)

// ceph is a real service of S3 and what is tested with it.
type ceph struct {
	*cephtest.Cluster
	stores atomic.Int32
}

// The store in Ceph's gateway. The parts follow each other on one cluster.
func TestCeph(t *testing.T) {
	c := &ceph{Cluster: cephtest.New(t)}
	r := storetest.Real{Server: "ceph"}
	r.Run(t, "suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) checkpoint.Store { return open(t, c.config(nil)) })
	})
	r.Run(t, "parts", c.parts)
	r.Run(t, "prefixes", c.prefixes)
	r.Run(t, "opened-by-many", c.openedByMany)
	r.Run(t, "refused", c.refused)
	r.Run(t, "writer-killed", c.writerKilled)
	r.Run(t, "gateway-killed-in-a-commit", func(t *testing.T) { c.killed(t, c.KillGateway) })
	r.Run(t, "all-killed-in-a-commit", func(t *testing.T) { c.killed(t, c.Kill) })
}

func keys() Keys { return Keys{Access: cephtest.AccessKey, Secret: cephtest.SecretKey} }

// config is that of an empty store.
func (c *ceph) config(via http.RoundTripper) Config {
	return Config{Bucket: cephtest.Bucket, Prefix: fmt.Sprint("store-", c.stores.Add(1)), Endpoint: c.URL(), Keys: keys, Transport: via}
}

// What goes in parts is one object, of which all is what was put.
func (c *ceph) parts(t *testing.T) {
	v := checkpoint.NewVault(open(t, c.config(nil)), "t", 1)
	content := bytes.Repeat([]byte("0123456789abcdef"), (2*partSize+single)/16)
	f, err := v.Put(t.Context(), "large", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	in, err := v.Get(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(in); err != nil || !bytes.Equal(got.Bytes(), content) {
		t.Errorf("%d bytes of %d came back, or others: %v", got.Len(), len(content), err)
	}
}

// Two stores in a bucket do not see each other.
func (c *ceph) prefixes(t *testing.T) {
	conf := c.config(nil)
	a := open(t, conf)
	conf.Prefix += "0"
	b := open(t, conf)
	for _, s := range []*Store{a, b} {
		if err := s.PutIfAbsent(t.Context(), "x", []byte("y")); err != nil {
			t.Error(err)
		}
		if l, err := s.List(t.Context(), ""); err != nil || len(l) != 1 || l[0].Name != "x" {
			t.Errorf("%s has %v, %v", s.prefix, l, err)
		}
	}
}

// Many may open an empty store at a time: each finds out that puts are conditional, and nothing of that is an object.
func (c *ceph) openedByMany(t *testing.T) {
	conf := c.config(nil)
	opened := make(chan error)
	const many = 8
	for range many {
		go func() {
			_, err := Open(t.Context(), conf)
			opened <- err
		}()
	}
	for range many {
		if err := <-opened; err != nil {
			t.Error(err)
		}
	}
	if l, err := open(t, conf).List(t.Context(), ""); err != nil || len(l) != 0 {
		t.Errorf("there is %v, %v", l, err)
	}
}

// Nobody gets in with wrong keys or to a bucket that is not there, and the error says which it was.
func (c *ceph) refused(t *testing.T) {
	for _, r := range []struct {
		code, text string
		change     func(*Config)
	}{
		{"SignatureDoesNotMatch", "signature", func(c *Config) { c.Keys = func() Keys { return Keys{Access: cephtest.AccessKey, Secret: "another"} } }},
		{"InvalidAccessKeyId", "access key", func(c *Config) { c.Keys = func() Keys { return Keys{Access: "nobody", Secret: cephtest.SecretKey} } }},
		{"NoSuchBucket", "bucket missing", func(c *Config) { c.Bucket = "missing" }},
	} {
		conf := c.config(nil)
		r.change(&conf)
		var said minio.ErrorResponse
		_, err := Open(t.Context(), conf)
		if !errors.As(err, &said) || said.Code != r.code || checkpoint.Lost(err) || !strings.Contains(err.Error(), r.text) {
			t.Errorf("%s: %v", r.code, err)
		}
	}
}

// writerKilled: of what goes in parts some are there, which are no object.
func (c *ceph) writerKilled(t *testing.T) {
	conf := c.config(nil)
	storetest.KilledWriter(t, single+partSize+partSize/2, func(t *testing.T, via http.RoundTripper) checkpoint.Store {
		conf.Transport = via
		return open(t, conf)
	})
}

// killed has something killed while commits are under way.
func (c *ceph) killed(t *testing.T, kill func()) {
	storetest.Crash{
		Open: func(t *testing.T, via http.RoundTripper) checkpoint.Store { return open(t, c.config(via)) },
		Names: func(q *http.Request) bool {
			return q.Method == http.MethodPut && path.Base(path.Dir(q.URL.Path)) == "log"
		},
		Kill: kill,
		Restart: func(t *testing.T) {
			if err := c.Restart(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
		},
	}.Run(t)
}

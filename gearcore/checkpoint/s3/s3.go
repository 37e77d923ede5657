// Package s3 keeps checkpoints in a bucket of S3 or of a store that speaks its protocol.
//
// The store has to honour conditional puts (If-None-Match: *), by which coordinators are kept apart, of several at a time too: S3 does, and others
// do. Open tries it and refuses a store that does not. The bucket has to be there.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// Config says where a store is and who uses it.
type Config struct {
	Bucket string
	// Prefix is put before all names, with a "/" between; "": none.
	Prefix string
	// Endpoint is the URL of the service; default https://s3.amazonaws.com.
	Endpoint string
	// Region is the bucket's; "": it is asked for.
	Region string
	// Keys, if not nil, says the user's keys now; it is asked before every request. Where it says none they are taken from where Amazon's programs
	// take them: the environment, the user's file, the machine's role.
	Keys func() Keys
	// Transport makes the requests; nil: one of the store's own.
	Transport http.RoundTripper
}

const (
	// single is up to which size an object is put by one request, in bytes. Larger ones go in parts.
	single = 8 << 20
	// partSize is that of all parts but the last; there are at most 10,000.
	partSize = 16 << 20
	// probe is an object by which conditional puts are tried. It is no object of the store: no name begins like this.
	probe = ".conditional-put"
)

// unsigned leaves the content out of signatures: what is in a checkpoint store has checksums of its own, and TLS is what protects it on its way.
var unsigned = minio.PutObjectOptions{PartSize: partSize, DisableContentSha256: true}

// Store is a checkpoint.Store in a bucket.
type Store struct {
	core   minio.Core
	bucket string
	prefix string // with a "/" at its end, or empty
}

var _ checkpoint.Store = (*Store)(nil)

// Open reaches the store and tries whether it honours conditional puts.
func Open(ctx context.Context, c Config) (*Store, error) {
	client, err := connect(&c)
	if err != nil {
		return nil, fmt.Errorf("checkpoint store in bucket %s: %w", c.Bucket, err)
	}
	s := &Store{core: minio.Core{Client: client}, bucket: c.Bucket}
	if c.Prefix != "" {
		s.prefix = c.Prefix + "/"
	}
	if err := s.try(ctx); err != nil {
		return nil, fmt.Errorf("try checkpoint store in bucket %s at %s: %w", c.Bucket, c.Endpoint, err)
	}
	return s, nil
}

func connect(c *Config) (*minio.Client, error) {
	if c.Prefix != "" {
		if err := checkpoint.CheckName(c.Prefix); err != nil {
			return nil, err
		}
	}
	if c.Endpoint == "" {
		c.Endpoint = "https://s3.amazonaws.com"
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return nil, fmt.Errorf("endpoint %q: want http:// or https:// and a host", c.Endpoint)
	}
	return minio.New(u.Host, &minio.Options{Creds: credentials.New(newProvider(c.Keys)), Secure: u.Scheme == "https", Region: c.Region, Transport: c.Transport})
}

// Close is there for symmetry with other stores: nothing is held.
func (s *Store) Close() error { return nil }

// Put implements checkpoint.Store.
func (s *Store) Put(ctx context.Context, name string, content io.Reader) error {
	if err := checkpoint.CheckName(name); err != nil {
		return err
	}
	var first bytes.Buffer
	n, err := io.CopyN(&first, content, single)
	switch {
	case errors.Is(err, io.EOF):
		_, err = s.core.Client.PutObject(ctx, s.bucket, s.prefix+name, bytes.NewReader(first.Bytes()), n, unsigned) // which can be sent again
	case err == nil:
		_, err = s.core.Client.PutObject(ctx, s.bucket, s.prefix+name, io.MultiReader(&first, content), -1, unsigned)
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", name, kind(err))
	}
	return nil
}

// PutIfAbsent implements checkpoint.Store. It may return ErrExists for an object that it wrote itself, if the answer to a first request was lost.
func (s *Store) PutIfAbsent(ctx context.Context, name string, content []byte) error {
	if err := checkpoint.CheckName(name); err != nil {
		return err
	}
	if err := s.putIfAbsent(ctx, name, content); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

func (s *Store) putIfAbsent(ctx context.Context, name string, content []byte) error {
	o := unsigned
	o.DisableMultipart = true
	o.SetMatchETagExcept("*")
	_, err := s.core.Client.PutObject(ctx, s.bucket, s.prefix+name, bytes.NewReader(content), int64(len(content)), o)
	return kind(err)
}

// Get implements checkpoint.Store.
func (s *Store) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkpoint.CheckName(name); err != nil {
		return nil, err
	}
	r, _, _, err := s.core.GetObject(ctx, s.bucket, s.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, kind(err))
	}
	return r, nil
}

// List implements checkpoint.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]checkpoint.Object, error) {
	if err := checkpoint.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	all, end := context.WithCancel(ctx)
	defer end() // the channel is left then
	var out []checkpoint.Object
	for o := range s.core.Client.ListObjects(all, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}) {
		if o.Err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, kind(o.Err))
		}
		if name := strings.TrimPrefix(o.Key, s.prefix); checkpoint.CheckName(name) == nil {
			out = append(out, checkpoint.Object{Name: name, Bytes: o.Size})
		}
	}
	return out, nil
}

// Delete implements checkpoint.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := checkpoint.CheckName(name); err != nil {
		return err
	}
	err := s.remove(ctx, name)
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// kind puts the errors of package checkpoint in place of the service's.
func kind(err error) error {
	if err == nil {
		return nil
	}
	r := minio.ToErrorResponse(err)
	switch {
	case r.Code == minio.PreconditionFailed:
		return fmt.Errorf("%w: %w", checkpoint.ErrExists, err)
	case r.Code == minio.NoSuchKey:
		return fmt.Errorf("%w: %w", checkpoint.ErrNotFound, err)
	case r.StatusCode == http.StatusInsufficientStorage, strings.Contains(r.Code, "QuotaExceeded"), r.Code == "XMinioStorageFull":
		return fmt.Errorf("%w: %w", checkpoint.ErrFull, err)
	}
	return err
}

// Package stores opens a checkpoint store by its URL.
package stores

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/dir"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/s3"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/webhdfs"
)

// Store is a checkpoint.Store that is to be closed.
type Store interface {
	checkpoint.Store
	Close() error
}

// Open opens a store:
//
//	file:///path                       a directory of this machine, or of a file system that all machines share
//	s3://bucket/prefix                 a bucket of S3; ?endpoint=https://host:port for another service, &region=
//	webhdfs://user@host:port/path      a directory of HDFS over HTTP, swebhdfs over TLS; ?standby=host:port,... for more name nodes
//
// Nothing but a bucket need be there yet.
func Open(ctx context.Context, at string) (Store, error) {
	return OpenWith(ctx, at, func() Secrets { return Secrets{} })
}

// OpenWith is Open with secrets, which are asked for whenever they are needed, by any goroutine: they may change.
func OpenWith(ctx context.Context, at string, secrets func() Secrets) (Store, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, errors.New("the checkpoint store's URL cannot be read") // it may have a password where none belongs
	}
	if _, password := u.User.Password(); password || u.Fragment != "" || u.Opaque != "" {
		return nil, fmt.Errorf("checkpoint store %s: a password, a fragment or a path without / has no place there", u.Redacted())
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || u.RawQuery != "" || u.User != nil {
			return nil, fmt.Errorf("checkpoint store %q: want file:///path", at)
		}
		return opened(dir.Open(u.Path))
	case "s3":
		q, err := query(u, "endpoint", "region")
		if err != nil {
			return nil, err
		}
		if u.User != nil || u.Port() != "" {
			return nil, fmt.Errorf("checkpoint store %q: want s3://bucket/prefix", at)
		}
		return opened(s3.Open(ctx, s3.Config{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), Endpoint: q.Get("endpoint"), Region: q.Get("region"),
			Keys: func() s3.Keys { return secrets().S3 }}))
	case "webhdfs", "swebhdfs":
		q, err := query(u, "standby")
		if err != nil {
			return nil, err
		}
		hosts := u.Host
		if more := q.Get("standby"); more != "" {
			hosts += "," + more
		}
		return opened(webhdfs.Open(ctx, webhdfs.Config{Hosts: hosts, Secure: u.Scheme == "swebhdfs", Path: u.Path, User: u.User.Username(),
			Delegation: func() string { return secrets().Delegation }}))
	}
	return nil, fmt.Errorf("checkpoint store %q: its scheme is not known; file, s3, webhdfs and swebhdfs are", at)
}

// query returns a URL's parameters, of which only some are known.
func query(u *url.URL, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("checkpoint store %q: %w", u, err)
	}
	for k := range q {
		if !slices.Contains(known, k) {
			return nil, fmt.Errorf("checkpoint store %q: parameter %s is not known; %s are", u, k, strings.Join(known, ", "))
		}
	}
	return q, nil
}

// opened keeps a nil store from becoming one that is not nil.
func opened[S Store](s S, err error) (Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

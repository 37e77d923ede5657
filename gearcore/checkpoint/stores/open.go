// Package stores opens a checkpoint store by its URL.
package stores

import (
	"context"
	"fmt"
	"net/url"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/dir"
)

// Store is a checkpoint.Store that is to be closed.
type Store interface {
	checkpoint.Store
	Close() error
}

// Open opens a store:
//
//	file:///path    a directory of this machine, or of a file system that all machines share
//
// Nothing need be there yet. Secrets are no part of a URL.
func Open(_ context.Context, at string) (Store, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, fmt.Errorf("checkpoint store %q is no URL", at)
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return nil, fmt.Errorf("checkpoint store %q: want file:///path", at)
		}
		return dir.Open(u.Path)
	}
	return nil, fmt.Errorf("checkpoint store %q: its scheme is not known; file is", at)
}

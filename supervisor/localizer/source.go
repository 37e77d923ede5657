package localizer

import (
	"context"
	"errors"
	"io"
)

// ErrNoBlob is what a Source returns, wrapped or not, for a key that does not exist.
var ErrNoBlob = errors.New("no such blob")

// Source is where blobs come from: the master. Its methods are called by many goroutines.
type Source interface {
	// BlobVersion gives the version a blob has now.
	BlobVersion(ctx context.Context, key string) (int64, error)
	// ReadBlob writes a blob to w and gives the version written. It fails before more than most bytes were written.
	ReadBlob(ctx context.Context, key string, w io.Writer, most int64) (int64, error)
}

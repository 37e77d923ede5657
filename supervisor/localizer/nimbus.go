package localizer

import (
	"context"
	"fmt"
	"io"

	"github.com/gearstorm/gearstorm/nimbus/client"
)

// FromNimbus is the Source of a node: the leading Nimbus. The client stays the caller's.
func FromNimbus(c *client.Client) Source { return nimbus{c} }

type nimbus struct{ c *client.Client }

func (n nimbus) BlobVersion(ctx context.Context, key string) (int64, error) {
	meta, err := n.c.Nimbus().GetBlobMeta(ctx, key)
	if err != nil {
		return 0, sorted(err)
	}
	return meta.Version, nil
}

func (n nimbus) ReadBlob(ctx context.Context, key string, w io.Writer, most int64) (int64, error) {
	blob, err := n.c.DownloadBlob(ctx, key, w, most)
	return blob.Version, sorted(err)
}

func sorted(err error) error {
	if client.KindOf(err) == client.KeyNotFound {
		return fmt.Errorf("%w: %w", ErrNoBlob, err)
	}
	return err
}

package nimbus

import (
	"context"
	"errors"
	"fmt"

	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// BeginFileUpload implements stormrpc.Nimbus. The location is a token; it is no path.
func (n *Nimbus) BeginFileUpload(ctx context.Context) (string, error) {
	if err := n.lead(); err != nil {
		return "", err
	}
	if err := n.may(ctx, "fileUpload", "", nil); err != nil {
		return "", err
	}
	return n.blobs.BeginUpload()
}

// UploadChunk implements stormrpc.Nimbus.
func (n *Nimbus) UploadChunk(ctx context.Context, location string, chunk []byte) error {
	if err := n.may(ctx, "fileUpload", "", nil); err != nil {
		return err
	}
	if err := n.blobs.WriteUpload(location, chunk); err != nil {
		return sessionError(fmt.Errorf("upload to %q: %w", location, err))
	}
	return nil
}

// FinishFileUpload implements stormrpc.Nimbus.
func (n *Nimbus) FinishFileUpload(ctx context.Context, location string) error {
	if err := n.may(ctx, "fileUpload", "", nil); err != nil {
		return err
	}
	if err := n.blobs.FinishUpload(location); err != nil {
		return sessionError(fmt.Errorf("finish upload to %q: %w", location, err))
	}
	return nil
}

// sessionError makes the answer to a use of a session that is not there one whose reason callers see.
func sessionError(err error) error {
	if !errors.Is(err, blobstore.ErrNoSession) {
		return err
	}
	return errors.Join(&wire.Refusal{Reason: client.ReasonSession,
		Text: "this upload or listing is not known: it was idle for too long, or began with a nimbus that leads no longer; begin it again"}, err)
}

// DownloadChunk implements stormrpc.Nimbus: the call that began such downloads is gone, so no id is known.
func (n *Nimbus) DownloadChunk(ctx context.Context, id string) ([]byte, error) {
	if err := n.may(ctx, "fileDownload", "", nil); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("download of %q: there is no call that begins one", id)
}

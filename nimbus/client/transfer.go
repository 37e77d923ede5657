package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Chunk sizes of Storm's Java client: of a topology jar, and of a blob (storm.blobstore.inputstream.buffer.size.bytes).
const (
	jarChunk  = 307200
	blobChunk = 65536
)

// Progress is told how many bytes were transferred so far, after each chunk, by the goroutine that transfers. A nil
// Progress is fine.
type Progress func(bytes int64)

func (p Progress) tell(bytes int64) {
	if p != nil {
		p(bytes)
	}
}

// Upload sends a topology jar and returns the location to submit it under, which means something to Nimbus only. It reads
// r to its end. After an error nothing is left to clean up: Nimbus drops unfinished uploads.
func (c *Client) Upload(ctx context.Context, r io.Reader, progress Progress) (location string, err error) {
	nimbus := c.Nimbus()
	location, err = nimbus.BeginFileUpload(ctx)
	if err != nil {
		return "", fmt.Errorf("begin upload: %w", err)
	}
	err = inChunks(r, jarChunk, progress, func(chunk []byte) error { return nimbus.UploadChunk(ctx, location, chunk) })
	if err != nil {
		return "", fmt.Errorf("upload: %w", err)
	}
	if err := nimbus.FinishFileUpload(ctx, location); err != nil {
		return "", fmt.Errorf("finish upload: %w", err)
	}
	return location, nil
}

// UploadFile is [Client.Upload] of the file at path.
func (c *Client) UploadFile(ctx context.Context, path string, progress Progress) (location string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("upload: %w", err)
	}
	defer f.Close()
	return c.Upload(ctx, f, progress)
}

// CreateBlob makes a new blob of what r holds; it fails with a KeyAlreadyExistsException when there is one of that key.
func (c *Client) CreateBlob(ctx context.Context, key string, meta *stormrpc.SettableBlobMeta, r io.Reader, progress Progress) error {
	session, err := c.Nimbus().BeginCreateBlob(ctx, key, meta)
	if err != nil {
		return fmt.Errorf("create blob %s: %w", key, err)
	}
	return c.fillBlob(ctx, key, session, r, progress)
}

// UpdateBlob replaces what the blob holds; it fails with a KeyNotFoundException when there is none of that key.
func (c *Client) UpdateBlob(ctx context.Context, key string, r io.Reader, progress Progress) error {
	session, err := c.Nimbus().BeginUpdateBlob(ctx, key)
	if err != nil {
		return fmt.Errorf("update blob %s: %w", key, err)
	}
	return c.fillBlob(ctx, key, session, r, progress)
}

func (c *Client) fillBlob(ctx context.Context, key, session string, r io.Reader, progress Progress) error {
	nimbus := c.Nimbus()
	err := inChunks(r, blobChunk, progress, func(chunk []byte) error { return nimbus.UploadBlobChunk(ctx, session, chunk) })
	if err != nil {
		// Nimbus would drop the session later; what went wrong is the error to report.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		nimbus.CancelBlobUpload(cleanup, session)
		return fmt.Errorf("upload blob %s: %w", key, err)
	}
	if err := nimbus.FinishBlobUpload(ctx, session); err != nil {
		return fmt.Errorf("finish blob %s: %w", key, err)
	}
	if err := nimbus.CreateStateInZookeeper(ctx, key); err != nil {
		return fmt.Errorf("announce blob %s: %w", key, err)
	}
	return nil
}

// inChunks sends what r holds in chunks of size bytes, the last one shorter. Each chunk is valid during the call only.
func inChunks(r io.Reader, size int, progress Progress, send func(chunk []byte) error) error {
	chunk := make([]byte, size)
	for sent := int64(0); ; {
		n, err := io.ReadFull(r, chunk)
		if n > 0 {
			if err := send(chunk[:n]); err != nil {
				return fmt.Errorf("chunk at byte %d: %w", sent, err)
			}
			sent += int64(n)
			progress.tell(sent)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("read byte %d: %w", sent, err)
		}
	}
}

// Errors of a download.
var (
	ErrBlobTooLarge = errors.New("blob is larger than allowed")
	ErrBlobSize     = errors.New("blob is not as long as announced")
)

// A Blob is what a download turned out to be.
type Blob struct {
	Version int64 // differs whenever the content differs
	Size    int64
}

// DownloadBlob writes the blob of that key to w. It stops with [ErrBlobTooLarge] before more than limit bytes were
// written (a negative limit is none), and fails with [ErrBlobSize] when the blob turns out shorter or longer than
// announced. After an error w may hold a part.
func (c *Client) DownloadBlob(ctx context.Context, key string, w io.Writer, limit int64) (Blob, error) {
	blob, err := c.download(ctx, key, w, limit)
	if err != nil {
		return blob, fmt.Errorf("download blob %s: %w", key, err)
	}
	return blob, nil
}

func (c *Client) download(ctx context.Context, key string, w io.Writer, limit int64) (Blob, error) {
	nimbus := c.Nimbus()
	begun, err := nimbus.BeginBlobDownload(ctx, key)
	if err != nil {
		return Blob{}, err
	}
	blob := Blob{Version: begun.Version}
	if limit >= 0 && begun.GetDataSize() > limit {
		return blob, fmt.Errorf("%w: %d bytes, limit %d", ErrBlobTooLarge, begun.GetDataSize(), limit)
	}
	for {
		chunk, err := nimbus.DownloadBlobChunk(ctx, begun.Session)
		if err != nil {
			return blob, fmt.Errorf("chunk at byte %d: %w", blob.Size, err)
		}
		if len(chunk) == 0 {
			break
		}
		if limit >= 0 && blob.Size+int64(len(chunk)) > limit {
			return blob, fmt.Errorf("%w: limit %d", ErrBlobTooLarge, limit)
		}
		n, err := w.Write(chunk)
		blob.Size += int64(n)
		if err != nil {
			return blob, err
		}
	}
	if begun.IsSetDataSize() && blob.Size != begun.GetDataSize() {
		return blob, fmt.Errorf("%w: %d of %d bytes", ErrBlobSize, blob.Size, begun.GetDataSize())
	}
	return blob, nil
}

package outbox

import (
	"context"
	"errors"
	"io"
)

// Target is where batches become visible. Its calls come one at a time. Errors that are not named here, and panics, are tried again, or fail the
// restore.
type Target interface {
	// Claim takes the identity over from whoever had it, who publishes nothing from now on, and returns the number of the newest
	// batch that was published under it, and whether that is known. If it is not, and first is set, 0 is remembered.
	Claim(ctx context.Context, id string, first bool) (published uint64, known bool, err error)
	// Publish makes b visible under an identity that was claimed, all or nothing, and remembers its number.
	Publish(ctx context.Context, id string, b Batch) error
	// Settle ends what a Publish that failed may have left under way and returns the number of the newest batch published.
	// ErrFenced: another has the identity.
	Settle(ctx context.Context, id string) (published uint64, err error)
	// Release says that the identity is not used any more.
	Release(id string)
}

// Refresher is a Target that forgets what it remembers of an identity of which nothing is heard for long.
type Refresher interface {
	// Refresh has it keep in mind what was published. It is called at every checkpoint that counts when nothing is left to publish, and seldom does
	// something. ErrFenced: another has the identity.
	Refresh(ctx context.Context, id string) error
}

// Errors of a Target.
var (
	ErrFenced  = errors.New("another task has taken this one's place")
	ErrUnknown = errors.New("the target does not know what was published")
)

// Batch is the records of an epoch, or of several where checkpoints were given up.
type Batch struct {
	Number uint64
	Epoch  uint64
	Count  int64
	open   func() (io.ReadCloser, error)
}

// Read calls f for each record, in order, until f returns an error. A record is valid until f returns.
func (b Batch) Read(f func(record []byte) error) error {
	in, err := b.open()
	if err != nil {
		return err
	}
	defer in.Close()
	for r := newRecords(in); ; {
		rec, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(rec); err != nil {
			return err
		}
	}
}

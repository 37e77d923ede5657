package outbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// Bounds of what is written into the checkpoint itself rather than into files, in bytes: of a batch, and of all of a task's.
const (
	inlineBatch = 4 << 10
	inlineAll   = 24 << 10
)

// part is a task's part in a checkpoint.
type part struct {
	ID      string      `json:"id"`
	Next    uint64      `json:"next"`
	Batches []batchPart `json:"batches,omitempty"`
}

// batchPart is a batch in it: Content, or the file at File in the part's files.
type batchPart struct {
	Number  uint64 `json:"number"`
	Epoch   uint64 `json:"epoch"`
	Count   int64  `json:"count"`
	Content []byte `json:"content,omitempty"`
	File    int    `json:"file,omitempty"`
}

// frozen is the batches that are not published.
type frozen struct {
	id        string
	next      uint64
	epoch     uint64
	committed uint64
	batches   []*batch
}

// Save implements gearcore.Frozen.
func (f *frozen) Save(ctx context.Context, to gearcore.Vault) (gearcore.Part, error) {
	defer f.Drop()
	out := gearcore.Part{Note: "nothing waits"}
	p := part{ID: f.id, Next: f.next}
	inline, records := int64(0), int64(0)
	for _, b := range f.batches {
		bp := batchPart{Number: b.number, Epoch: b.epoch, Count: b.spool.count}
		records += bp.Count
		if n := b.spool.bytes(); n <= inlineBatch && inline+n <= inlineAll {
			inline += n
			bp.Content, _ = io.ReadAll(b.spool.reader())
		} else {
			file, err := b.put(ctx, to, f)
			if err != nil {
				return gearcore.Part{}, fmt.Errorf("save batch %d: %w", b.number, err)
			}
			bp.File = len(out.Files)
			out.Files = append(out.Files, file)
		}
		p.Batches = append(p.Batches, bp)
	}
	if len(f.batches) > 0 {
		out.Note = fmt.Sprintf("%d records to publish, batches %d to %d", records, f.batches[0].number, f.next-1)
	}
	var err error
	out.Inline, err = json.Marshal(p)
	if len(out.Inline) > gearcore.MaxInline && err == nil {
		err = fmt.Errorf("%d batches wait to be published: their list is longer than %d bytes", len(p.Batches), gearcore.MaxInline)
	}
	return out, err
}

// put writes the batch into a file, unless one that a checkpoint keeps that counts holds it.
func (b *batch) put(ctx context.Context, to gearcore.Vault, f *frozen) (gearcore.File, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fileOf > 0 && b.fileOf <= f.committed {
		return b.file, nil
	}
	file, err := to.Put(ctx, "outbox", b.spool.reader())
	if err == nil && f.epoch > b.fileOf { // the part of an earlier checkpoint, which was given up, may be written last
		b.file, b.fileOf = file, f.epoch
	}
	return file, err
}

// Drop implements gearcore.Frozen.
func (f *frozen) Drop() {
	for _, b := range f.batches {
		b.spool.release()
	}
}

// export is the batch as a Target sees it.
func (b *batch) export() Batch {
	return Batch{Number: b.number, Epoch: b.epoch, Count: b.spool.count,
		open: func() (io.ReadCloser, error) { return io.NopCloser(b.spool.reader()), nil }}
}

// export is a batch of a checkpoint as a Target sees it.
func (b batchPart) export(ctx context.Context, from gearcore.Vault, files []gearcore.File) Batch {
	return Batch{Number: b.Number, Epoch: b.Epoch, Count: b.Count, open: func() (io.ReadCloser, error) {
		if b.Content != nil {
			return io.NopCloser(bytes.NewReader(b.Content)), nil
		}
		if b.File < 0 || b.File >= len(files) {
			return nil, fmt.Errorf("%w: batch %d is in file %d of %d", ErrDamaged, b.Number, b.File, len(files))
		}
		return from.Get(ctx, files[b.File])
	}}
}

// Restore makes the box what it was at the checkpoint, for gearcore.Checkpointed: what counts and was not published is published now. id is this
// task's identity; target takes the place of the one before.
func (b *Box) Restore(r *gearcore.Recovery, id string, target Target) error {
	b.loop.Stop()
	b.forget()
	b.target, b.id, b.next, b.committed = target, id, 1, 0
	ctx, cancel := context.WithTimeout(context.Background(), b.opts.RestoreTimeout)
	defer cancel()
	claimed := false
	for _, tp := range r.Parts {
		if !connect.Mine(tp.Index, r.Index, r.Tasks) || len(tp.Inline) == 0 {
			continue
		}
		var p part
		if err := json.Unmarshal(tp.Inline, &p); err != nil || p.ID == "" {
			return connect.Misfit(tp.Task, err)
		}
		next, err := b.finish(ctx, r.Vault, p, tp.Files)
		if err != nil {
			return fmt.Errorf("restore the part of task %d: %w", tp.Task, err)
		}
		if p.ID == id {
			claimed, b.next = true, next
		} else {
			target.Release(p.ID)
		}
	}
	if !claimed {
		published, _, err := target.Claim(ctx, id, true)
		if err != nil {
			return fmt.Errorf("claim %s: %w", id, err)
		}
		b.next = published + 1
	}
	b.loop.Start(b.publish, b.report)
	return nil
}

// finish publishes what was not of a former task's part and returns the number to go on with.
func (b *Box) finish(ctx context.Context, from gearcore.Vault, p part, files []gearcore.File) (next uint64, err error) {
	published, err := b.claim(ctx, p)
	if err != nil {
		return 0, fmt.Errorf("claim %s: %w", p.ID, err)
	}
	for _, bp := range p.Batches {
		if bp.Number <= published {
			continue
		}
		if err := b.insist(ctx, p.ID, bp.export(ctx, from, files)); err != nil {
			return 0, fmt.Errorf("publish batch %d of epoch %d: %w", bp.Number, bp.Epoch, err)
		}
		published = bp.Number
	}
	return max(p.Next, published+1), nil
}

// publishTries is how often a restore tries to publish one batch.
const publishTries = 5

// insist publishes a batch, if it fails more than once.
func (b *Box) insist(ctx context.Context, id string, batch Batch) (err error) {
	for range publishTries {
		if err = b.target.Publish(ctx, id, batch); err == nil {
			return nil
		}
		settled, serr := b.target.Settle(ctx, id)
		if serr != nil {
			return errors.Join(err, serr)
		}
		if settled >= batch.Number {
			return nil
		}
	}
	return err
}

// claim claims the identity of a part and returns the newest number of it that is not to be published again.
func (b *Box) claim(ctx context.Context, p part) (uint64, error) {
	published, known, err := b.target.Claim(ctx, p.ID, len(p.Batches) == 0 || b.opts.Lost != LostFail)
	switch {
	case err != nil || known || len(p.Batches) == 0:
		return published, err
	case b.opts.Lost == LostSkip:
		return p.Next - 1, nil
	case b.opts.Lost == LostPublish:
		return 0, nil
	}
	return 0, fmt.Errorf("%w: batches %d to %d of the checkpoint may be there or not; Lost says what to do, publish or skip", ErrUnknown, p.Batches[0].Number, p.Next-1)
}

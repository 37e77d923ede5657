package state

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/gearstorm/gearstorm/gearcore"
)

// A Store on disk writes its segments as pebble reads them: behind the header is a sorted file (keys and values as in disk.go; deletions are
// deletions there). So a Store that is restored onto a disk copies them and takes them in, without a look at a single entry, unless they have groups of
// others, or tables that are not what they were.

// sortedFile is what the header of a sorted segment says of the file behind it.
type sortedFile struct {
	Bytes int64  `json:"bytes"`
	Sum   uint32 `json:"sum"` // CRC-32C
	First uint16 `json:"first"`
	Last  uint16 `json:"last"` // group
}

// sortedSegments writes the records into files, each with all records of its groups.
func (f *frozen) sortedSegments(ctx context.Context, to gearcore.Vault, m *merged) (files []use, err error) {
	var made memoryWritable
	for i, j := 0, 0; i < len(m.order); i = j {
		j = m.groupsFrom(i, f.chain.lim.segment)
		made.buf.Reset()
		if err := writeSorted(&made, *f.form, m.view(i, j), func(int) uint32 { return f.header.Seq }); err != nil {
			return nil, err
		}
		body := made.buf.Bytes()
		h := f.header
		h.Sorted = &sortedFile{int64(len(body)), crc32.Checksum(body, castagnoli), recGroup(m.record(i)), recGroup(m.record(j - 1))}
		in := io.MultiReader(bytes.NewReader(appendHeader(nil, h)), bytes.NewReader(body))
		file, err := to.Put(ctx, "state", in)
		if err != nil {
			return nil, err
		}
		if n, err := in.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			return nil, fmt.Errorf("the checkpoint store took only a part of a file, %s", file.Name)
		}
		files = append(files, f.use(file, h.Sorted.First, h.Sorted.Last))
	}
	return files, nil
}

// groupsFrom returns where the group ends with which the records from i on are limit bytes.
func (m *merged) groupsFrom(i int, limit int64) int {
	size := int64(0)
	for g := -1; i < len(m.order); i++ {
		rec := m.record(i)
		if own := int(recGroup(rec)); own != g {
			if size >= limit {
				return i
			}
			g = own
		}
		size += int64(len(rec))
	}
	return i
}

// memoryWritable takes a sorted file in memory.
type memoryWritable struct{ buf bytes.Buffer }

func (w *memoryWritable) Write(p []byte) error {
	_, err := w.buf.Write(p)
	return err
}

func (*memoryWritable) Finish() error { return nil }
func (*memoryWritable) Abort()        {}

// fits reports whether a sorted file is of groups and tables of the Store alone, written as the Store writes them.
func (r *reading) fits() bool {
	h := &r.seg.header
	if r.src.inline != nil || h.Seq != r.src.use.seq || int(h.Sorted.First) < r.src.first || int(h.Sorted.Last) > r.src.last {
		return false
	}
	for own, t := range r.tables {
		if t.to == nil || t.id != own || !t.same {
			return false
		}
	}
	return true
}

// copyTo copies the sorted file to a file of d, and compares checksums.
func (r *reading) copyTo(ctx context.Context, d *disk, path string) (err error) {
	f, err := d.opts.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return r.copy(ctx, f)
}

// inMemory returns the sorted file.
func (r *reading) inMemory(ctx context.Context) (vfs.File, error) {
	var buf bytes.Buffer
	if err := r.copy(ctx, &buf); err != nil {
		return nil, err
	}
	return vfs.NewMemFile(buf.Bytes()), nil
}

func (r *reading) copy(ctx context.Context, to io.Writer) error {
	sum, buf := uint32(0), make([]byte, fileBuffer)
	for left := r.seg.header.Sorted.Bytes; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(left, int64(len(buf)))]
		if err := readFull(r.in, b); err != nil {
			return err
		}
		sum = crc32.Update(sum, castagnoli, b)
		if _, err := to.Write(b); err != nil {
			return err
		}
		left -= int64(len(b))
	}
	if sum != r.seg.header.Sorted.Sum {
		return fmt.Errorf("%w: the checksum of its sorted file is wrong", ErrCorrupt)
	}
	return r.end()
}

// sortedOptions are those by which sorted files are read.
var sortedOptions = func() sstable.ReaderOptions {
	var o pebble.Options
	o.EnsureDefaults()
	return o.MakeReaderOptions()
}()

// openSorted reads a sorted file. With the reader f is closed.
func openSorted(ctx context.Context, f vfs.File) (*sstable.Reader, error) {
	in, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	file, err := sstable.NewReader(ctx, in, sortedOptions)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrCorrupt, err), in.Close())
	}
	return file, nil
}

// sorted calls f with the records of a sorted file, as records does, and closes it.
func (r *reading) sorted(ctx context.Context, in vfs.File, keep bool, f func(t *incoming) error) error {
	file, err := openSorted(ctx, in)
	if err != nil {
		return err
	}
	if err := errors.Join(r.span(ctx, file, nil, nil, keep, f), file.Close()); err != nil {
		return err
	}
	r.done()
	return nil
}

// takeHot takes from a sorted file, which is closed then, what is in memory always.
func (r *reading) takeHot(ctx context.Context, in vfs.File) error {
	file, err := openSorted(ctx, in)
	if err != nil {
		return err
	}
	for own, t := range r.tables {
		if t.hot && err == nil {
			err = r.span(ctx, file, binary.BigEndian.AppendUint16(nil, own), binary.BigEndian.AppendUint16(nil, own+1), false, func(t *incoming) error {
				return t.to.take(t.recs, r.src.use.seq)
			})
		}
	}
	r.done()
	return errors.Join(err, file.Close())
}

// span calls f with the records of a sorted file whose keys there are from lower to before upper.
func (r *reading) span(ctx context.Context, file *sstable.Reader, lower, upper []byte, keep bool, f func(t *incoming) error) (err error) {
	it, err := file.NewIter(sstable.NoTransforms, lower, upper, sstable.AssertNoBlobHandles)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var body []byte
	kv := it.First()
	if lower != nil {
		kv = it.SeekGE(lower, 0)
	}
	for ; kv != nil && err == nil; kv = it.Next() {
		if body, err = appendSorted(body, kv.K.UserKey, kv.Kind(), kv.Value); err == nil && len(body) >= blockBytes {
			err = cmp.Or(ctx.Err(), r.sortOut(body, f))
			if body = body[:0]; keep {
				body = nil
			}
		}
	}
	if err = cmp.Or(err, it.Error()); err == nil {
		err = r.sortOut(body, f)
	}
	return err
}

// appendSorted appends the record of what is in a sorted file.
func appendSorted(buf, key []byte, kind pebble.InternalKeyKind, value func([]byte) ([]byte, bool, error)) ([]byte, error) {
	if len(key) < diskHead || len(key) > diskHead+maxKey {
		return buf, fmt.Errorf("%w: a key of %d bytes", ErrCorrupt, len(key))
	}
	switch kind {
	case sstable.InternalKeyKindDelete:
		return appendDiskRecord(buf, key, flagGone, nil), nil
	case sstable.InternalKeyKindSet:
		val, _, err := value(nil)
		if err != nil {
			return buf, err
		}
		if len(val) < diskValue {
			return buf, fmt.Errorf("%w: a value of %d bytes", ErrCorrupt, len(val))
		}
		return appendDiskRecord(buf, key, val[diskValue-1], val[diskValue:]), nil
	}
	return buf, fmt.Errorf("%w: an entry of kind %v", ErrCorrupt, kind)
}

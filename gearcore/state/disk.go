package state

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk keeps in pebble what a Store has no room for in memory. It is scratch: checkpoints are made of pieces, and what a crash
// leaves of it is of no use. Nothing is therefore synced, there is no log, and no memtable either: a piece becomes a sorted file, which is taken in
// as it is. So a full disk is an error of the write that met it.
//
// A key is the table and the group in 2 bytes each, big endian, and the entry's key; a value is the piece it is of in 4 bytes, and what a
// record has from its flags on, but for the length and bytes of the key.
type disk struct {
	db    *pebble.DB
	dir   string
	lock  *os.File // held while the directory is in use
	opts  *pebble.Options
	form  sstable.WriterOptions // of sorted files that are made outside of pebble
	cache *pebble.Cache
	files int
	users atomic.Int32 // the Store, and what is frozen

	mu     sync.Mutex
	err    error
	failed chan struct{} // closed with err
}

const (
	diskHead  = 4 // bytes of a key before the entry's own: table and group
	diskValue = 5 // bytes of a value before what a record has behind its key: piece and flags
	// diskBlock is what is read for an entry, and unpacked in the last level, which has nine tenths of all there is; what is above it is soon
	// written again and not worth packing (docs/performance.md has what else was tried).
	diskBlock = 4 << 10
)

// openDisk makes an empty one in a new directory below dir.
func openDisk(dir string) (*disk, error) { return openDiskIn(vfs.Default, dir) }

func openDiskIn(fs vfs.FS, dir string) (*disk, error) {
	own, lock, err := newScratch(dir)
	if err != nil {
		return nil, err
	}
	d := &disk{dir: own, lock: lock, failed: make(chan struct{}), cache: blocks.take()}
	d.users.Store(1)
	d.opts = &pebble.Options{
		FS: scratch{fs}, Cache: d.cache, DisableWAL: true, MemTableSize: 1 << 20, MaxOpenFiles: 256,
		FormatMajorVersion: pebble.FormatNewest, Logger: diskLog{d}, L0CompactionThreshold: 8, L0StopWritesThreshold: 1 << 20,
		EventListener: &pebble.EventListener{BackgroundError: d.fail, DataCorruption: func(i pebble.DataCorruptionInfo) { d.fail(i.Details) }},
	}
	for i := range d.opts.Levels {
		d.opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		d.opts.Levels[i].BlockSize = diskBlock
		d.opts.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	last := &d.opts.Levels[len(d.opts.Levels)-1]
	last.Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	d.opts.EnsureDefaults()
	d.form = d.opts.MakeWriterOptions(0, d.opts.FormatMajorVersion.MaxTableFormat())
	err = d.run(func() (err error) {
		d.db, err = pebble.Open(filepath.Join(own, "db"), d.opts)
		return err
	})
	if err != nil {
		blocks.leave()
		return nil, errors.Join(err, removeScratch(own), lock.Close())
	}
	return d, nil
}

// fail notes the first error; everything later on the disk fails with it.
func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
		close(d.failed)
	}
}

func (d *disk) error() error {
	select {
	case <-d.failed:
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.err
	default:
		return nil
	}
}

// diskLog hears what pebble cannot go on with.
type diskLog struct{ d *disk }

func (diskLog) Infof(string, ...any)  {}
func (diskLog) Errorf(string, ...any) {}

// Fatalf must not return. It is for who writes, pebble's own goroutines and those of run, which just end; a panic there would be the end of the process.
// Who reads gets an error.
func (l diskLog) Fatalf(format string, args ...any) {
	l.d.fail(fmt.Errorf("pebble: "+format, args...))
	runtime.Goexit()
}

// scratch is a file system whose files nobody needs after a crash.
type scratch struct{ vfs.FS }

type scratchFile struct{ vfs.File }

func (s scratch) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return scratchFile{f}, nil
}

func (s scratch) OpenDir(name string) (vfs.File, error) {
	f, err := s.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return scratchFile{f}, nil
}

func (scratchFile) Sync() error                { return nil }
func (scratchFile) SyncData() error            { return nil }
func (scratchFile) SyncTo(int64) (bool, error) { return false, nil }

// run calls f, which may write, and returns when it is done or the disk has failed: pebble's calls do not come back from some failures.
func (d *disk) run(f func() error) error {
	if err := d.error(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err != nil {
			d.fail(err)
		}
		return err
	case <-d.failed:
		return d.error()
	}
}

// build writes the records of p as a file that can be taken in. seq is the piece that each of them is of.
func (d *disk) build(p *piece, path string, seq func(i int) uint32) (err error) {
	f, err := d.opts.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return writeSorted(&fileWritable{f, bufio.NewWriterSize(f, fileBuffer)}, d.form, p, seq)
}

// writeSorted writes the records of p as a sorted file.
func writeSorted(to objstorage.Writable, form sstable.WriterOptions, p *piece, seq func(i int) uint32) (err error) {
	w := sstable.NewWriter(to, form)
	defer func() { err = errors.Join(err, w.Close()) }()
	var key, val []byte
	for _, o := range p.sorted() {
		rec := p.record(p.refs[o.ref])
		key = appendDiskKey(key[:0], recTable(rec), recGroup(rec), recKey(rec))
		if recFlags(rec)&flagGone != 0 {
			err = w.Delete(key)
		} else {
			val = append(binary.LittleEndian.AppendUint32(val[:0], seq(int(o.ref))), recFlags(rec))
			val = append(val, rec[recordHead+len(recKey(rec)):]...)
			err = w.Set(key, val)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fileWritable writes a file that needs not be synced.
type fileWritable struct {
	vfs.File
	buf *bufio.Writer
}

// fileBuffer is what is written to a file at once.
const fileBuffer = 128 << 10

func (f *fileWritable) Write(p []byte) error {
	_, err := f.buf.Write(p)
	return err
}

func (f *fileWritable) Finish() error { return errors.Join(f.buf.Flush(), f.Close()) }
func (f *fileWritable) Abort()        { f.Close() }

// name is one for a file that will be taken in.
func (d *disk) name() string {
	d.files++
	return filepath.Join(d.dir, fmt.Sprintf("in-%d.sst", d.files))
}

// restored is a name for file i of segment n.
func (d *disk) restored(n, i int) string {
	return filepath.Join(d.dir, fmt.Sprintf("restore-%d-%d.sst", n, i))
}

// take takes a file in.
func (d *disk) take(path string) error {
	return d.run(func() error { return d.db.Ingest(context.Background(), []string{path}) })
}

// ingest makes pebble have what p says.
func (d *disk) ingest(p *piece, seq func(i int) uint32) error {
	if err := d.error(); err != nil || len(p.refs) == 0 {
		return err
	}
	path := d.name()
	if err := d.build(p, path, seq); err != nil {
		d.fail(err)
		return err
	}
	return d.take(path)
}

func appendDiskKey(buf []byte, table, group uint16, key []byte) []byte {
	buf = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(buf, table), group)
	return append(buf, key...)
}

// appendDiskRecord appends the record of what has that key in pebble: its flags, and what is behind its key.
func appendDiskRecord(buf, key []byte, flags byte, rest []byte) []byte {
	rec := append(buf, make([]byte, recordHead)...)
	rec = append(append(rec, key[diskHead:]...), rest...)
	head := rec[len(buf):]
	binary.LittleEndian.PutUint32(head, uint32(len(head)-4))
	binary.LittleEndian.PutUint16(head[4:], binary.BigEndian.Uint16(key[2:]))
	binary.LittleEndian.PutUint16(head[6:], binary.BigEndian.Uint16(key))
	head[8] = flags
	binary.LittleEndian.PutUint16(head[9:], uint16(len(key)-diskHead))
	return rec
}

// size is about what is in it.
func (d *disk) size() int64 {
	n, err := d.db.EstimateDiskUsage([]byte{0}, bytes.Repeat([]byte{0xff}, 8))
	if err != nil {
		return 0
	}
	return int64(n)
}

// release is called by each of its users; the last one deletes it.
func (d *disk) release() error {
	if d.users.Add(-1) > 0 {
		return nil
	}
	defer blocks.leave()
	var err error
	if d.error() == nil {
		err = d.run(d.db.Close)
	} else { // closing may never come to an end then
		go d.db.Close()
		d.empty()
	}
	return errors.Join(err, removeScratch(d.dir), d.lock.Close())
}

// empty gives back the space of files that a failed pebble may keep open for ever: the next disk needs it, and removing them does not.
func (d *disk) empty() {
	filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			os.Truncate(path, 0)
		}
		return nil
	})
}

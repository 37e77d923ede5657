package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/gearstorm/gearstorm/gearcore"
)

// cycle is a pass over all entries that writes again what is in segments older than it.
type cycle struct {
	since uint32 // the first piece that takes part; 0: there is no cycle
	table int
	slot  uint32
}

// frozen is the state at one moment.
type frozen struct {
	store  string
	epoch  uint64
	chain  *chain
	files  []use
	pieces []*piece
	bottom bool // deletions need not be remembered
	header segmentHeader
	form   *sstable.WriterOptions // of sorted segments; nil: of blocks
	count  int
	job    *turnJob
	era    int
}

// Freeze implements gearcore.Checkpointed. It takes time in proportion to what has changed since the last one.
func (s *Store) Freeze(epoch uint64) (_ gearcore.Frozen, err error) {
	defer Rescue(&err)
	if s.broken != nil {
		return nil, s.broken
	}
	for _, t := range s.tables {
		t.sweep(s.lim.sweep)
	}
	for _, key := range s.chain.takeExpired() {
		s.tables[binary.BigEndian.Uint16(key)].expire(key)
	}
	s.checkSize = true
	changed, err := s.cut(true)
	if err != nil {
		return nil, err
	}
	f := &frozen{store: s.cfg.Name, epoch: epoch, chain: s.chain, count: s.Len()}
	if s.disk != nil {
		f.job, f.form = s.coldTurn(changed), &s.disk.form
	}
	f.files, f.pieces, f.bottom, f.era = s.chain.capture()
	f.header = segmentHeader{First: s.first, Last: s.last}
	for _, t := range s.tables {
		f.header.Tables = append(f.header.Tables, t.describe())
	}
	return f, nil
}

// cut makes a piece of what has changed, and returns its size. With an error it holds what could be written, and the rest is still marked as changed.
func (s *Store) cut(turn bool) (bytes int64, err error) {
	p := &piece{first: s.chain.next, seq: s.chain.next}
	for _, t := range s.tables {
		if err == nil {
			err = t.collect(p)
		}
	}
	if s.disk != nil {
		if err := s.disk.ingest(p, func(int) uint32 { return p.seq }); err != nil {
			return 0, s.broke(err)
		}
	} else if err == nil && turn && p.bytes > 0 {
		err = s.turn(p)
	}
	if p.bytes > 0 {
		limit := int64(0)
		if s.disk != nil {
			limit = s.cfg.Memory
		}
		s.chain.add(p, s.liveBytes(), limit)
	}
	if err != nil {
		return 0, fmt.Errorf("state of %s: %w", s.cfg.Name, err)
	}
	return p.bytes, nil
}

// startOver has the next checkpoint name no segment of before: those have what Config.Forget drops, and would give it to a program that registers such a
// handle again.
func (s *Store) startOver() {
	c := s.chain
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.disk != nil {
		c.startOverLocked()
		return
	}
	c.files, c.pieces = nil, nil
	for _, t := range s.tables {
		t.renew()
	}
}

// renew makes all entries such that no piece has a record of.
func (t *table[K, V]) renew() {
	for i := range t.end {
		if e := t.at(i); e.flags&live != 0 {
			e.seq = 0
			e.flags |= dirty
			t.dirts = append(t.dirts, i)
		}
	}
}

func (s *Store) liveBytes() int64 {
	n := int64(0)
	for _, t := range s.tables {
		n += t.liveBytes()
	}
	return n
}

// turn goes on with the cycle, if there is or has to be one.
func (s *Store) turn(p *piece) (err error) {
	c := &s.cycle
	if c.since == 0 {
		named, files := s.chain.named()
		if named < s.liveBytes()*3/2+s.lim.slack && files <= s.lim.files {
			return nil
		}
		*c = cycle{since: p.seq}
	}
	budget := p.bytes*s.lim.cycleShare + s.lim.cycleLeast
	if named, files := s.chain.named(); named > s.liveBytes()*4+4*s.lim.slack || files > 4*s.lim.files {
		budget = math.MaxInt64 // rollbacks come before it gets to its end
	}
	for ; c.table < len(s.tables); c.table, c.slot = c.table+1, 0 {
		if c.slot, budget, err = s.tables[c.table].again(p, c.slot, c.since, budget); err != nil {
			return err
		}
		if budget <= 0 {
			return nil
		}
	}
	s.chain.raise(c.since)
	*c = cycle{}
	return nil
}

// Commit implements gearcore.Committer: call it when that checkpoint counts. Without it every checkpoint is as large as all
// that has changed since the last Restore.
func (s *Store) Commit(epoch uint64) { s.chain.commit(epoch) }

// Save implements gearcore.Frozen.
func (f *frozen) Save(ctx context.Context, to gearcore.Vault) (gearcore.Part, error) {
	defer f.Drop()
	part := gearcore.Part{Note: fmt.Sprintf("%d entries", f.count)}
	done := saved{epoch: f.epoch, era: f.era}
	if len(f.pieces) > 0 {
		m := merge(f.pieces, f.bottom)
		done.first, done.last = f.pieces[0].first, f.pieces[len(f.pieces)-1].seq
		f.header.Seq = done.last
		var err error
		if part.Inline, done.files, err = f.write(ctx, to, m); err != nil {
			return gearcore.Part{}, fmt.Errorf("save the state of %s: %w", f.store, err)
		}
	}
	if f.job != nil {
		var err error
		f.header.Seq = max(done.last, f.job.since)
		if done.base, done.turned, err = f.job.write(ctx, f, to); err != nil {
			return gearcore.Part{}, fmt.Errorf("save the state of %s: %w", f.store, err)
		}
	}
	for _, u := range f.files {
		part.Files = append(part.Files, u.file)
	}
	for _, u := range done.base {
		part.Files = append(part.Files, u.file)
	}
	for _, u := range done.files {
		done.bytes += u.file.Bytes
		part.Files = append(part.Files, u.file)
	}
	f.chain.keep(done)
	return part, nil
}

// Drop implements gearcore.Frozen: what was frozen stays in the chain and goes with the next checkpoint.
func (f *frozen) Drop() {
	f.pieces = nil
	f.release()
}

func (f *frozen) release() {
	if f.job != nil {
		f.job.release()
		f.job = nil
	}
}

// write puts the records into the Part if they are few, else into files.
func (f *frozen) write(ctx context.Context, to gearcore.Vault, m *merged) (inline []byte, files []use, err error) {
	if m.bytes > f.chain.lim.inline {
		files, err = f.segments(ctx, to, m)
		return nil, files, err
	}
	if w := newSegmentWriter(f.header, f.chain.lim.segment, m.each()); w.more() {
		var buf bytes.Buffer
		_, err = io.Copy(&buf, w)
		inline = buf.Bytes()
	}
	return inline, nil, err
}

// segments writes the records into files.
func (f *frozen) segments(ctx context.Context, to gearcore.Vault, m *merged) (files []use, err error) {
	if f.form != nil {
		return f.sortedSegments(ctx, to, m)
	}
	w := newSegmentWriter(f.header, f.chain.lim.segment, m.each())
	for w.more() {
		first := w.first
		file, err := to.Put(ctx, "state", w)
		if err != nil {
			return nil, err
		}
		if !w.done {
			return nil, fmt.Errorf("the checkpoint store took only a part of a file, %s", file.Name)
		}
		files = append(files, f.use(file, first, w.last))
	}
	return files, nil
}

// use is a segment that was just written, of these groups.
func (f *frozen) use(file gearcore.File, first, last uint16) use {
	file.First, file.Last = first, last
	u := use{file: file, seq: f.header.Seq, live: file.Bytes}
	u.file.Meta = u.meta()
	return u
}

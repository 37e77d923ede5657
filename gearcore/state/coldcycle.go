package state

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/gearstorm/gearstorm/gearcore"
)

// coldCycle is a cycle over what is in pebble. It goes on in the background, from a snapshot, and its progress counts when the checkpoint does that
// names what it wrote.
type coldCycle struct {
	since  uint32
	cursor []byte // where to go on
	full   bool   // all of it goes with one checkpoint, which has no other segments
}

// turnJob is a part of a cold cycle that goes with one checkpoint.
type turnJob struct {
	d      *disk
	snap   *pebble.Snapshot
	since  uint32
	from   []byte
	budget int64
	full   bool
	nows   []int64 // by table: the time by which its entries expire; 0: they do not
}

// turned is what a job has done.
type turned struct {
	since    uint32
	from, to []byte
	end      bool
	expired  [][]byte
}

// maxExpired bounds what one job says about expired entries.
const maxExpired = 1 << 14

// coldTurn returns the job of this checkpoint, if there has to be one.
func (s *Store) coldTurn(changed int64) *turnJob {
	expires := false
	nows := make([]int64, len(s.tables))
	for i, t := range s.tables {
		nows[i] = t.expiry()
		expires = expires || nows[i] > 0
	}
	c := s.chain.turning(s.disk.size(), changed > 0, expires)
	if c.since == 0 {
		return nil
	}
	s.disk.users.Add(1)
	budget := min(changed*s.lim.cycleShare+s.lim.cycleLeast, 2*spillPiece)
	if c.full {
		budget = 2 * spillPiece
	}
	return &turnJob{s.disk, s.disk.db.NewSnapshot(), c.since, c.cursor, budget, c.full, nows}
}

// expiry is the time by which entries expire now, 0 if they do not.
func (t *table[K, V]) expiry() int64 {
	if t.ttl.After == 0 {
		return 0
	}
	return t.ttl.now(t.store)
}

// turning returns the cycle that is under way, after beginning one if there has to be.
func (c *chain) turning(live int64, changed, expires bool) coldCycle {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !changed && !c.cold.full {
		return coldCycle{}
	}
	if c.cold.since == 0 && (expires || c.namedLocked() > live*3/2+c.lim.slack || len(c.files) > c.lim.files) {
		c.cold = coldCycle{since: c.next - 1} // the piece of this checkpoint is made
	}
	return c.cold
}

// turnedLocked takes note of a job whose checkpoint counts, and of which nothing was done meanwhile.
func (c *chain) turnedLocked(t *turned) {
	if t.since != c.cold.since || !slices.Equal(t.from, c.cold.cursor) {
		return
	}
	c.expired = append(c.expired, t.expired...)
	if !t.end {
		c.cold.cursor = t.to
		return
	}
	c.floor = c.cold.since
	c.cold = coldCycle{}
}

// read gathers what is to be written again from t.to on, as much as goes into one budget.
func (j *turnJob) read(ctx context.Context, it *pebble.Iterator, t *turned) *piece {
	p, budget := &piece{}, j.budget
	var rec []byte
	more := it.SeekGE(t.to)
	for ; more && budget > 0 && ctx.Err() == nil; more = it.Next() {
		key, val := it.Key(), it.Value()
		budget -= 8
		if binary.LittleEndian.Uint32(val) >= j.since {
			continue
		}
		rec = appendDiskRecord(rec[:0], key, val[4], val[5:])
		if now := j.nows[recTable(rec)]; now > 0 && len(t.expired) < maxExpired {
			if at, _ := recRest(rec); at != 0 && at <= now {
				t.expired = append(t.expired, slices.Clone(key))
			}
		}
		p.add(rec)
		budget -= int64(len(rec))
	}
	if more {
		t.to = slices.Clone(it.Key())
	}
	t.end = !more
	return p
}

// write does the job and returns the segments it made.
func (j *turnJob) write(ctx context.Context, f *frozen, to gearcore.Vault) (files []use, t *turned, err error) {
	it, err := j.snap.NewIter(nil)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for t = (&turned{since: j.since, from: j.from, to: j.from}); ; {
		p := j.read(ctx, it, t)
		if err := cmp.Or(it.Error(), ctx.Err()); err != nil {
			return nil, nil, err
		}
		made, err := f.segments(ctx, to, merge([]*piece{p}, false))
		if err != nil {
			return nil, nil, err
		}
		for _, u := range made {
			u.base = true
			files = append(files, u)
		}
		if t.end || !j.full {
			return files, t, nil
		}
	}
}

// release gives the snapshot back.
func (j *turnJob) release() error {
	err := j.snap.Close()
	if e := j.d.release(); err == nil {
		err = e
	}
	return err
}

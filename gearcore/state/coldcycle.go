package state

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/gearstorm/gearstorm/gearcore"
)

// coldCycle is a cycle over what is in pebble. It goes on in the background, from a snapshot, and its progress counts when the checkpoint does that
// names what it wrote.
type coldCycle struct {
	since  uint32
	cursor []byte // where to go on
}

// turnJob is a part of a cold cycle that goes with one checkpoint.
type turnJob struct {
	d      *disk
	snap   *pebble.Snapshot
	since  uint32
	from   []byte
	budget int64
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
	since, from := s.chain.turning(s.disk.size(), expires)
	if since == 0 {
		return nil
	}
	s.disk.users.Add(1)
	return &turnJob{s.disk, s.disk.db.NewSnapshot(), since, from, min(changed*s.lim.cycleShare+s.lim.cycleLeast, 2*spillPiece), nows}
}

// expiry is the time by which entries expire now, 0 if they do not.
func (t *table[K, V]) expiry() int64 {
	if t.ttl.After == 0 {
		return 0
	}
	return t.ttl.now(t.store)
}

// turning returns the cycle that is under way, after beginning one if there has to be.
func (c *chain) turning(live int64, expires bool) (since uint32, from []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cold.since == 0 && (expires || c.namedLocked() > live*3/2+c.lim.slack || len(c.files) > c.lim.files) {
		c.cold = coldCycle{since: c.next - 1} // the piece of this checkpoint is made
	}
	return c.cold.since, c.cold.cursor
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

// read gathers what the job has to write again.
func (j *turnJob) read(ctx context.Context) (*piece, *turned, error) {
	it, err := j.snap.NewIter(nil)
	if err != nil {
		return nil, nil, err
	}
	defer it.Close()
	p, t := &piece{}, &turned{since: j.since, from: j.from}
	var rec []byte
	more := it.SeekGE(j.from)
	for ; more && j.budget > 0 && ctx.Err() == nil; more = it.Next() {
		key, val := it.Key(), it.Value()
		j.budget -= 8
		if binary.LittleEndian.Uint32(val) >= j.since {
			continue
		}
		rec = append(rec[:0], make([]byte, recordHead)...)
		rec = append(append(rec, key[diskHead:]...), val[5:]...)
		binary.LittleEndian.PutUint32(rec, uint32(len(rec)-4))
		binary.LittleEndian.PutUint16(rec[4:], binary.BigEndian.Uint16(key[2:]))
		binary.LittleEndian.PutUint16(rec[6:], binary.BigEndian.Uint16(key))
		rec[8] = val[4]
		binary.LittleEndian.PutUint16(rec[9:], uint16(len(key)-diskHead))
		if now := j.nows[recTable(rec)]; now > 0 && len(t.expired) < maxExpired {
			if at, _ := recRest(rec); at != 0 && at <= now {
				t.expired = append(t.expired, slices.Clone(key))
			}
		}
		p.add(rec)
		j.budget -= int64(len(rec))
	}
	if more {
		t.to = slices.Clone(it.Key())
	}
	t.end = !more
	if err := it.Error(); err != nil {
		return nil, nil, err
	}
	return p, t, ctx.Err()
}

// write does the job and returns the segments it made.
func (j *turnJob) write(ctx context.Context, f *frozen, to gearcore.Vault) ([]use, *turned, error) {
	p, t, err := j.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	m := merge([]*piece{p}, false)
	files, err := f.segments(ctx, to, m)
	for i := range files {
		files[i].base = true
	}
	return files, t, err
}

// release gives the snapshot back.
func (j *turnJob) release() error {
	err := j.snap.Close()
	if e := j.d.release(); err == nil {
		err = e
	}
	return err
}

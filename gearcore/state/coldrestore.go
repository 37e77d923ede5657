package state

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// prepared is a segment that was made ready for the disk.
type prepared struct {
	files []string
	kept  *piece
}

// readCold reads the segments onto a disk. Those of which sorted files are ready are taken in when all are, the oldest first, so that the newest entry
// of a key counts: pebble begins to merge them once it has some, which would take processor time from those who read.
func (s *Store) readCold(ctx context.Context, vault gearcore.Vault, sources []source) error {
	d, err := openDisk(s.cfg.Dir)
	if err != nil {
		return err
	}
	s.disk = d
	slices.Reverse(sources)
	ready := make([]prepared, len(sources))
	err = each(ctx, sources, func(ctx context.Context, i int) (err error) {
		ready[i], err = s.prepare(ctx, d, vault, sources[i], i)
		return err
	})
	if err != nil {
		return err
	}
	for i, p := range ready {
		for _, f := range p.files {
			if err := d.take(f); err != nil {
				return fmt.Errorf("%s: %w", sources[i].name, err)
			}
		}
		if p.kept != nil {
			s.chain.pieces = append(s.chain.pieces, p.kept)
		}
	}
	return nil
}

// prepare makes sorted files of a segment.
func (s *Store) prepare(ctx context.Context, d *disk, vault gearcore.Vault, src source, n int) (out prepared, err error) {
	r, err := s.open(ctx, vault, src)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, r.in.Close()) }()
	if r.seg.header.Sorted == nil {
		return r.convert(d, n, func(f func(t *incoming) error) error { return r.records(ctx, true, f) })
	}
	path := d.restored(n, 0)
	if err := r.copyTo(ctx, d, path); err != nil {
		return out, err
	}
	file, err := d.opts.FS.Open(path)
	if err != nil {
		return out, err
	}
	if r.fits() {
		return prepared{files: []string{path}}, r.takeHot(ctx, file)
	}
	out, err = r.convert(d, n, func(f func(t *incoming) error) error { return r.sorted(ctx, file, true, f) })
	return out, errors.Join(err, d.opts.FS.Remove(path))
}

// convert makes sorted files of the records that read gives.
func (r *reading) convert(d *disk, n int, read func(f func(t *incoming) error) error) (out prepared, err error) {
	src := r.src
	p := &piece{first: src.use.seq, seq: src.use.seq}
	flush := func() error {
		if len(p.refs) == 0 {
			return nil
		}
		out.files = append(out.files, d.restored(n, len(out.files)+1))
		return d.build(p, out.files[len(out.files)-1], func(int) uint32 { return src.use.seq })
	}
	err = read(func(t *incoming) error {
		if t.hot {
			if err := t.to.take(t.recs, src.use.seq); err != nil {
				return err
			}
		}
		if err := t.now(p); err != nil {
			return err
		}
		if p.bytes < spillPiece || src.inline != nil {
			return nil
		}
		err := flush()
		p = &piece{first: p.first, seq: p.seq}
		return err
	})
	if err == nil {
		err = flush()
	}
	if src.inline != nil && len(p.refs) > 0 {
		out.kept = p
	}
	return out, err
}

// now adds the records to p as the table writes them now.
func (t *incoming) now(p *piece) error {
	if t.same {
		t.keep(p)
		return nil
	}
	for _, rec := range t.recs {
		rec, err := t.to.again(rec)
		if err != nil {
			return err
		}
		p.add(rec)
	}
	return nil
}

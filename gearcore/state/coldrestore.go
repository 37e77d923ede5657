package state

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// prepared is a segment that was made ready for the disk.
type prepared struct {
	files []string
	kept  *piece
	err   error
}

// readCold reads the segments onto a disk, the oldest first, so that the newest entry of a key counts. Several are made
// ready at once.
func (s *Store) readCold(ctx context.Context, vault gearcore.Vault, sources []source) error {
	d, err := openDisk(s.cfg.Dir)
	if err != nil {
		return err
	}
	s.disk = d
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := make([]chan prepared, len(sources))
	for i := range ready {
		ready[i] = make(chan prepared, 1)
	}
	slots := make(chan struct{}, runtime.GOMAXPROCS(0)) // held until what was prepared is taken in
	slices.Reverse(sources)
	go func() {
		for i, src := range sources {
			slots <- struct{}{}
			go func() { ready[i] <- s.prepare(ctx, d, vault, src, i) }()
		}
	}()
	for i, src := range sources {
		p := <-ready[i]
		if p.err == nil && err == nil {
			p.err = s.takeIn(d, p)
		}
		if p.err != nil && err == nil {
			err = fmt.Errorf("%s: %w", src.name, p.err)
			cancel()
		}
		<-slots
	}
	return err
}

func (s *Store) takeIn(d *disk, p prepared) error {
	for _, f := range p.files {
		if err := d.take(f); err != nil {
			return err
		}
	}
	if p.kept != nil {
		s.chain.pieces = append(s.chain.pieces, p.kept)
	}
	return nil
}

// prepare makes sorted files of a segment.
func (s *Store) prepare(ctx context.Context, d *disk, vault gearcore.Vault, src source, n int) (out prepared) {
	p := &piece{first: src.use.seq, seq: src.use.seq}
	flush := func() error {
		if len(p.refs) == 0 {
			return nil
		}
		out.files = append(out.files, d.restored(n, len(out.files)))
		return d.build(p, out.files[len(out.files)-1], func(int) uint32 { return src.use.seq })
	}
	out.err = s.records(ctx, vault, src, true, func(t *incoming) error {
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
	if out.err == nil {
		out.err = flush()
	}
	if src.inline != nil && len(p.refs) > 0 {
		out.kept = p
	}
	return out
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

package state

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// source is a segment to be read: groups first to last of a file, or of the bytes that a Part held itself.
type source struct {
	name        string
	use         use
	inline      []byte
	first, last int
}

// inMemory is about how many bytes in memory a byte of a segment becomes, keys and indexes included.
const inMemory = 2

// Restore implements gearcore.Checkpointed: the Store holds what the checkpoint has of its key groups, and nothing else. After an error
// it is empty or holds a part; restore it again. It is ErrClosed if r.Ended was closed before everything was read.
func (s *Store) Restore(r *gearcore.Recovery) (err error) {
	defer Rescue(&err)
	if err := s.clear(r); err != nil {
		return err
	}
	if r.Epoch == 0 {
		return nil
	}
	ctx, cancel := untilEnded(r)
	defer cancel()
	sources, err := s.sources(r)
	if err == nil {
		named, _ := s.chain.named()
		switch {
		case s.cfg.Dir != "" && named > s.cfg.Memory:
			err = s.readCold(ctx, r.Vault, sources)
		default:
			if r.Grow != nil {
				r.Grow(named * inMemory)
			}
			err = s.read(ctx, r.Vault, sources)
		}
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = gearcore.ErrClosed
	}
	if err != nil {
		return fmt.Errorf("restore the state of %s at checkpoint %d: %w", s.cfg.Name, r.Epoch, err)
	}
	for _, t := range s.tables {
		t.settle()
	}
	if s.forgot.Load() {
		s.startOver()
	}
	s.checkSize = true
	return nil
}

// untilEnded is a context that ends when nobody wants the task restored any more.
func untilEnded(r *gearcore.Recovery) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-r.Ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// clear makes the Store empty.
func (s *Store) clear(r *gearcore.Recovery) error {
	for _, t := range s.tables {
		t.reset()
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("restore the state of %s: clear the disk: %w", s.cfg.Name, err)
	}
	s.chain, s.cycle, s.eventTime = newChain(s.lim), cycle{}, 0
	s.forgot.Store(false)
	if r.Tasks > 0 {
		s.first, s.last = r.First, r.Last
	}
	if s.first < 0 || s.last >= gearcore.KeyGroups {
		return fmt.Errorf("restore the state of %s: key groups %d to %d", s.cfg.Name, s.first, s.last)
	}
	s.broken = s.unfit
	return s.broken
}

// sources lists what has to be read, the newest first, and begins the chain with it.
func (s *Store) sources(r *gearcore.Recovery) ([]source, error) {
	var all []source
	for _, p := range r.Parts {
		for _, f := range p.Files {
			u, ok := useOf(f)
			if !ok {
				return nil, foreign(p.Task, fmt.Errorf("%w: file %s is no segment of state", ErrCorrupt, f.Name))
			}
			all = append(all, source{name: "file " + f.Name, use: u, first: int(f.First), last: int(f.Last)})
		}
		if len(p.Inline) > 0 {
			if !isSegment(p.Inline) {
				return nil, foreign(p.Task, fmt.Errorf("%w: it begins with %.4q", ErrCorrupt, p.Inline))
			}
			in, err := openSegment(bytes.NewReader(p.Inline))
			if err != nil {
				return nil, fmt.Errorf("the part of task %d: %w", p.Task, err)
			}
			all = append(all, source{name: fmt.Sprintf("the part of task %d", p.Task), use: use{seq: in.header.Seq}, inline: p.Inline,
				first: in.header.First, last: in.header.Last})
		}
	}
	slices.SortStableFunc(all, func(a, b source) int { return cmp.Compare(a.use.seq, b.use.seq) })
	if len(all) > 0 {
		s.chain.next = max(s.chain.next, all[len(all)-1].use.seq+1)
	}
	own := all[:0]
	for _, src := range all {
		if src.inline != nil { // the newest of its task; among the segments of others its number says nothing
			src.use.seq = s.chain.next
			s.chain.next++
		}
		src.first, src.last = max(src.first, s.first), min(src.last, s.last)
		if src.first <= src.last {
			own = append(own, src)
		}
	}
	for _, src := range own {
		if src.inline == nil {
			s.chain.files = append(s.chain.files, src.use.narrow(src.first, src.last))
		}
	}
	slices.SortStableFunc(own, func(a, b source) int { return cmp.Compare(b.use.seq, a.use.seq) })
	return own, nil
}

// loader takes records of one table as a segment's header describes them. It belongs to one goroutine at a time.
type loader interface {
	// take decodes records of a segment of that number into entries, which are there when the table settles. It keeps nothing of recs.
	take(recs [][]byte, seq uint32) error
	// done says that there are no more.
	done()
	// again writes a record as the table does now, and returns it until the next call.
	again(rec []byte) ([]byte, error)
}

// read reads the segments, as many at once as there are processors, in whatever order: settle knows which entry of a key is the newest.
// Whoever reads a segment decodes its records into the slots where they stay, so nothing but a block for each is read ahead.
func (s *Store) read(ctx context.Context, vault gearcore.Vault, sources []source) error {
	kept := make([]*piece, len(sources))
	err := each(ctx, sources, func(ctx context.Context, i int) (err error) {
		kept[i], err = s.readSource(ctx, vault, sources[i])
		return err
	})
	for _, p := range slices.Backward(kept) {
		if p != nil {
			s.chain.pieces = append(s.chain.pieces, p)
		}
	}
	return err
}

// each calls f for each of the sources, for as many at once as there are processors, and cancels their context when one fails: the first error counts.
func each(ctx context.Context, sources []source, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		readers sync.WaitGroup
		mu      sync.Mutex
		next    int
		first   error
	)
	take := func() (i int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= len(sources) && first == nil
	}
	for range min(len(sources), runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				err := gearcore.Safely(func() error { return f(ctx, i) }) // codecs may be anybody's
				mu.Lock()
				if err != nil && first == nil {
					first = fmt.Errorf("%s: %w", sources[i].name, err)
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	readers.Wait()
	return first
}

// readSource reads one segment into memory. What stays a piece of an inline one is returned.
func (s *Store) readSource(ctx context.Context, vault gearcore.Vault, src source) (kept *piece, err error) {
	if src.inline != nil {
		kept = &piece{first: src.use.seq, seq: src.use.seq}
	}
	r, err := s.open(ctx, vault, src)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.in.Close()) }()
	err = r.records(ctx, kept != nil, func(t *incoming) error {
		if err := t.to.take(t.recs, src.use.seq); err != nil || kept == nil {
			return err
		}
		return t.now(kept)
	})
	if err != nil || kept == nil || len(kept.refs) == 0 {
		return nil, err
	}
	return kept, nil
}

// reading is a segment that is being read.
type reading struct {
	src    source
	in     io.ReadCloser
	seg    *segmentReader
	tables map[uint16]*incoming
}

// open begins to read a segment. Its in has to be closed.
func (s *Store) open(ctx context.Context, vault gearcore.Vault, src source) (_ *reading, err error) {
	r := &reading{src: src, in: io.NopCloser(bytes.NewReader(src.inline))}
	if src.inline == nil {
		if r.in, err = vault.Get(ctx, src.use.file); err != nil {
			return nil, err
		}
	}
	if r.seg, err = openSegment(r.in); err == nil {
		r.tables, err = s.incoming(r.seg.header)
	}
	if err != nil {
		return nil, errors.Join(err, r.in.Close())
	}
	return r, nil
}

// records reads what follows and calls f with its records, some of one table at a time. f may keep them if keep says so.
func (r *reading) records(ctx context.Context, keep bool, f func(t *incoming) error) error {
	if r.seg.header.Sorted != nil {
		file, err := r.inMemory(ctx)
		if err != nil {
			return err
		}
		return r.sorted(ctx, file, keep, f)
	}
	for body := []byte(nil); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if keep {
			body = nil
		}
		var err error
		if body, err = r.seg.next(r.src.first, r.src.last, body); err == io.EOF {
			break
		}
		if err == nil {
			err = r.sortOut(body, f)
		}
		if err != nil {
			return err
		}
	}
	if err := r.end(); err != nil {
		return err
	}
	r.done()
	return nil
}

// end reads to the end of the file, where the Vault compares checksums.
func (r *reading) end() error {
	n, err := io.Copy(io.Discard, r.in)
	if err == nil && n > 0 {
		err = fmt.Errorf("%w: there are %d bytes behind its end", ErrCorrupt, n)
	}
	return err
}

// done says that all records were read.
func (r *reading) done() {
	for _, t := range r.tables {
		if t.to != nil {
			t.to.done()
		}
	}
}

// incoming is a table of a segment: where its records go, and some of them.
type incoming struct {
	to   loader // nil: nowhere
	id   uint16 // of the table now
	same bool   // it is written now as it was then
	hot  bool   // it is in memory always
	recs [][]byte

	block []byte   // what they are in
	offs  []uint32 // and where
}

// keep makes p consist of the records as well, under the table's number now. They are not copied.
func (t *incoming) keep(p *piece) {
	chunk := uint32(len(p.chunks))
	p.chunks = append(p.chunks, slices.Clip(t.block)) // what is added later goes elsewhere
	for i, rec := range t.recs {
		binary.LittleEndian.PutUint16(rec[6:], t.id)
		p.refs = append(p.refs, ref{chunk, t.offs[i], recGroup(rec)})
		p.bytes += int64(len(rec))
	}
}

// incoming finds the table of each table of a segment.
func (s *Store) incoming(h segmentHeader) (map[uint16]*incoming, error) {
	found := map[uint16]*incoming{}
	for _, info := range h.Tables {
		in := &incoming{}
		found[info.ID] = in
		i := slices.IndexFunc(s.tables, func(t anyTable) bool { name, _ := t.path(); return name == info.Name })
		if i < 0 {
			if !slices.Contains(s.cfg.Forget, info.Name) && !slices.Contains(s.cfg.Forget, strings.TrimSuffix(info.Name, "#")) {
				return nil, misfit("it has the handle %q, which this program does not register; to drop what it keeps, name it in the component's configuration: %s: [%s]",
					info.Name, keyForget, strings.TrimSuffix(info.Name, "#"))
			}
			s.forgot.Store(true)
			continue
		}
		t := s.tables[i]
		var err error
		if in.to, err = t.loader(info); err != nil {
			return nil, misfit("handle %q: %w", info.Name, err)
		}
		now := t.describe()
		in.id, in.hot, in.same = now.ID, t.inMemory(), now.Key == info.Key && now.Value == info.Value
	}
	return found, nil
}

// foreign is the error of a part that no Store wrote: what is in a checkpoint comes back as it was written, or not at all.
func foreign(task gearcore.TaskID, err error) error {
	return misfit("what task %d kept was written by a component of another kind, as a stateful bolt in Java, which nobody else can read: "+
		"give this one another id (%w)", task, err)
}

// misfit says what of a checkpoint the program cannot take up.
func misfit(format string, args ...any) error {
	return &gearcore.MisfitError{Err: fmt.Errorf(format, args...)}
}

// sortOut hands the records of a block to f, table by table.
func (r *reading) sortOut(body []byte, f func(t *incoming) error) error {
	var t *incoming
	id := -1 // of t
	for off, n := 0, 0; off < len(body); off += n {
		rec, err := checkRecord(body[off:])
		if err != nil {
			return err
		}
		n = len(rec)
		if g := int(recGroup(rec)); g < r.src.first || g > r.src.last {
			continue
		}
		if own := recTable(rec); int(own) != id {
			t, id = r.tables[own], int(own)
		}
		if t == nil {
			return fmt.Errorf("%w: a record of table %d, which its header does not know", ErrCorrupt, recTable(rec))
		}
		if t.to != nil {
			t.recs, t.offs, t.block = append(t.recs, rec), append(t.offs, uint32(off)), body
		}
	}
	for _, t := range r.tables {
		if len(t.recs) == 0 {
			continue
		}
		if err := f(t); err != nil {
			return err
		}
		t.recs, t.offs = t.recs[:0], t.offs[:0]
	}
	return nil
}

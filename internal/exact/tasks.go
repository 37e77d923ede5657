package exact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// keyOf is the key of a record.
func keyOf(source, number, keys int) string {
	return "k" + strconv.Itoa((number*31+source*17)%keys)
}

// largeState is from how many bytes on a state goes into a file.
const largeState = 1 << 10

// frozen is a state that is a value of JSON, in the part itself or, if it is large, in a file.
type frozen struct {
	name  string
	value any
	note  string
}

func (f frozen) Save(ctx context.Context, to gearcore.Vault) (gearcore.Part, error) {
	b, err := json.Marshal(f.value)
	if err != nil || len(b) <= largeState {
		return gearcore.Part{Inline: b, Note: f.note}, err
	}
	file, err := to.Put(ctx, f.name, bytes.NewReader(b))
	return gearcore.Part{Files: []gearcore.File{file}, Note: f.note}, err
}

func (frozen) Drop() {}

// restored reads the part of a task into value. It says false if there is none.
func restored(r *gearcore.Recovery, value any) (bool, error) {
	if r.Epoch == 0 || len(r.Parts) == 0 {
		return false, nil
	}
	if len(r.Parts) != r.Tasks {
		return false, fmt.Errorf("there are %d parts for %d tasks", len(r.Parts), r.Tasks)
	}
	part := r.Parts[r.Index].Part
	if len(part.Files) == 0 {
		return true, json.Unmarshal(part.Inline, value)
	}
	in, err := r.Vault.Get(context.Background(), part.Files[0])
	if err != nil {
		return false, err
	}
	defer in.Close()
	return true, json.NewDecoder(in).Decode(value)
}

// source emits the records.
type source struct {
	t      Topology
	index  int
	next   int
	began  time.Time // next was base then
	base   int
	frozen map[uint64]int
}

func (s *source) Open(ctx *gearcore.Context, _ *gearcore.Collector) error {
	s.index = ctx.Index
	return nil
}

func (s *source) Next(c *gearcore.Collector) error {
	if s.next >= s.t.Records || s.t.Rate > 0 && s.next-s.base >= int(time.Since(s.began).Seconds()*float64(s.t.Rate)) {
		return gearcore.ErrIdle
	}
	if key := keyOf(s.index, s.next, s.t.Keys); s.t.Stamp {
		c.Emit(key, s.index, s.next, time.Now().UnixNano())
	} else {
		c.Emit(key, s.index, s.next)
	}
	s.next++
	return nil
}

// Watermark implements gearcore.Timed.
func (s *source) Watermark() gearcore.Watermark {
	if s.next >= s.t.Records {
		return gearcore.End
	}
	return gearcore.Watermark(s.next + 1)
}

func (s *source) Freeze(epoch uint64) (gearcore.Frozen, error) {
	s.frozen[epoch] = s.next
	return frozen{value: s.next, note: fmt.Sprintf("offset %d", s.next)}, nil
}

func (s *source) Restore(r *gearcore.Recovery) error {
	s.next = 0
	known, err := restored(r, &s.next)
	if err != nil {
		return err
	}
	s.frozen, s.began, s.base = map[uint64]int{}, time.Now(), s.next
	if s.t.Rewind {
		if err := rewind(s.t.Dir, positionKind, s.index, r.Epoch); err != nil {
			return err
		}
	}
	if known {
		return writeOnce(s.t.Dir, positionFile(s.index, r.Epoch), s.next)
	}
	return nil
}

// Commit implements gearcore.Committer.
func (s *source) Commit(epoch uint64) {
	if at, ok := s.frozen[epoch]; ok {
		writeOnce(s.t.Dir, positionFile(s.index, epoch), at) // an epoch without is not checked
	}
	maps.DeleteFunc(s.frozen, func(k uint64, _ int) bool { return k <= epoch })
}

func (s *source) Ack(gearcore.Value, *gearcore.Collector)  {}
func (s *source) Fail(gearcore.Value, *gearcore.Collector) {}
func (s *source) Activate(*gearcore.Collector)             { s.began, s.base = time.Now(), s.next }
func (s *source) Deactivate(*gearcore.Collector)           {}
func (s *source) Close()                                   {}

// counter counts by key.
type counter struct {
	counts map[string]int
	brake  brake
}

func (k *counter) Open(*gearcore.Context, *gearcore.Collector) error {
	k.counts = map[string]int{} // Restore, if it is called, comes later
	return nil
}

func (k *counter) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	k.brake.press()
	key := t.String(0)
	k.counts[key]++
	c.EmitAnchored(t, key, k.counts[key], t.Int(1), t.Int(2))
	c.Ack(t)
	return nil
}

func (k *counter) Freeze(uint64) (gearcore.Frozen, error) {
	return frozen{"counts", maps.Clone(k.counts), fmt.Sprintf("%d keys", len(k.counts))}, nil
}

func (k *counter) Restore(r *gearcore.Recovery) error {
	k.counts = map[string]int{}
	_, err := restored(r, &k.counts)
	return err
}

// Inspect implements gearcore.Inspected.
func (k *counter) Inspect(q gearcore.StateQuery) ([]gearcore.StateEntry, error) {
	e := gearcore.StateEntry{State: "counts", Kind: "value"}
	if !q.HasKey {
		return []gearcore.StateEntry{e}, nil
	}
	n, ok := k.counts[q.Key]
	if !ok {
		return nil, nil
	}
	e.JSON = strconv.AppendInt(nil, int64(n), 10)
	return []gearcore.StateEntry{e}, nil
}

func (k *counter) Close() {}

// passer passes records on: it takes the place of bolts between sources and counters.
type passer struct{}

func (passer) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (passer) Close()                                            {}

func (passer) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	c.EmitAnchored(t, t.String(0), t.Int(1), t.Int(2))
	c.Ack(t)
	return nil
}

// entry is a record that was counted.
type entry struct {
	Key    string `json:"k"`
	Count  int    `json:"c"`
	Source int    `json:"s"`
	Number int    `json:"n"`
}

// sink makes visible what counts.
type sink struct {
	t       Topology
	index   int
	fresh   []entry
	pending map[uint64][]entry // by epoch; not visible yet
}

func (s *sink) Open(ctx *gearcore.Context, _ *gearcore.Collector) error {
	s.index = ctx.Index
	return nil
}

func (s *sink) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	s.fresh = append(s.fresh, entry{t.String(0), int(t.Int(1)), int(t.Int(2)), int(t.Int(3))})
	c.Ack(t)
	return nil
}

// Freeze keeps all that is not visible, so that what counts is in the checkpoint until it is.
func (s *sink) Freeze(epoch uint64) (gearcore.Frozen, error) {
	s.pending[epoch], s.fresh = s.fresh, nil
	n := 0
	for _, list := range s.pending {
		n += len(list)
	}
	return frozen{"pending", maps.Clone(s.pending), fmt.Sprintf("%d records to be made visible", n)}, nil
}

// Commit implements gearcore.Committer. A file in the page cache is quick enough to be written here.
func (s *sink) Commit(epoch uint64) {
	halt(s.t.Dir, BeforeEffect)
	for _, k := range slices.Sorted(maps.Keys(s.pending)) {
		if k <= epoch && writeOnce(s.t.Dir, recordsFile(s.index, k), s.pending[k]) == nil {
			delete(s.pending, k)
		}
	}
	halt(s.t.Dir, AfterEffect)
}

func (s *sink) Restore(r *gearcore.Recovery) error {
	s.fresh, s.pending = nil, map[uint64][]entry{}
	if _, err := restored(r, &s.pending); err != nil {
		return err
	}
	if s.t.Rewind {
		if err := rewind(s.t.Dir, recordsKind, s.index, r.Epoch); err != nil {
			return err
		}
	}
	s.Commit(r.Epoch)
	if len(s.pending) > 0 {
		return errors.New("what counts could not be made visible")
	}
	return nil
}

func (s *sink) Close() {}

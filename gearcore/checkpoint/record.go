package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Kind is what a record says.
type Kind string

// The kinds of records.
const (
	// Begins says that a generation begins with checkpoint Epoch, and who leads it. Commits of later epochs that stand before
	// it do not count any more.
	Begins Kind = "begin"
	// Commits says that checkpoint Epoch counts.
	Commits Kind = "commit"
	// Reserves only raises Limit.
	Reserves Kind = "reserve"
)

// Record is one link of a topology's chain.
type Record struct {
	Number     uint64    `json:"number"`
	Kind       Kind      `json:"kind"`
	Generation uint64    `json:"generation"`
	Epoch      uint64    `json:"epoch"`
	Limit      uint64    `json:"limit"` // epochs up to it may have been cut
	Plan       int64     `json:"plan,omitempty"`
	Writer     string    `json:"writer"` // one per Log
	Seq        uint64    `json:"seq"`    // of what this writer wanted to write, from 1
	Reason     string    `json:"reason,omitempty"`
	Time       time.Time `json:"time"`
}

// ahead is how many epochs more a record lets its writer cut.
const ahead = 8

// Bounds, in bytes.
const (
	maxRecord = 64 << 10
	maxReason = 1000
)

func readRecord(ctx context.Context, s Store, a area, n uint64) (Record, error) {
	var r Record
	b, err := readSmall(ctx, s, a.record(n), maxRecord)
	if err != nil {
		return r, fmt.Errorf("read record %d: %w", n, err)
	}
	if err := unseal("record", b, &r); err != nil {
		return r, fmt.Errorf("read record %d: %w", n, err)
	}
	if r.Number != n {
		return r, fmt.Errorf("read record %d: %w: it is that of number %d", n, ErrCorrupt, r.Number)
	}
	return r, nil
}

// chain is what the records of a topology say together.
type chain struct {
	next  uint64 // the number of the next record
	whole bool   // nothing was removed from its beginning
	limit uint64
	plan  int64
	// counts are the checkpoints that count, ascending.
	counts []counted
	lost   []problem
}

// counted is a checkpoint with the number of the first record that says so.
type counted struct{ epoch, number uint64 }

type problem struct {
	number uint64
	err    error
}

func newChain() chain { return chain{next: 1, whole: true} }

// add takes the next record in.
func (c *chain) add(r Record) {
	c.next = r.Number + 1
	c.limit = max(c.limit, r.Limit)
	c.plan = max(c.plan, r.Plan)
	switch r.Kind {
	case Begins:
		c.counts = slices.DeleteFunc(c.counts, func(k counted) bool { return k.epoch > r.Epoch })
		if r.Epoch > 0 && (len(c.counts) == 0 || c.counts[len(c.counts)-1].epoch < r.Epoch) {
			c.counts = append(c.counts, counted{r.Epoch, r.Number}) // its commit was damaged or removed, or it is a savepoint's
		}
	case Commits:
		c.counts = append(c.counts, counted{r.Epoch, r.Number})
	}
}

// skip passes a record that cannot be read. It may have been a commit.
func (c *chain) skip(n uint64, err error) {
	c.next = n + 1
	c.limit += ahead
	c.lost = append(c.lost, problem{n, err})
}

// maxRecords bounds how much of a chain is read: far more than retention leaves, if it gets through now and then.
const maxRecords = 4096

// readChain reads a topology's records. Those that are damaged are in lost; other errors end it.
func readChain(ctx context.Context, s Store, a area) (chain, error) {
	c := newChain()
	list, err := s.List(ctx, a.dir("log"))
	if err != nil {
		return c, fmt.Errorf("list records: %w", err)
	}
	if len(list) > maxRecords {
		list, c.whole = list[len(list)-maxRecords:], false
	}
	for i, o := range list {
		n, ok := number(o.Name, a.dir("log"))
		if !ok {
			return c, fmt.Errorf("%s is no record of a checkpoint: it does not belong here", o.Name)
		}
		if i == 0 {
			c.next, c.whole = n, n == 1
		}
		if n > c.next {
			c.whole = false
			c.limit += ahead * (n - c.next - 1)
			c.skip(n-1, fmt.Errorf("read records %d to %d: %w", c.next, n-1, ErrNotFound))
		}
		r, err := readRecord(ctx, s, a, n)
		switch {
		case errors.Is(err, ErrNotFound): // another coordinator removed it just now
			c.next, c.whole, c.limit = n+1, false, c.limit+ahead
		case Lost(err):
			c.skip(n, err)
		case err != nil:
			return c, err
		default:
			c.add(r)
		}
	}
	return c, nil
}

// Counting returns the epochs of the checkpoints of a topology that count and were not removed, ascending. ReadManifest reads them. Records that are damaged are
// passed over.
func Counting(ctx context.Context, s Store, topology string) ([]uint64, error) {
	c, err := readChain(ctx, s, areaOf(topology))
	if err != nil {
		return nil, fmt.Errorf("list the checkpoints of %s: %w", topology, err)
	}
	out := make([]uint64, 0, len(c.counts))
	for _, k := range c.counts {
		out = append(out, k.epoch)
	}
	return out, nil
}

// Records returns the records of a topology that are there, in order. Those that are damaged are left out.
func Records(ctx context.Context, s Store, topology string) ([]Record, error) {
	a := areaOf(topology)
	list, err := s.List(ctx, a.dir("log"))
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	var out []Record
	for _, o := range list {
		n, _ := number(o.Name, a.dir("log"))
		r, err := readRecord(ctx, s, a, n)
		if err != nil && !Lost(err) {
			return nil, err
		}
		if err == nil {
			out = append(out, r)
		}
	}
	return out, nil
}

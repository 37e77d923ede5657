package engine

import (
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// pool has the batches of an engine that nobody uses: an idle task holds none, and what one receiver has done with is
// filled next while it is warm. The garbage collector empties it when they are no longer needed.
type pool struct {
	small sync.Pool // up to smallRows rows
	large sync.Pool
	acks  sync.Pool // of results

	done, doneResults func(*gearcore.Batch) // putRows and putResults, as a Batch.Done
}

const smallRows = 2 * minBatchRows

func newPool() *pool {
	p := &pool{}
	p.done, p.doneResults = p.putRows, p.putResults
	return p
}

// rows returns an empty batch with room for that many rows of arity values.
func (p *pool) rows(rows, arity int) *gearcore.Batch {
	from := &p.large
	if rows <= smallRows {
		from = &p.small
	}
	b, _ := from.Get().(*gearcore.Batch)
	if b == nil {
		b = &gearcore.Batch{}
	}
	if cap(b.Rows) < rows {
		b.Rows = make([]gearcore.Row, 0, rows)
	}
	if cap(b.Vals) < rows*arity {
		b.Vals = make([]gearcore.Value, 0, rows*arity)
	}
	return b
}

// putRows is the Done of a batch of tuples whose content nobody can have kept.
func (p *pool) putRows(b *gearcore.Batch) {
	b.Reset()
	if cap(b.Rows) <= smallRows {
		p.small.Put(b)
	} else {
		p.large.Put(b)
	}
}

// results returns an empty batch for results.
func (p *pool) results() *gearcore.Batch {
	if b, _ := p.acks.Get().(*gearcore.Batch); b != nil {
		return b
	}
	return &gearcore.Batch{}
}

// putResults is the Done of a batch of results.
func (p *pool) putResults(b *gearcore.Batch) {
	b.Reset()
	p.acks.Put(b)
}

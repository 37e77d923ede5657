package engine

import (
	"math"
	"sync/atomic"

	"github.com/gearstorm/gearstorm/gearcore"
)

// batches is an intrusive list of batches.
type batches struct{ head, tail *gearcore.Batch }

func (l *batches) push(b *gearcore.Batch) {
	b.Next = nil
	if l.head == nil {
		l.head = b
	} else {
		l.tail.Next = b
	}
	l.tail = b
}

func (l *batches) takeAll() *gearcore.Batch {
	b := l.head
	l.head, l.tail = nil, nil
	return b
}

// inbox is what waits for an executor: tuples, bounded, and acks, not bounded. A batch of tuples takes room until it was
// consumed, not only until it was taken. All of it but load is guarded by the executor's lock.
type inbox struct {
	load                 atomic.Uint32 // how full it is, as a float32: for shuffles, without the lock
	used                 int32         // batches of tuples, taken ones included
	usedBytes            int
	rows, acks           batches
	maxBatches, maxBytes int32
	waiting              *waiting // made when somebody waits
}

// waiting is who waits for room.
type waiting struct {
	list  []func()
	spare []func() // the last list handed out, for reuse
}

func (in *inbox) pushRows(b *gearcore.Batch) {
	in.rows.push(b)
	in.used++
	in.usedBytes += b.Size
	in.weigh()
}

// pushAhead puts what is in l in front of all rows.
func (in *inbox) pushAhead(l batches) {
	if l.head == nil {
		return
	}
	for b := l.head; b != nil; b = b.Next {
		in.used++
		in.usedBytes += b.Size
	}
	if l.tail.Next = in.rows.head; in.rows.head == nil {
		in.rows.tail = l.tail
	}
	in.rows.head = l.head
	in.weigh()
}

// weigh updates load.
func (in *inbox) weigh() {
	in.load.Store(math.Float32bits(max(float32(in.used)/float32(in.maxBatches), float32(in.usedBytes)/float32(in.maxBytes))))
}

func (in *inbox) room() bool { return in.used < in.maxBatches && in.usedBytes < int(in.maxBytes) }

// roomy is when waiting senders are woken: at half, so that they do not come for every single batch.
func (in *inbox) roomy() bool {
	return 2*in.used <= in.maxBatches && 2*in.usedBytes <= int(in.maxBytes)
}

// release returns the room of a batch and the senders to be woken now. The list is valid until the next release, which
// only the consuming executor calls.
func (in *inbox) release(size int) []func() {
	in.used--
	in.usedBytes -= size
	in.weigh()
	q := in.waiting
	if q == nil || len(q.list) == 0 || !in.roomy() {
		return nil
	}
	w := q.list
	q.list, q.spare = q.spare[:0], w
	return w
}

// inlet is the Outlet to the inbox of a local executor, as seen by one sender.
type inlet struct{ to, by *executor }

func (l inlet) Push(b *gearcore.Batch) bool { return l.to.deliver(b, l.by) }

func (l inlet) HasRoom() bool {
	l.to.mu.Lock()
	defer l.to.mu.Unlock()
	return l.to.in.room() || l.to.closed
}

func (l inlet) Notify(wake func()) {
	l.to.mu.Lock()
	if l.to.in.roomy() || l.to.closed {
		l.to.mu.Unlock()
		wake()
		return
	}
	if l.to.in.waiting == nil {
		l.to.in.waiting = &waiting{}
	}
	q := l.to.in.waiting
	q.list = append(q.list, wake)
	l.to.mu.Unlock()
}

package transport

import (
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// hardQueueFactor bounds an outlet that is pushed to without regard to its room (the back edges of a cycle do): past
// that many times TargetBytes, batches are dropped and counted.
const hardQueueFactor = 64

// Outlet is the way to one remote task. All executors of this worker share it; it is safe for concurrent use. It is
// valid, and keeps what is queued, whatever happens to the task's worker.
type Outlet struct {
	t    *Transport
	task gearcore.TaskID
	link atomic.Pointer[link] // never nil; changed under Transport.mu and both links' mu

	// Guarded by mu of the link that link points to.
	queue     fifo[*gearcore.Batch]
	queued    int      // bytes in queue
	scheduled bool     // in flow.ready
	starved   bool     // in flow.starved
	wakers    []func() // of Notify, called once and forgotten

	astray time.Time // when something was first pushed for a task without an address, since peers were told last

	sent, processed uint64 // frames of this session
	sizes           fifo[int]
	bytes           int // sum of sizes
}

// lock locks the mu of o's link and returns it.
func (o *Outlet) lock() *link {
	for {
		l := o.link.Load()
		l.mu.Lock()
		if o.link.Load() == l {
			return l
		}
		l.mu.Unlock()
	}
}

// Push queues b, which belongs to the transport from then on; b.Done is called, if set, once b is encoded or dropped.
// It never blocks. room tells whether the outlet would like more: a caller that gets false asks Notify.
func (o *Outlet) Push(b *gearcore.Batch) (room bool) {
	l := o.lock()
	if l.addr == "" && !l.home {
		l.mu.Unlock()
		o.t.findWay(o)
		l = o.lock()
	}
	if l.home {
		l.mu.Unlock()
		if o.t.cfg.TakeBack(b, false) {
			return true
		}
		o.t.leaveHome(o)
		return o.Push(b)
	}
	dropped := l.gone || l.addr == "" && o.stranded() || len(b.Rows) > 0 && o.queued >= hardQueueFactor*o.t.cfg.TargetBytes
	if !dropped {
		if b.Size == 0 {
			b.Size = b.Bytes()
		}
		o.queue.push(b)
		o.queued += b.Size
		l.flow.schedule(o)
	}
	room = o.hasRoom()
	work, small := l.flow.ready.len() > 0, b.Size <= quickBytes // b is the writer's once mu is free
	l.mu.Unlock()
	if work && !(small && l.writeQuick()) {
		l.kick()
	}
	if dropped {
		o.t.lose(b, ErrPeerGone)
	}
	return room
}

// stranded reports whether something has waited for an address of the task for PeerTimeout; from then on nothing is kept until
// peers are told anew.
func (o *Outlet) stranded() bool {
	now := time.Now()
	if o.astray.IsZero() {
		o.astray = now
	}
	return now.Sub(o.astray) >= o.t.cfg.PeerTimeout
}

// holds reports whether something is queued.
func (o *Outlet) holds() bool {
	l := o.lock()
	defer l.mu.Unlock()
	return o.queue.len() > 0
}

// renew lets what is pushed from now on wait for an address again; what waits already has no more time.
func (o *Outlet) renew(l *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.queue.len() == 0 {
		o.astray = time.Time{}
	}
}

// HasRoom reports whether Push has room for a batch of rows.
func (o *Outlet) HasRoom() bool {
	l := o.lock()
	defer l.mu.Unlock()
	return o.hasRoom()
}

// Notify calls wake once: at once if there is room, else when half of the bound is free. wake is called with no lock
// held, by a link's goroutine or before Notify returns, and must not block.
func (o *Outlet) Notify(wake func()) {
	l := o.lock()
	room := o.hasRoom()
	if !room {
		o.wakers = append(o.wakers, wake)
	}
	l.mu.Unlock()
	if room {
		wake()
	}
}

func (o *Outlet) hasRoom() bool {
	return o.queue.len() < o.t.cfg.QueueBatches && o.queued < o.t.cfg.TargetBytes
}

// takeWakers moves to dst what is to be called, if half of the bound is free.
func (o *Outlet) takeWakers(dst []func()) []func() {
	if len(o.wakers) > 0 && 2*o.queue.len() <= o.t.cfg.QueueBatches && 2*o.queued <= o.t.cfg.TargetBytes {
		dst = append(dst, o.wakers...)
		clear(o.wakers)
		o.wakers = o.wakers[:0]
	}
	return dst
}

// underWay is the number of frames sent and not processed.
func (o *Outlet) underWay() int { return int(o.sent - o.processed) }

// full reports that o waits for one of its own frames to be processed.
func (o *Outlet) full(w *window) bool {
	return o.underWay() >= w.exclusive+w.floating || o.underWay() > 0 && o.bytes >= w.targetBytes
}

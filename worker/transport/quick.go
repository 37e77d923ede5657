package transport

// quickBytes is how large a batch may be that is written by who pushes it.
const quickBytes = 8 << 10

// quickWriter is a stream that can write without waiting.
type quickWriter interface {
	// tryWrite writes all of p, or nothing and returns false.
	tryWrite(p []byte) bool
}

// writeQuick writes what may be sent from the goroutine that has just pushed a small batch, if the link's own goroutine
// has nothing to do and the stream takes it at once. At low rates that spares a wake-up for every tuple, which costs ten
// times as much as writing it. It returns false if the link's goroutine is to look after it.
func (l *link) writeQuick() bool {
	if !l.pen.TryLock() {
		return false
	}
	defer l.pen.Unlock()
	if l.quick == nil || len(l.ring.pending()) > 0 {
		return false
	}
	l.fill()
	p := l.ring.pending()
	if len(p) == 0 || l.told != l.t.plan.Load() || !l.quick.tryWrite(p) {
		return false
	}
	l.ring.written += len(p)
	l.t.stats.BytesOut.Add(uint64(len(p)))
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flow.ready.len() == 0
}

package multilang

// windowTuples is how far a bolt's child may be behind: the tuples that it was sent and did not settle, unless it is known to
// have seen them. Clients that wait for task ids, or that are asynchronous, take in everything that they are sent, so the
// pipe alone bounds nothing.
const windowTuples = 1024

// window bounds how far a child may be behind without bounding what it may hold back: a bolt that collects tuples before it
// acks any must get more. A heartbeat tells the two apart, since it is answered in its turn: a child that answered one has
// seen every tuple before it. So when the window is full of tuples that are not settled a heartbeat is sent as a probe,
// and its answer opens the window again.
//
// It belongs to the executor. A child that never answered a heartbeat has no window.
type window struct {
	size     int
	answered bool
	seen     uint64 // of the tuples sent, those that the child has seen for certain
	probe    uint64 // the tuples that were sent when the last probe was
	probing  bool
	shut     bool
}

// newWindow leaves room for what may wait to be written.
func newWindow(maxPending int) window { return window{size: max(windowTuples, 4*maxPending)} }

// add is called after a tuple was queued, the sent-th; unsettled are those that the child has. It reports whether the input
// should pause now.
func (w *window) add(out *outbox, sent uint64, unsettled int) (shut bool) {
	if !w.answered || unsettled < w.size || sent-w.seen < uint64(w.size) {
		return false
	}
	if !w.probing {
		w.probing, w.probe = true, sent
		out.addProbe()
	}
	w.shut = true
	return true
}

// sync is called when the child answered a heartbeat behind which it had seen that many tuples.
func (w *window) sync(seen uint64) {
	w.answered = true
	w.seen = max(w.seen, seen)
	w.probing = w.probing && seen < w.probe
}

// opened reports, once, that a shut window is open again.
func (w *window) opened(sent uint64, unsettled int) bool {
	if !w.shut || unsettled > w.size/2 && sent-w.seen >= uint64(w.size) {
		return false
	}
	w.shut = false
	return true
}

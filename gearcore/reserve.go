package gearcore

// Reserver is implemented by sinks that can tell where tuples will go before the tuples are there. It is for components
// whose emitter is another process that waits for the answer to each of its emits.
type Reserver interface {
	// Reserve appends to dst the receivers of a coming tuple on the stream at position stream. It chooses nothing and says
	// no where the choice needs the values of the tuple or is the emitter's (direct streams).
	Reserve(stream int, dst []TaskID) (ids []TaskID, ok bool)
}

// Reserve appends to dst the tasks that a coming tuple on the stream at position stream shall go to. ok is false, and
// nothing is chosen, where routing needs the tuple's values or a direct emit. SendTo sends to what was reserved, later, in
// any order, or never.
func (c *Collector) Reserve(stream int, dst []TaskID) (ids []TaskID, ok bool) {
	if r, is := c.sink.(Reserver); is {
		return r.Reserve(stream, dst)
	}
	return dst, false
}

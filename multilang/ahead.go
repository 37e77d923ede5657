package multilang

import (
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Bounds of what is told before the emit.
const (
	aheadMost  = 16 // lists
	aheadBlock = 4  // lists: told again once so many were used
)

// ahead holds the receivers of coming emits that a child was told before it makes them, so that it need not wait for each
// answer. It is for clients that take one list for one emit in order and keep lists that come early (identify), for
// components with one stream that is not direct, and where routing does not look at the tuple (Collector.Reserve). What was
// told is true: an emit that wants its receivers gets those of the oldest list. Only what was told by an earlier version of the graph
// is not, since its receivers may be others now, or not all there are: such an emit is routed anew.
//
// It belongs to the executor. The zero ahead tells nothing.
type ahead struct {
	on     bool
	stream int // valid after the first topUp
	name   string
	lists  [aheadMost][]gearcore.TaskID // a ring
	head   int
	n      int
	stale  int // of them, the oldest: told by an earlier version of the graph
}

// newAhead decides for a process that uses client.
func newAhead(spec *Spec, ctx *gearcore.Context, client client) (a ahead) {
	name, ok := onlyStream(ctx)
	if spec.LockStep || !ok || client == clientUnknown {
		return a
	}
	return ahead{on: true, name: name, stream: -1}
}

// onlyStream returns the one stream of ctx's component that is not direct, if there is just one.
func onlyStream(ctx *gearcore.Context) (name string, ok bool) {
	if ctx.Layout == nil {
		return "", false
	}
	for i := range ctx.Layout.Streams {
		s := &ctx.Layout.Streams[i]
		if s.Component != ctx.Component || s.Direct || strings.HasPrefix(s.Name, "__") {
			continue
		}
		if ok {
			return "", false
		}
		name, ok = s.Name, true
	}
	return name, ok
}

// topUp tells more when enough was used.
func (a *ahead) topUp(c *gearcore.Collector, out *outbox) {
	if !a.on || a.n > aheadMost-aheadBlock {
		return
	}
	if a.stream < 0 {
		if a.stream = c.OutputIndex(a.name); a.stream < 0 {
			a.on = false
			return
		}
	}
	for a.n < aheadMost {
		at := (a.head + a.n) % aheadMost
		ids, ok := c.Reserve(a.stream, a.lists[at][:0])
		if !ok {
			a.on = false // what was told already stays true
			return
		}
		if out.addTaskIDs(ids) != nil {
			return // so much waits to be read that the child cannot be waiting
		}
		a.lists[at] = ids
		a.n++
	}
}

// has reports whether the receivers of the next emit on stream were told.
func (a *ahead) has(stream int) bool { return a.n > 0 && a.stream == stream }

// take returns those receivers, valid until the next topUp; false if they do not hold any more. Call it only if has says so.
func (a *ahead) take() (ids []gearcore.TaskID, hold bool) {
	ids, hold = a.lists[a.head], a.stale == 0
	a.head = (a.head + 1) % aheadMost
	a.n--
	a.stale = max(a.stale-1, 0)
	return ids, hold
}

// moved says that the graph is another one.
func (a *ahead) moved() { a.stale = a.n }

package window

// addSession adds a record to the session it is in, which may join others.
func (c *Core[K, A, In, Out]) addSession(k K, v In, t, at int64) (Outcome, error) {
	progress := c.progress()
	grown := Span{t, t + c.w.size}
	c.find(k)
	joined := 0 // so many at the front of what was found
	for i, p := range c.found {
		if p.span.Start < t+c.w.size && p.span.End > t {
			grown = Span{min(grown.Start, p.span.Start), max(grown.End, p.span.End)}
			c.found[i], c.found[joined] = c.found[joined], p
			joined++
		}
	}
	if grown.End+c.lateness <= progress {
		return Late, nil
	}
	if joined != 1 || c.found[0].span != grown {
		c.join(k, c.found[:joined], c.found[joined:], grown, progress)
	}
	a, _ := c.st.Panes.Ref(k, grown)
	c.put(a, v, at)
	return Counted, c.added(k, grown, a, progress)
}

// join makes one session of those that a record connects; there may be none yet.
func (c *Core[K, A, In, Out]) join(k K, joined, others []piece[A], grown Span, progress int64) {
	var sum Acc[A]
	for i, p := range joined {
		acc, _ := c.st.Panes.Get(k, p.span)
		c.st.Panes.Delete(k, p.span)
		c.unwatch(k, p.span.End, others)
		c.unwatch(k, p.span.End+c.lateness, others)
		if i == 0 {
			sum = acc
			continue
		}
		c.agg.Merge(&sum.A, &acc.A)
		sum.New += acc.New
		sum.Last = max(sum.Last, acc.Last)
	}
	sum.Fired = false
	a, _ := c.st.Panes.Ref(k, grown)
	*a = sum
	c.watch(k, grown.End, progress)
}

// unwatch takes a timer of k back that no other session of it needs.
func (c *Core[K, A, In, Out]) unwatch(k K, at int64, others []piece[A]) {
	for _, o := range others {
		if o.span.End == at || o.span.End+c.lateness == at {
			return
		}
	}
	c.st.Ends.Delete(k, at)
}

package window

// addSlice adds a record to the slice it is in, which all windows that overlap there share.
func (c *Core[K, A, In, Out]) addSlice(k K, v In, t, at int64) (Outcome, error) {
	progress := c.progress()
	last := c.w.last(t) + c.w.size // where the last window ends that t is in
	if last+c.lateness <= progress {
		return Late, nil
	}
	s := c.w.slice(t)
	a, found := c.st.Panes.Ref(k, s)
	c.put(a, v, at)
	if !found {
		if end, ok := c.w.nextEnd(s, progress); ok {
			c.st.Ends.Set(k, end)
		}
		c.st.Ends.Set(k, last+c.lateness)
	}
	if first, _ := c.w.nextEnd(s, 0); c.lateness > 0 && first <= progress {
		return Counted, c.fireLate(k, first, last, progress)
	}
	return Counted, nil
}

// fireLate makes the late panes of the windows that end from first to last and had theirs on time.
func (c *Core[K, A, In, Out]) fireLate(k K, first, last, progress int64) error {
	c.find(k)
	for end := first; end <= last && end <= progress; end += c.w.slide {
		if end+c.lateness > progress {
			if _, err := c.fireSlices(k, end, AfterTime); err != nil {
				return err
			}
		}
	}
	return nil
}

// fireSlices makes a pane of the window that ends at end, of the slices that were found; it reports whether there were any.
func (c *Core[K, A, In, Out]) fireSlices(k K, end int64, timing Timing) (bool, error) {
	s := Span{end - c.w.size, end}
	var sum Acc[A]
	some := false
	for _, p := range c.found {
		if p.span.Start >= s.Start && p.span.End <= s.End {
			c.agg.Merge(&sum.A, &p.acc.A)
			sum.Last = max(sum.Last, p.acc.Last)
			some = true
		}
	}
	if !some {
		return false, nil
	}
	if c.w.kind == counted {
		s.Start = max(s.Start, 0)
	}
	return true, c.emit(Pane[K, Out]{Key: k, Span: s, Timing: timing, Time: c.stamp(s, sum.Last), Out: c.agg.Result(&sum.A)})
}

// endSlices makes the pane of the window that ends at that moment, if one does, and forgets slices that no window needs any more.
func (c *Core[K, A, In, Out]) endSlices(k K, at int64) error {
	c.find(k)
	if c.w.ends(at) {
		if _, err := c.fireSlices(k, at, OnTime); err != nil {
			return err
		}
		next := at + c.w.slide
		for _, p := range c.found {
			if p.span.Start >= next-c.w.size && p.span.End <= next {
				c.st.Ends.Set(k, next)
				break
			}
		}
	}
	for _, p := range c.found {
		if c.w.last(p.span.Start)+c.w.size+c.lateness <= at {
			c.st.Panes.Delete(k, p.span)
		}
	}
	return nil
}

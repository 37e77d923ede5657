package window

import "math"

// counter is where a key's number of records is kept, in Acc.New.
var counter = Span{math.MinInt64, math.MinInt64}

// addCounted adds a record to the windows of its number, and makes the pane of the one that it fills.
func (c *Core[K, A, In, Out]) addCounted(k K, v In, at int64) error {
	n, _ := c.st.Panes.Ref(k, counter)
	number := n.New
	n.New++
	full := number + 1
	if c.sliced {
		a, _ := c.st.Panes.Ref(k, c.w.slice(number))
		c.put(a, v, at)
		if full%c.w.slide != 0 {
			return nil
		}
		return c.fullSlices(k, full)
	}
	for end := (number/c.w.slide + 1) * c.w.slide; end-c.w.size <= number; end += c.w.slide {
		a, _ := c.st.Panes.Ref(k, Span{end - c.w.size, end})
		c.put(a, v, at)
	}
	if full%c.w.slide != 0 {
		return nil
	}
	s := Span{full - c.w.size, full}
	a, _ := c.st.Panes.Get(k, s)
	c.st.Panes.Delete(k, s)
	return c.fire(k, Span{max(s.Start, 0), s.End}, &a, OnTime)
}

// fullSlices makes the pane of the window that ends with record number end, and forgets slices that the next one does not need.
func (c *Core[K, A, In, Out]) fullSlices(k K, end int64) error {
	c.find(k)
	if _, err := c.fireSlices(k, end, OnTime); err != nil {
		return err
	}
	for _, p := range c.found {
		if p.span != counter && p.span.Start < end+c.w.slide-c.w.size {
			c.st.Panes.Delete(k, p.span)
		}
	}
	return nil
}

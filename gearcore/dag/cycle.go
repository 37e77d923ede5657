package dag

type edgeKey struct{ from, to string }

// cycleEdges returns the component edges that lie inside a cycle: both ends in one strongly connected component
// (Tarjan). Engine components take no part.
func cycleEdges(g *Graph) map[edgeKey]bool {
	c := &scc{graph: g, index: map[string]int{}, low: map[string]int{}, comp: map[string]int{}, next: map[string][]string{}}
	for _, p := range g.Processors {
		for _, in := range p.Inputs {
			c.next[in.Source] = append(c.next[in.Source], p.Name)
		}
	}
	for _, p := range g.Processors {
		if _, seen := c.index[p.Name]; !seen {
			c.visit(p.Name)
		}
	}
	out := map[edgeKey]bool{}
	for from, tos := range c.next {
		for _, to := range tos {
			if c.comp[from] == c.comp[to] {
				out[edgeKey{from, to}] = true
			}
		}
	}
	return out
}

type scc struct {
	graph      *Graph
	next       map[string][]string
	index, low map[string]int
	comp       map[string]int // 0 while on the stack
	stack      []string
	comps      int
}

// visit is Tarjan's recursion with an explicit stack, so that a long chain of components cannot exhaust the
// goroutine's.
func (c *scc) visit(root string) {
	type frame struct {
		name string
		i    int
	}
	enter := func(n string) frame {
		c.index[n] = len(c.index)
		c.low[n] = c.index[n]
		c.stack = append(c.stack, n)
		return frame{name: n}
	}
	frames := []frame{enter(root)}
	for len(frames) > 0 {
		f := &frames[len(frames)-1]
		if f.i < len(c.next[f.name]) {
			to := c.next[f.name][f.i]
			f.i++
			if _, seen := c.index[to]; !seen {
				frames = append(frames, enter(to))
			} else if c.comp[to] == 0 {
				c.low[f.name] = min(c.low[f.name], c.index[to])
			}
			continue
		}
		name := f.name
		frames = frames[:len(frames)-1]
		if len(frames) > 0 {
			up := frames[len(frames)-1].name
			c.low[up] = min(c.low[up], c.low[name])
		}
		if c.low[name] == c.index[name] {
			c.pop(name)
		}
	}
}

func (c *scc) pop(name string) {
	c.comps++
	for {
		n := c.stack[len(c.stack)-1]
		c.stack = c.stack[:len(c.stack)-1]
		c.comp[n] = c.comps
		if n == name {
			return
		}
	}
}

// Cycle returns the names of the components of one cycle of g, in the order of the graph, nil if it has none.
func Cycle(g *Graph) []string {
	in := cycleEdges(g)
	if len(in) == 0 {
		return nil
	}
	next := map[string][]string{}
	var start string
	for e := range in {
		next[e.from] = append(next[e.from], e.to)
		if start == "" || Compare(e.from, start) < 0 {
			start = e.from
		}
	}
	reached := map[string]bool{}
	for todo := []string{start}; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !reached[n] {
			reached[n] = true
			todo = append(todo, next[n]...)
		}
	}
	var out []string
	for _, p := range g.Processors {
		if reached[p.Name] {
			out = append(out, p.Name)
		}
	}
	return out
}

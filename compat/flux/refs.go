package flux

import (
	"slices"
	"strings"
)

// ref is one mention of a component.
type ref struct {
	at pos
	id string
}

// refs returns the components that an object is made of, in the order of their mention.
func (b *bean) refs() []ref {
	var out []ref
	args := slices.Concat(b.args, b.factoryArgs)
	for _, m := range b.methods {
		args = append(args, m.args...)
	}
	for _, a := range args {
		ids, _, err := a.refs()
		if err != nil {
			continue // the encoder tells
		}
		for _, id := range ids {
			out = append(out, ref{a.pos(), id})
		}
	}
	for _, p := range b.properties {
		if p.refs && p.value.Value != "" {
			out = append(out, ref{p.at, p.value.Value})
		}
	}
	return out
}

// refs reads an argument that stands for components: {ref: id}, or {reflist: [id, ...]} for a list of them. Its key is "" if
// the argument is a value.
func (n node) refs() (ids []string, key string, err error) {
	entries, err := n.anyEntries("")
	if err != nil || len(entries) != 1 {
		return nil, "", nil
	}
	switch e := entries[0]; e.key {
	case "ref":
		id, err := e.value.text("ref")
		return []string{id}, e.key, err
	case "reflist":
		ids, err := e.value.texts("reflist")
		return ids, e.key, err
	}
	return nil, "", nil
}

// order returns the components so that each stands behind those it is made of, else as they stand in the file. Unknown ids and
// cycles are errors.
func order(components []*bean) ([]*bean, error) {
	o := ordering{byID: map[string]*bean{}, state: map[string]int{}}
	for _, c := range components {
		o.byID[c.id] = c
	}
	for _, c := range components {
		if o.state[c.id] > 0 {
			continue
		}
		if err := o.visit(c); err != nil {
			return nil, err
		}
	}
	return o.out, nil
}

type ordering struct {
	byID  map[string]*bean
	state map[string]int // 1 on the path, 2 in out
	path  []string
	out   []*bean
}

func (o *ordering) visit(b *bean) error {
	o.state[b.id] = 1
	o.path = append(o.path, b.id)
	for _, r := range b.refs() {
		next, err := known(o.byID, r)
		if err != nil {
			return err
		}
		switch o.state[r.id] {
		case 1:
			cycle := append(slices.Clone(o.path[slices.Index(o.path, r.id):]), r.id)
			return r.at.errorf("component %q is made of itself: %s", r.id, chain(cycle))
		case 0:
			if err := o.visit(next); err != nil {
				return err
			}
		}
	}
	o.path = o.path[:len(o.path)-1]
	o.state[b.id] = 2
	o.out = append(o.out, b)
	return nil
}

// chain joins ids, not too many of them.
func chain(ids []string) string {
	const most = 12
	if len(ids) > most {
		ids = append(append(slices.Clone(ids[:most-2]), "..."), ids[len(ids)-1])
	}
	return strings.Join(ids, " -> ")
}

func known(byID map[string]*bean, r ref) (*bean, error) {
	if b := byID[r.id]; b != nil {
		return b, nil
	}
	return nil, r.at.errorf("there is no component %q", r.id)
}

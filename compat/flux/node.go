package flux

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
	"go.yaml.in/yaml/v3"
)

// pos is a place in a file.
type pos struct {
	file string
	line int
}

func (p pos) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

func (p pos) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", p, fmt.Errorf(format, args...))
}

// node is a YAML node and the file it stands in. Aliases are followed wherever one is taken out of another.
type node struct {
	*yaml.Node
	file string
}

func (n node) pos() pos { return pos{n.file, n.Line} }

func (n node) errorf(format string, args ...any) error { return n.pos().errorf(format, args...) }

func (n node) child(c *yaml.Node) node {
	if c.Kind == yaml.AliasNode {
		c = c.Alias
	}
	return node{c, n.file}
}

func (n node) isNull() bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

type entry struct {
	key   string
	at    node // of the key
	value node
}

// entries gives the keys of a map, with those of merge keys (<<) that it does not have itself. allowed lists the keys
// there may be; what names the map in errors.
func (n node) entries(what string, allowed ...string) ([]entry, error) {
	all, err := n.anyEntries(what)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if !slices.Contains(allowed, e.key) {
			return nil, e.at.errorf("%s has no key %q, only %s", what, e.key, strings.Join(allowed, ", "))
		}
	}
	return all, nil
}

func (n node) anyEntries(what string) ([]entry, error) {
	if n.Kind != yaml.MappingNode {
		return nil, n.errorf("%s must be a map", what)
	}
	var own, merged []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.child(n.Content[i]), n.child(n.Content[i+1])
		if k.ShortTag() != "!!merge" {
			own = append(own, entry{k.Value, k, v})
			continue
		}
		from := []node{v}
		if v.Kind == yaml.SequenceNode {
			from = from[:0]
			for _, c := range v.Content {
				from = append(from, v.child(c))
			}
		}
		for _, f := range from {
			more, err := f.anyEntries(what)
			if err != nil {
				return nil, err
			}
			merged = append(merged, more...)
		}
	}
	has := make(map[string]bool, len(own))
	for _, e := range own {
		has[e.key] = true
	}
	for _, e := range merged { // of several that are merged in, the first has it
		if !has[e.key] {
			has[e.key] = true
			own = append(own, e)
		}
	}
	return own, nil
}

// list gives the elements of a list; null is an empty one.
func (n node) list(what string) ([]node, error) {
	if n.isNull() {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, n.errorf("%s must be a list", what)
	}
	out := make([]node, len(n.Content))
	for i, c := range n.Content {
		out[i] = n.child(c)
	}
	return out, nil
}

// text gives a scalar as it is written; a command may have 8080 for an argument.
func (n node) text(what string) (string, error) {
	if n.Kind != yaml.ScalarNode || n.isNull() {
		return "", n.errorf("%s must be a text", what)
	}
	return n.Value, nil
}

func (n node) texts(what string) ([]string, error) {
	list, err := n.list(what)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(list))
	for i, e := range list {
		if out[i], err = e.text("each element of " + what); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// number gives a whole number from low to high.
func (n node) number(what string, low, high int) (int, error) {
	i, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || i < low || i > high {
		return 0, n.errorf("%s must be a whole number from %d to %d", what, low, high)
	}
	return i, nil
}

func (n node) boolean(what string) (bool, error) {
	switch n.Value {
	case "true", "yes", "on":
		return true, nil
	case "false", "no", "off":
		return false, nil
	}
	return false, n.errorf("%s must be true or false", what)
}

func (n node) isList() bool { return n.Kind == yaml.SequenceNode }

// yaml11Bool reads what YAML 1.1, which Storm's parser speaks, has for booleans beside true and false.
func (n node) yaml11Bool() (yes, ok bool) {
	if n.Kind != yaml.ScalarNode || n.Style != 0 {
		return false, false
	}
	switch n.Value {
	case "yes", "Yes", "YES", "on", "On", "ON":
		return true, true
	case "no", "No", "NO", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

func (n node) value() (any, error) { return conf.NodeValue(n.file, n.Node) }

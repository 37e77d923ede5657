package conf

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxFileBytes bounds a configuration file.
const MaxFileBytes = 1 << 20

// ParseYAML reads the YAML of a configuration file; name only appears in errors, with the line. An empty document is an
// empty Conf. Keys that are declared get the kind they are declared with, so that plain scalars mean what they meant to
// Storm's YAML 1.1 parser: on and no are booleans, 1:30 is 90. Everything else follows YAML 1.2, dates stay text.
// A key that stands there twice is an error.
func ParseYAML(name string, data []byte) (Conf, error) {
	root, err := ParseNode(name, data)
	if err != nil || root == nil {
		return Conf{}, err
	}
	return NodeConf(name, root)
}

// NodeConf reads a configuration out of a node, with the declared kinds of its keys.
func NodeConf(name string, n *yaml.Node) (Conf, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: a configuration must be a map of keys", name, n.Line)
	}
	r := yamlReader{name: name, budget: budget{nodes: MaxNodes}}
	return r.mapping(n, 0, declaredKind)
}

// ParseNode reads one bounded YAML document and gives its root node, nil when it is empty. Aliases are not followed yet.
func ParseNode(name string, data []byte) (*yaml.Node, error) {
	if len(data) > MaxFileBytes {
		return nil, fmt.Errorf("%s: %d bytes: %w", name, len(data), ErrTooLarge)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, yamlError(name, data, err)
	}
	if doc.Kind == 0 || len(doc.Content) == 0 {
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, nil
	}
	return root, nil
}

// NodeValue turns a node into the kinds of a Conf, without regard to any key's declared kind.
func NodeValue(name string, n *yaml.Node) (any, error) {
	r := yamlReader{name: name, budget: budget{nodes: MaxNodes}}
	return r.value(n, 0, anyKind)
}

var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\s*)?line (\d+): `)

// yamlError puts the line of the library's error behind the name. The library has no word for the commonest mistake.
func yamlError(name string, data []byte, err error) error {
	text := err.Error()
	m := yamlLine.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("%s: %s", name, strings.TrimPrefix(text, "yaml: "))
	}
	text = strings.TrimSpace(text[len(m[0]):])
	if n, err := strconv.Atoi(m[1]); err == nil && indentedWithTab(data, n) {
		text += ": the line is indented with a tab, and YAML takes only spaces"
	}
	return fmt.Errorf("%s:%s: %s", name, m[1], text)
}

// indentedWithTab tells whether there is a tab before the first word of line n, counted from 1.
func indentedWithTab(data []byte, n int) bool {
	i := 0
	for line := range bytes.Lines(data) {
		if i++; i == n {
			indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
			return bytes.IndexByte(indent, '\t') >= 0
		}
	}
	return false
}

// scalarKind is what a plain scalar is taken for.
type scalarKind int

const (
	anyKind scalarKind = iota
	boolKind
	numberKind
	textKind
)

func declaredKind(key string) scalarKind {
	k, ok := Lookup(key)
	switch {
	case !ok:
		return anyKind
	case k.is("bool"):
		return boolKind
	case k.is("int", "long", "number", "positive", "not-negative", "ports", "map-of-numbers"):
		return numberKind
	case k.is("string", "absolute-path", "class", "one-of", "strings", "string-or-strings", "map-of-strings"):
		return textKind
	}
	return anyKind
}

type yamlReader struct {
	name string
	budget
}

func (r *yamlReader) fail(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", r.name, n.Line, fmt.Errorf(format, args...))
}

func (r *yamlReader) value(n *yaml.Node, depth int, want scalarKind) (any, error) {
	if err := r.take(depth); err != nil {
		return nil, r.fail(n, "%w", err)
	}
	switch n.Kind {
	case yaml.AliasNode:
		// A cycle ends at the depth bound, a bomb at the count of values.
		return r.value(n.Alias, depth+1, want)
	case yaml.ScalarNode:
		return r.scalar(n, want)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, e := range n.Content {
			v, err := r.value(e, depth+1, want)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		m, err := r.mapping(n, depth, func(string) scalarKind { return want })
		return map[string]any(m), err
	}
	return nil, r.fail(n, "unexpected YAML node")
}

func (r *yamlReader) mapping(n *yaml.Node, depth int, kind func(key string) scalarKind) (Conf, error) {
	out, merged := Conf{}, Conf{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			return nil, r.fail(k, "a key must be a plain value")
		}
		if k.ShortTag() == "!!merge" {
			if err := r.merge(merged, v, depth+1, kind); err != nil {
				return nil, err
			}
			continue
		}
		if _, twice := out[k.Value]; twice {
			return nil, r.fail(k, "key %q stands there twice", short(k.Value))
		}
		x, err := r.value(v, depth+1, kind(k.Value))
		if err != nil {
			return nil, err
		}
		out[k.Value] = x
	}
	return Merge(merged, out), nil
}

// merge reads the value of a YAML merge key (<<): a map or a list of maps, of which the earlier ones win.
func (r *yamlReader) merge(into Conf, n *yaml.Node, depth int, kind func(string) scalarKind) error {
	if err := r.take(depth); err != nil {
		return r.fail(n, "%w", err)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.merge(into, n.Alias, depth+1, kind)
	case yaml.SequenceNode:
		for _, e := range n.Content {
			if err := r.merge(into, e, depth+1, kind); err != nil {
				return err
			}
		}
		return nil
	case yaml.MappingNode:
		m, err := r.mapping(n, depth+1, kind)
		for k, v := range m {
			if _, has := into[k]; !has {
				into[k] = v
			}
		}
		return err
	}
	return r.fail(n, "the value of << must be a map")
}

func (r *yamlReader) scalar(n *yaml.Node, want scalarKind) (any, error) {
	tag := n.ShortTag()
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
	if tag == "!!null" {
		return nil, nil
	}
	if plain {
		if v, ok := coerce(n.Value, want); ok {
			return v, nil
		}
	}
	switch tag {
	case "!!bool":
		if b, ok := yaml11Bool(n.Value); ok {
			return b, nil
		}
	case "!!int":
		return r.integer(n)
	case "!!float":
		var f float64
		if err := n.Decode(&f); err != nil {
			return nil, r.fail(n, "number %q cannot be read", short(n.Value))
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, r.fail(n, "%s is not allowed: JSON has no such number", n.Value)
		}
		return f, nil
	case "!!binary":
		return nil, r.fail(n, "binary values are not allowed")
	}
	return n.Value, nil
}

func (r *yamlReader) integer(n *yaml.Node) (any, error) {
	var i int64
	if n.Decode(&i) == nil {
		return i, nil
	}
	b, ok := new(big.Int).SetString(strings.ReplaceAll(n.Value, "_", ""), 0)
	const mostDigits = 1000
	if !ok || len(n.Value) > mostDigits {
		return nil, r.fail(n, "number %q cannot be read", short(n.Value))
	}
	return b, nil
}

// coerce reads a plain scalar as the kind its key is declared with, where YAML 1.1 and 1.2 differ.
func coerce(s string, want scalarKind) (any, bool) {
	switch want {
	case boolKind:
		b, ok := yaml11Bool(s)
		return b, ok
	case numberKind:
		n, err := sexagesimal(s)
		return n, err == nil
	case textKind:
		return s, true
	}
	return nil, false
}

var sexagesimalForm = regexp.MustCompile(`^[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+$`)

// sexagesimal reads the base 60 numbers of YAML 1.1: 1:30 is 90.
func sexagesimal(s string) (int64, error) {
	if !sexagesimalForm.MatchString(s) {
		return 0, errors.New("no sexagesimal number")
	}
	digits := strings.ReplaceAll(strings.TrimLeft(s, "+-"), "_", "")
	var n int64
	for part := range strings.SplitSeq(digits, ":") {
		p, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n > (math.MaxInt64-p)/60 {
			return 0, fmt.Errorf("number %s is too large", short(s))
		}
		n = n*60 + p
	}
	if strings.HasPrefix(s, "-") {
		n = -n
	}
	return n, nil
}

package zk

import (
	"fmt"
	"strings"
)

// paths are the nodes of one cluster.
type paths struct{ root string }

// newPaths says where the nodes of the cluster are whose storm.zookeeper.root is root.
func newPaths(root string) (paths, error) {
	root = strings.TrimRight(root, "/")
	if root != "" && (!strings.HasPrefix(root, "/") || strings.Contains(root, "//")) {
		return paths{}, fmt.Errorf("storm.zookeeper.root %q: wanted is an absolute path such as /storm", root)
	}
	for _, part := range strings.Split(root, "/") {
		if part == "." || part == ".." {
			return paths{}, fmt.Errorf("storm.zookeeper.root %q: %s is no name of a node", root, part)
		}
	}
	return paths{root + "/gearstorm"}, nil
}

func (p paths) head() string       { return p.root + "/head" }
func (p paths) candidates() string { return p.root + "/candidates" }
func (p paths) top() string        { return p.root + "/top" }
func (p paths) sub() string        { return p.root + "/sub" }

// folder is the parent of keys whose first segment is first, and that have more.
func (p paths) folder(first string) string { return p.sub() + "/" + escape(first) }

// key is the node of a key and the folder it lies in, which is empty for the one that always exists.
func (p paths) key(key string) (node, folder string) {
	first, rest, more := strings.Cut(key, "/")
	if !more {
		return p.top() + "/" + escape(key), ""
	}
	folder = p.folder(first)
	return folder + "/" + escape(rest), folder
}

// parents are the nodes above the cluster's own ones, from the top, and these.
func (p paths) layout() []string {
	var out []string
	for i, c := range p.root {
		if c == '/' && i > 0 {
			out = append(out, p.root[:i])
		}
	}
	return append(out, p.root, p.candidates(), p.top(), p.sub())
}

const hex = "0123456789ABCDEF"

// escape makes text one name of a node, different for different texts: what is not printable ASCII, the slash and the
// caret become a caret and two digits. The names "." and ".." are escaped, since ZooKeeper refuses them.
func escape(text string) string {
	if text == "." || text == ".." {
		return strings.Repeat("^2E", len(text))
	}
	var out strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '/' || c == '^' {
			out.WriteString("^" + string(hex[c>>4]) + string(hex[c&15]))
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// unescape undoes escape. Names that escape does not make are not ours.
func unescape(name string) (text string, ours bool) {
	var out strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '^' {
			out.WriteByte(name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		high, low := strings.IndexByte(hex, name[i+1]), strings.IndexByte(hex, name[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		out.WriteByte(byte(high<<4 | low))
		i += 2
	}
	text = out.String()
	return text, escape(text) == name
}

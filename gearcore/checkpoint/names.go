package checkpoint

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// A store has the topologies' areas and what is kept by name:
//
//	topologies/<area>/log/<number>         the chain of records
//	topologies/<area>/manifests/<epoch>    what each checkpoint consists of
//	topologies/<area>/files/<epoch>-...    what tasks wrote, by the epoch for which they did
//	topologies/<area>/held/<area>          manifests that other topologies were started from and still use
//	topologies/<area>/origin               from what this topology was started, while it still uses its files
//	savepoints/<name>                      manifests that are kept by name
//
// area is that of a topology: its escaped id.
type area string

// areaOf escapes a topology's id to one segment of a name. Ids that are too long are cut and told apart by a hash.
func areaOf(topology string) area {
	var b strings.Builder
	for i := range len(topology) {
		if c := topology[i]; safe(c) && c != '=' && (c != '.' || i > 0) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	s := b.String()
	if len(s) > MaxSegment-40 {
		s = fmt.Sprintf("%s==%016x", s[:MaxSegment-60], xxhash.Sum64String(topology))
	}
	return area(s)
}

func (a area) dir(kind string) string             { return "topologies/" + string(a) + "/" + kind + "/" }
func (a area) record(number uint64) string        { return a.dir("log") + digits(number) }
func (a area) manifest(epoch uint64) string       { return a.dir("manifests") + digits(epoch) }
func (a area) held(by area) string                { return a.dir("held") + string(by) }
func (a area) origin() string                     { return "topologies/" + string(a) + "/origin" }
func (a area) file(epoch uint64, s string) string { return a.dir("files") + digits(epoch) + "-" + s }

const savepoints = "savepoints/"

// digits makes names sort by number.
func digits(n uint64) string { return fmt.Sprintf("%020d", n) }

// number is the opposite of digits, of what a name has behind dir up to the first "-".
func number(name, dir string) (uint64, bool) {
	s, ok := strings.CutPrefix(name, dir)
	s, _, _ = strings.Cut(s, "-")
	if !ok || len(s) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// filesDir returns the directory of a file of a checkpoint, or ErrCorrupt if no topology can have written one of that name.
func filesDir(name string) (string, error) {
	f := strings.Split(name, "/")
	if CheckName(name) != nil || len(f) != 4 || f[0] != "topologies" || f[2] != "files" {
		return "", fmt.Errorf("file %.100q: %w: that is not the name of a file of a checkpoint", name, ErrCorrupt)
	}
	return strings.TrimSuffix(name, f[3]), nil
}

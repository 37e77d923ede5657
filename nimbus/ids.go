package nimbus

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/client"
)

// newID is Storm's: name, a counter of this process, seconds. Another master may have given the same one within the second;
// then there are blobs of it here, as copies, perhaps not all of them yet.
func (n *Nimbus) newID(name string, now time.Time) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		n.submitted++
		id := fmt.Sprintf("%s-%d-%d", name, n.submitted, now.Unix())
		if !slices.ContainsFunc(blobKeys(id), n.knownLocked) {
			return id
		}
	}
}

// blobKeys are the blobs of one version of a topology, by its code id.
func blobKeys(code string) []string {
	return []string{client.JarKey(code), client.CodeKey(code), client.ConfKey(code)}
}

// versionMark stands before the number of a version in a code id. An id ends with "-<number>-<seconds>", so none looks like that.
const versionMark = "-v"

// newCode is the code id of the next version of a topology: its id and the version. There may be blobs of that name, of a try that
// failed and could not be removed everywhere; then it is another one.
func (n *Nimbus) newCode(t *topology) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for v := t.GraphVersion + 1; ; v++ {
		code := fmt.Sprintf("%s%s%d", t.ID, versionMark, v)
		if !slices.ContainsFunc(blobKeys(code), n.knownLocked) {
			return code
		}
	}
}

// topologyOf returns the id in the key of a topology's own blob, of whatever version.
func topologyOf(key string) (id string, ok bool) {
	for _, name := range []func(string) string{client.JarKey, client.CodeKey, client.ConfKey} {
		code, ok := strings.CutSuffix(key, name(""))
		if !ok || code == "" {
			continue
		}
		if i := strings.LastIndex(code, versionMark); i > 0 {
			if _, err := strconv.ParseUint(code[i+len(versionMark):], 10, 63); err == nil {
				code = code[:i]
			}
		}
		return code, true
	}
	return "", false
}

// knownLocked tells whether there is a blob of that key, or a copy of one here.
func (n *Nimbus) knownLocked(key string) bool {
	_, recorded := n.book[key]
	_, err := n.blobs.Info(key)
	return recorded || err == nil
}

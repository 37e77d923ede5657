package nimbus

import (
	"fmt"
	"slices"
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

// blobKeys are the blobs of a topology.
func blobKeys(id string) []string {
	return []string{client.JarKey(id), client.CodeKey(id), client.ConfKey(id)}
}

// knownLocked tells whether there is a blob of that key, or a copy of one here.
func (n *Nimbus) knownLocked(key string) bool {
	_, recorded := n.book[key]
	_, err := n.blobs.Info(key)
	return recorded || err == nil
}

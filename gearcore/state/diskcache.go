package state

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// diskCache is how much of what is on disk all Stores of a process together keep in memory, in bytes: blocks of entries, and the filters and
// indexes by which they are found, about 2 % of the entries.
const diskCache = 64 << 20

// blocks is the cache of the disks of this process.
var blocks blockCache

// blockCache lives as long as it has users.
type blockCache struct {
	mu    sync.Mutex
	cache *pebble.Cache // guarded by mu; nil without users
	users int           // guarded by mu
}

// take returns the cache for one more user, who leaves it once he has closed what uses it.
func (b *blockCache) take() *pebble.Cache {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users == 0 {
		b.cache = pebble.NewCache(diskCache)
	}
	b.users++
	return b.cache
}

func (b *blockCache) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users--; b.users == 0 {
		b.cache.Unref() // a DB that could not be closed keeps it
		b.cache = nil
	}
}

package nimbus

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster/mem"
)

// What a leader keeps of a topology with ordinary code and configuration is bounded, whether it took the topology itself or
// read it when its term began.
func TestMemoryPerTopology(t *testing.T) {
	store := mem.New()
	defer store.Close()
	c := start(t, func(cfg *Config) { cfg.Store = store })
	c.submitWords("first", "{}")
	live := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := live()
	const count = 50
	for i := range count {
		c.submitWords(fmt.Sprintf("words%d", i), "{}")
	}
	submitted := (live() - before) / count
	store.Expire()
	eventually(t, "the next term", func() bool { return c.epoch() == 2 && c.lead() == nil })
	read := (live() - before) / count
	t.Logf("bytes of heap a topology: %d when submitted here, %d when read", submitted, read)
	if submitted > 128<<10 || read > 128<<10 {
		t.Errorf("a topology takes %d or %d bytes of heap", submitted, read)
	}
}

package gearcore

import (
	"maps"
	"sync"
)

// Credentials are the secrets of a topology, which may be replaced while it runs. The zero value has none, and so has nil, for
// ever. They are safe for concurrent use.
type Credentials struct {
	mu      sync.Mutex
	values  map[string]string
	changed chan struct{} // nil while nobody waits
}

// Values are the credentials now. The map is never changed, and must not be.
func (c *Credentials) Values() map[string]string {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.values
}

// Changed is closed with the next change of Values. To miss none, call it before Values.
func (c *Credentials) Changed() <-chan struct{} {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.changed
}

// Set replaces all credentials; the map is kept. It is for whoever runs the tasks.
func (c *Credentials) Set(values map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if maps.Equal(values, c.values) {
		return
	}
	c.values = values
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

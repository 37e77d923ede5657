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
	changed chan struct{}        // nil while nobody waits
	told    map[int]func() error // those to be notified, by number
	last    int
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

// Notify has f called after every change, until it returns an error, or end is called. Calls come from goroutines of their own, which end when f
// returns, and may overlap; so f asks for Values when it uses them.
func (c *Credentials) Notify(f func() error) (end func()) {
	if c == nil {
		return func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told == nil {
		c.told = make(map[int]func() error)
	}
	c.last++
	id := c.last
	c.told[id] = f
	return func() { c.forget(id) }
}

func (c *Credentials) forget(id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.told, id)
}

// Set replaces all credentials; the map is kept. It is for whoever runs the tasks and does not wait for those who are notified.
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
	for id, f := range c.told {
		go c.tell(id, f)
	}
}

// tell notifies one, who is forgotten if he does not take it.
func (c *Credentials) tell(id int, f func() error) {
	if f() != nil {
		c.forget(id)
	}
}

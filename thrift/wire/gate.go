package wire

import (
	"net/netip"
	"sync"
)

// gate counts open connections, in all and by origin.
type gate struct {
	max, maxPerOrigin int

	mu       sync.Mutex
	open     int
	byOrigin map[netip.Prefix]int
}

// origin is what the cap per address counts by: an IPv4 address, or the /64 an IPv6 host has to itself.
func origin(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // the zero prefix for an invalid address
	return p
}

// enter takes a place for a connection from addr. It returns false, and why, when there is none.
func (g *gate) enter(addr netip.Addr) (bool, string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open >= g.max {
		return false, "too many connections"
	}
	o := origin(addr)
	if o.IsValid() && g.byOrigin[o] >= g.maxPerOrigin {
		return false, "too many connections from this address"
	}
	if g.byOrigin == nil {
		g.byOrigin = make(map[netip.Prefix]int)
	}
	g.open++
	g.byOrigin[o]++
	return true, ""
}

// leave gives the place of a connection from addr back.
func (g *gate) leave(addr netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	o := origin(addr)
	if g.byOrigin[o]--; g.byOrigin[o] == 0 {
		delete(g.byOrigin, o)
	}
}

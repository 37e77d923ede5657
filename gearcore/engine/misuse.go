package engine

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// allowed says whether a tuple may be emitted: now, and of that size.
func (s *sink) allowed(vals []gearcore.Value) error {
	if s.x.calling == nil {
		return s.x.outsideCall()
	}
	size := 0
	for i := range vals {
		size += vals[i].Weight()
	}
	if most := s.x.e.cfg.MaxTupleBytes; size > most {
		return gearcore.TupleTooLarge(size, most)
	}
	return nil
}

// outside reports a use of the collector while no call is under way, and says whether this is one. It reads what belongs
// to the run from whatever goroutine it is on; that this is a race is what it is there to tell.
func (s *sink) outside(what string) bool {
	if s.x.calling != nil {
		return false
	}
	s.x.e.report(s.t.id, fmt.Errorf("%s: %w", what, s.x.outsideCall()))
	return true
}

// outsideCall is why a collector may not be used now.
func (x *executor) outsideCall() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return gearcore.ErrClosed
	}
	return gearcore.ErrOutsideCall
}

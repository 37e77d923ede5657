package transport

import "github.com/gearstorm/gearstorm/gearcore"

// Keeps is what the consumer of a batch, and whoever it passes values on to, may still hold after Done.
type Keeps uint8

const (
	KeepsAll     Keeps = iota // the batch and all in it: user code may hold tuples
	KeepsTexts                // strings and byte slices, since they are passed on, but not the batch
	KeepsNothing              // nothing
)

const (
	// maxParcels bounds what a session holds for reuse; credit bounds what is under way.
	maxParcels = 32
	// maxParcelBytes is the text above which a parcel's memory is not kept.
	maxParcelBytes = 128 << 10
)

// parcel is a received batch that can be used again, with the memory that its texts are in. Every received frame is
// copied once, whole, and its texts are views of that copy; so what a kept text pins is its own frame.
type parcel struct {
	gearcore.Batch
	s     *session
	keeps Keeps
	text  []byte
	done  func(*gearcore.Batch)
}

// open returns an empty batch for what the consumer of its target keeps, or for one that keeps all, and a copy of body that lasts
// as long. p is nil if the batch is not used again.
func (s *session) open(body []byte, all bool) (b *gearcore.Batch, text []byte, p *parcel) {
	keeps, target := KeepsAll, dataTarget(body)
	s.mu.Lock()
	if !all {
		keeps = s.t.cfg.Keeps(target) // with mu: see Consumed
	}
	if keeps == KeepsAll {
		s.mu.Unlock()
		return &gearcore.Batch{Done: s.done}, s.texts.Bytes(body), nil
	}
	if n := len(s.parcels); n > 0 {
		p = s.parcels[n-1]
		s.parcels = s.parcels[:n-1]
	}
	if keeps == KeepsNothing {
		s.tallyLocked(target).lent++
	}
	s.mu.Unlock()
	if p == nil {
		p = &parcel{s: s}
		p.done = p.finished
	}
	p.keeps, p.Target, p.Done = keeps, target, p.done
	if keeps == KeepsTexts {
		p.text = nil
		return &p.Batch, s.texts.Bytes(body), p
	}
	p.text = append(p.text[:0], body...)
	return &p.Batch, p.text, p
}

// drop takes back what open returned, for a frame that cannot be read.
func (s *session) drop(target gearcore.TaskID, p *parcel) {
	if p == nil {
		return
	}
	p.Reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeBackLocked(target, p)
}

// takeBackLocked has p for another frame.
func (s *session) takeBackLocked(target gearcore.TaskID, p *parcel) {
	if p.keeps == KeepsNothing {
		s.tallyLocked(target).lent--
	}
	if len(s.parcels) < maxParcels {
		s.parcels = append(s.parcels, p)
	}
}

// Consumed reports whether nothing is left of what came for tasks while Config.Keeps said that they keep nothing. It does not say so any
// more.
func (t *Transport) Consumed(tasks []gearcore.TaskID) bool {
	left := false
	t.eachEnd(nil, func(s *session) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, id := range tasks {
			c := s.processed[id]
			left = left || c != nil && c.lent > 0
		}
	})
	return !left
}

// finished is the Done of a parcel.
func (p *parcel) finished(*gearcore.Batch) {
	target, size := p.Target, p.Size
	p.Reset()
	gearcore.PoisonText(p.text)
	if cap(p.text) > maxParcelBytes {
		p.text = nil
	}
	p.s.finish(target, size, p)
}

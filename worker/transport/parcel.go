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

// open returns an empty batch for what keeps allows, and a copy of body that lasts as long.
func (s *session) open(keeps Keeps, body []byte) (*gearcore.Batch, []byte) {
	if keeps == KeepsAll {
		return &gearcore.Batch{Done: s.done}, s.texts.Bytes(body)
	}
	var p *parcel
	s.mu.Lock()
	if n := len(s.parcels); n > 0 {
		p = s.parcels[n-1]
		s.parcels = s.parcels[:n-1]
	}
	s.mu.Unlock()
	if p == nil {
		p = &parcel{s: s}
		p.done = p.finished
	}
	p.keeps, p.Done = keeps, p.done
	if keeps == KeepsTexts {
		p.text = nil
		return &p.Batch, s.texts.Bytes(body)
	}
	p.text = append(p.text[:0], body...)
	return &p.Batch, p.text
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

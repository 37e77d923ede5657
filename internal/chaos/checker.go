package chaos

import (
	"fmt"
	"slices"
)

// Checker adds up the files of a run: what was claimed, acked and seen. It is a plain value of its inputs. Within one look
// at the files it must be given acks first, then sights, then claims, the reverse of how they are written.
type Checker struct {
	sources []*book
	// counts are the last counts by sink's file and relay.
	counts map[string]map[uint64]uint64
	totals Totals
}

// Totals are the sums of a run.
type Totals struct {
	Claimed uint64 `json:"claimed"` // numbers given out to sources: what has to arrive
	Acked   uint64 `json:"acked"`   // numbers acked at least once
	Seen    uint64 `json:"seen"`    // numbers that arrived at least once
	// Duplicated are arrivals of numbers that had arrived before.
	Duplicated uint64 `json:"duplicated"`
	// Disordered are arrivals out of the order in which their relay sent them.
	Disordered uint64 `json:"disordered"`
	// Corrupt are arrivals with another text than the number's, Foreign ones whose number nobody claimed.
	Corrupt uint64 `json:"corrupt"`
	Foreign uint64 `json:"foreign"`
	// Unseen are numbers that were acked and never arrived.
	Unseen uint64 `json:"acked_unseen"`
}

// book is what is known of one source's numbers; index 0 is number 1.
type book struct {
	claims claims
	seen   []bool
	acked  []bool
	low    uint64 // numbers up to low have arrived
	unseen map[uint64]bool
}

// ahead bounds how far beyond the claimed numbers one is believed: claims are read last.
const ahead = 1 << 22

// NewChecker returns a checker of that many sources.
func NewChecker(sources int) *Checker {
	c := &Checker{counts: map[string]map[uint64]uint64{}}
	for range sources {
		c.sources = append(c.sources, &book{unseen: map[uint64]bool{}})
	}
	return c
}

// book returns the source's book and whether the number may be one of its own.
func (c *Checker) book(source int, number uint64) (*book, bool) {
	if source < 0 || source >= len(c.sources) || number == 0 {
		return nil, false
	}
	b := c.sources[source]
	return b, number <= b.claims.high+ahead
}

// Ack takes the ack of a number.
func (c *Checker) Ack(source int, number uint64) {
	b, ok := c.book(source, number)
	if !ok {
		c.totals.Foreign++
		return
	}
	b.acked = grown(b.acked, number)
	if b.acked[number-1] {
		return
	}
	b.acked[number-1] = true
	c.totals.Acked++
	if !b.has(number) {
		b.unseen[number] = true
	}
}

// Sight takes an arrival at the sink that writes the file sink.
func (c *Checker) Sight(sink string, s Sight) {
	if s.Corrupt {
		c.totals.Corrupt++
	}
	b, ok := c.book(int(s.Source), s.Number)
	if !ok {
		c.totals.Foreign++
		return
	}
	c.order(sink, s)
	if b.has(s.Number) {
		c.totals.Duplicated++
		return
	}
	b.seen = grown(b.seen, s.Number)
	b.seen[s.Number-1] = true
	delete(b.unseen, s.Number)
	c.totals.Seen++
	for b.has(b.low + 1) {
		b.low++
	}
}

// order checks that what comes from one relay comes in its order.
func (c *Checker) order(sink string, s Sight) {
	last := c.counts[sink]
	if last == nil {
		last = map[uint64]uint64{}
		c.counts[sink] = last
	}
	if s.Count <= last[s.Relay] {
		c.totals.Disordered++
		return
	}
	last[s.Relay] = s.Count
}

// Claim takes the next claim of a source's file.
func (c *Checker) Claim(source int, next claim) error {
	if source < 0 || source >= len(c.sources) {
		return fmt.Errorf("a claim of source %d, of which there are %d", source, len(c.sources))
	}
	if first, last := c.sources[source].claims.apply(next); first <= last {
		c.totals.Claimed += last - first + 1
	}
	return nil
}

// Totals returns the sums so far.
func (c *Checker) Totals() Totals {
	t := c.totals
	for _, b := range c.sources {
		t.Unseen += uint64(len(b.unseen))
		for n := b.claims.high + 1; n <= uint64(len(b.seen)); n++ {
			if b.has(n) {
				t.Foreign++
			}
		}
	}
	return t
}

// Mark is what had been claimed at a moment, by source.
type Mark []uint64

// Mark returns what is claimed so far.
func (c *Checker) Mark() Mark {
	var m Mark
	for _, b := range c.sources {
		m = append(m, b.claims.high)
	}
	return m
}

// Missing counts the numbers of the mark that have not arrived.
func (c *Checker) Missing(m Mark) (missing int) {
	for i, b := range c.sources[:min(len(m), len(c.sources))] {
		for n := b.low + 1; n <= m[i]; n++ {
			if !b.has(n) {
				missing++
			}
		}
	}
	return missing
}

// Open counts the numbers of the mark that were not acked.
func (c *Checker) Open(m Mark) (open int) {
	for i, b := range c.sources[:min(len(m), len(c.sources))] {
		for n := range m[i] {
			if n >= uint64(len(b.acked)) || !b.acked[n] {
				open++
			}
		}
	}
	return open
}

func (b *book) has(number uint64) bool {
	return number <= uint64(len(b.seen)) && b.seen[number-1]
}

// grown returns list with a place for number.
func grown(list []bool, number uint64) []bool {
	if n := int(number); n > len(list) {
		list = slices.Grow(list, n-len(list))[:n]
	}
	return list
}

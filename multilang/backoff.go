package multilang

import "time"

// backoff says how long to wait before the next start of a child. The wait doubles with every life that was short and
// starts over after one that lasted.
type backoff struct {
	first, most time.Duration
	lasted      time.Duration // a life this long forgives what was before
	next        time.Duration
}

func newBackoff(first, most time.Duration) backoff {
	return backoff{first: first, most: most, lasted: time.Minute}
}

// after returns the wait after a life of length lived.
func (b *backoff) after(lived time.Duration) time.Duration {
	if lived >= b.lasted || b.next == 0 {
		b.next = b.first
	}
	wait := b.next
	b.next = min(2*b.next, b.most)
	return wait
}

// forget makes the next wait the first one: the life that ended was fine, whatever its length.
func (b *backoff) forget() { b.next = 0 }

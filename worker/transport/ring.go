package transport

import (
	"errors"
	"sync/atomic"
	"unsafe"
)

// A ring is a byte stream in memory that two processes share, with one writer and one reader. A page of indices comes
// first, the data after it:
//
//	  0  tail         bytes ever written, stored by the writer
//	128  head         bytes ever read, stored by the reader
//	256  readerWaits  1 while the reader wants a doorbell for the next byte
//	384  writerWaits  1 while the writer wants one for free space
//
// Each side keeps its own index to itself and only publishes it: what the other process does to the memory cannot move
// it. The other's index is read once a call and believed only if it makes sense, else errRing. Bytes are copied out
// before anybody looks at them.
//
// A side that is about to sleep sets its flag and looks at the other's index once more; the other moves its index and
// then looks at the flag. The atomics order these four steps, so one of the two sees the other: no wake-up is lost.
const (
	ringHead     = 4 << 10
	ringMinBytes = 64 << 10
	ringMaxBytes = 4 << 20
	ringBytes    = 1 << 20
)

var errRing = errors.New("shared memory: the peer's index makes no sense")

// ringMem is the shared memory seen as what it holds.
type ringMem struct {
	tail, head               *atomic.Uint64
	readerWaits, writerWaits *atomic.Uint32
	data                     []byte // a power of two long
}

// ringSize reports whether n bytes can be a ring: a page and a power of two within bounds.
func ringSize(n int64) bool {
	d := n - ringHead
	return d >= ringMinBytes && d <= ringMaxBytes && d&(d-1) == 0
}

// newRingMem looks at mem, whose size is right and which is aligned to 8.
func newRingMem(mem []byte) ringMem {
	at := func(o int) unsafe.Pointer { return unsafe.Pointer(&mem[o]) }
	return ringMem{
		(*atomic.Uint64)(at(0)), (*atomic.Uint64)(at(128)),
		(*atomic.Uint32)(at(256)), (*atomic.Uint32)(at(384)), mem[ringHead:],
	}
}

// producer is the writing end.
type producer struct {
	ringMem
	at uint64
}

// used returns how much of the ring the reader has not read.
func (p *producer) used() (uint64, error) {
	n := p.at - p.head.Load()
	if n > uint64(len(p.data)) {
		return 0, errRing
	}
	return n, nil
}

// put copies of b what fits. wake tells that the reader sleeps and must be woken.
func (p *producer) put(b []byte) (n int, wake bool, err error) {
	used, err := p.used()
	if err != nil {
		return 0, false, err
	}
	size := uint64(len(p.data))
	free := size - used
	if free == 0 {
		return 0, false, nil
	}
	b = b[:min(uint64(len(b)), free)]
	at := p.at & (size - 1)
	n = copy(p.data[at:], b)
	n += copy(p.data, b[n:])
	p.at += uint64(n)
	p.tail.Store(p.at)
	return n, p.readerWaits.Load() == 1 && p.readerWaits.Swap(0) == 1, nil
}

// sleep announces that the writer waits for space. It returns false if there is enough by now.
func (p *producer) sleep() (bool, error) {
	p.writerWaits.Store(1)
	used, err := p.used()
	if err != nil || used <= uint64(len(p.data))/2 {
		p.writerWaits.Store(0)
		return false, err
	}
	return true, nil
}

// consumer is the reading end.
type consumer struct {
	ringMem
	at uint64
}

// take copies to b what there is. wake tells that the writer waits and now has space enough.
func (c *consumer) take(b []byte) (n int, wake bool, err error) {
	size := uint64(len(c.data))
	have := c.tail.Load() - c.at
	if have > size {
		return 0, false, errRing
	}
	if have == 0 || len(b) == 0 {
		return 0, false, nil
	}
	at, want := c.at&(size-1), min(have, uint64(len(b)))
	n = copy(b[:want], c.data[at:])
	n += copy(b[n:want], c.data)
	c.at += uint64(n)
	c.head.Store(c.at)
	return n, have-uint64(n) <= size/2 && c.writerWaits.Load() == 1 && c.writerWaits.Swap(0) == 1, nil
}

// sleep announces that the reader waits for a byte. It returns false if there is one by now.
func (c *consumer) sleep() bool {
	c.readerWaits.Store(1)
	if c.tail.Load() != c.at {
		c.readerWaits.Store(0)
		return false
	}
	return true
}

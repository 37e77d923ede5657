package transport

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"
)

// sharedMem is memory for a ring of n bytes, aligned as mmap does.
func sharedMem(n int) ringMem {
	words := make([]uint64, (ringHead+n)/8)
	return newRingMem(unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), ringHead+n))
}

func TestRingSize(t *testing.T) {
	for n, want := range map[int64]bool{
		ringHead + ringBytes: true, ringHead + ringMinBytes: true, ringHead + ringMaxBytes: true, 0: false, ringHead: false,
		ringHead + ringBytes + 1: false, ringBytes: false, ringHead + 2*ringMaxBytes: false, ringHead + ringMinBytes/2: false, -1: false,
	} {
		if ringSize(n) != want {
			t.Errorf("a ring of %d bytes in all: %v, want %v", n, !want, want)
		}
	}
}

// TestRingLosesNoWakeUp passes pieces of all sizes from one goroutine to another. Both sleep on channels whenever the
// ring lets them, so a wake-up that is missing hangs the test.
func TestRingLosesNoWakeUp(t *testing.T) {
	mem := sharedMem(ringMinBytes)
	p, c := producer{ringMem: mem}, consumer{ringMem: mem}
	data, space := make(chan struct{}, 1), make(chan struct{}, 1)
	const total = 32 << 20
	bell := func(ch chan struct{}) {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	go func() {
		rnd := rand.New(rand.NewPCG(1, 2))
		buf := make([]byte, 100<<10)
		for sent := 0; sent < total; {
			n := min(1+rnd.IntN(len(buf)>>rnd.IntN(16)), total-sent)
			for i := range buf[:n] {
				buf[i] = byte((sent + i) % 251)
			}
			for b := buf[:n]; len(b) > 0; {
				put, wake, err := p.put(b)
				if err != nil {
					t.Error(err)
					return
				}
				b = b[put:]
				if wake {
					bell(data)
				}
				if len(b) > 0 {
					if sleep, _ := p.sleep(); sleep {
						<-space
					}
				}
			}
			sent += n
		}
	}()
	rnd := rand.New(rand.NewPCG(3, 4))
	buf := make([]byte, 100<<10)
	for got := 0; got < total; {
		n, wake, err := c.take(buf[:1+rnd.IntN(len(buf)>>rnd.IntN(16))])
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range buf[:n] {
			if b != byte((got+i)%251) {
				t.Fatalf("byte %d is %d", got+i, b)
			}
		}
		got += n
		if wake {
			bell(space)
		}
		if n == 0 && c.sleep() {
			<-data
		}
	}
}

// FuzzRing lets the other process write what it likes over the indices, the flags and the data between calls. Neither
// end may read or write outside the ring, hand out more than it was given, or loop.
func FuzzRing(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3})
	f.Add(bytes.Repeat([]byte{0, 200, 1, 200, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 3, 1, 0, 0, 0, 0, 0, 0, 0}, 4))
	f.Add(binary.LittleEndian.AppendUint64([]byte{2}, ringMinBytes+1))
	f.Fuzz(func(t *testing.T, script []byte) {
		mem := sharedMem(ringMinBytes)
		p, c := producer{ringMem: mem}, consumer{ringMem: mem}
		buf := make([]byte, 3000)
		arg := func(n int) (v uint64) {
			n = min(n, len(script))
			for i, b := range script[:n] {
				v |= uint64(b) << (8 * i)
			}
			script = script[n:]
			return v
		}
		for len(script) > 0 {
			switch arg(1) % 6 {
			case 0:
				b := buf[:10*arg(1)]
				if n, _, err := p.put(b); n > len(b) || err != nil && n != 0 {
					t.Fatalf("put %d of %d, %v", n, len(b), err)
				}
			case 1:
				b := buf[:10*arg(1)]
				if n, _, err := c.take(b); n > len(b) || err != nil && n != 0 {
					t.Fatalf("took %d of %d, %v", n, len(b), err)
				}
			case 2:
				mem.tail.Store(arg(8))
			case 3:
				mem.head.Store(arg(8))
			case 4:
				mem.readerWaits.Store(uint32(arg(4)))
				mem.writerWaits.Store(uint32(arg(4)))
			case 5:
				c.sleep()
				p.sleep()
			}
		}
	})
}

// TestRingPeerThatKeepsMovingItsIndex has the other side change its index while a call looks at it: what was checked
// is what is used.
func TestRingPeerThatKeepsMovingItsIndex(t *testing.T) {
	mem := sharedMem(ringMinBytes)
	var stop atomic.Bool
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		rnd := rand.New(rand.NewPCG(5, 6))
		for !stop.Load() {
			mem.tail.Store(rnd.Uint64N(2 * ringMinBytes))
			runtime.Gosched()
		}
	}()
	c, buf, taken, refused := consumer{ringMem: mem}, make([]byte, 5000), 0, 0
	await(t, "many indices are taken and many refused", func() bool {
		for range 1000 {
			n, _, err := c.take(buf)
			switch {
			case n > len(buf):
				t.Fatalf("%d bytes", n)
			case err != nil:
				refused++
				c.at = 0
			case n > 0:
				taken++
			}
		}
		return taken > 10_000 && refused > 100
	})
	stop.Store(true)
	<-stopped
}

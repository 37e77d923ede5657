package chaos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
)

// source is the spout. Its numbers are a source as Kafka is one: they exist once they are claimed, and whatever its
// predecessor (another incarnation of the same task, in a worker that was killed, or that is cut off and does not know it)
// had not seen acked, it emits again. A predecessor that still runs gets no more numbers.
type source struct {
	t     Topology
	index int

	incarnation uint64
	claims      *os.File
	known       claims // what the file of claims says up to read
	read        int64
	acks        *os.File

	next, last uint64 // of the numbers that were claimed and not emitted yet
	again      []due  // what is to be emitted again
	bucket     bucket
	superseded bool
	stop       switchFile
}

// due is a number that is to be emitted again, not before at: a failure that comes back at once must not make a storm.
type due struct {
	number uint64
	at     time.Time
}

const retryAfter = 100 * time.Millisecond

// Open implements storm.Spout.
func (s *source) Open(ctx *storm.Context, _ *storm.Collector) error {
	s.index, s.incarnation = ctx.Index, rand.Uint64()
	s.bucket = bucket{perSecond: float64(s.t.Rate) / float64(s.t.Sources)}
	s.stop = switchFile{path: filepath.Join(s.t.Dir, stopFile)}
	s.next = 1
	var err error
	if s.claims, err = openLedger(s.t.Dir, claimsFile(s.index)); err != nil {
		return err
	}
	if s.acks, err = openLedger(s.t.Dir, acksFile(s.index, s.incarnation)); err != nil {
		return err
	}
	if _, _, err := s.claim(0); err != nil {
		return err
	}
	return s.adopt()
}

// adopt takes over what earlier incarnations had not seen acked.
func (s *source) adopt() error {
	check := NewChecker(s.index + 1)
	t := newTail(s.t.Dir, check)
	defer t.close()
	err := t.each(fmt.Sprintf("acks-%d-*", s.index), ackBytes, func(_ string, _ int, rec []byte) error {
		check.Ack(s.index, binary.LittleEndian.Uint64(rec))
		return nil
	})
	if err != nil {
		return err
	}
	b := check.sources[s.index]
	for n := uint64(1); n <= s.known.high; n++ {
		if n > uint64(len(b.acked)) || !b.acked[n-1] {
			s.again = append(s.again, due{number: n})
		}
	}
	return nil
}

// claim asks for n numbers, with 0 for the source itself, and returns the ones it got.
func (s *source) claim(n uint32) (first, last uint64, err error) {
	if _, err := s.claims.Write(claim{s.incarnation, n}.encode()); err != nil {
		return 1, 0, fmt.Errorf("claim numbers: %w", err)
	}
	end, err := s.claims.Seek(0, io.SeekCurrent) // behind what was just appended
	if err != nil {
		return 1, 0, err
	}
	var rec [claimBytes]byte
	for ; s.read < end; s.read += claimBytes {
		if _, err := s.claims.ReadAt(rec[:], s.read); err != nil {
			return 1, 0, fmt.Errorf("read claims: %w", err)
		}
		c, err := decodeClaim(rec[:])
		if err != nil {
			return 1, 0, err
		}
		first, last = s.known.apply(c)
	}
	return first, last, nil
}

// Next implements storm.Spout: it emits one record if it is time for one.
func (s *source) Next(c *storm.Collector) error {
	now := time.Now()
	if s.superseded || !s.bucket.ready(now) {
		return storm.ErrIdle
	}
	if len(s.again) > 0 && !now.Before(s.again[0].at) {
		n := s.again[0].number
		s.again = s.again[1:]
		s.emit(c, n)
		return nil
	}
	if s.next > s.last {
		if s.stop.on(now) {
			return storm.ErrIdle
		}
		var err error
		if s.next, s.last, err = s.claim(s.block()); err != nil {
			return err
		}
		if s.next > s.last {
			s.superseded = true
			return storm.ErrIdle
		}
	}
	s.emit(c, s.next)
	s.next++
	return nil
}

// block is how many numbers are claimed at once: a tenth of a second's.
func (s *source) block() uint32 { return uint32(max(1, min(maxClaim, s.bucket.perSecond/10))) }

func (s *source) emit(c *storm.Collector, number uint64) {
	s.bucket.take()
	c.EmitID(storm.Long(int64(number)), s.index, int64(number), keyOf(number), textOf(s.t.Run, s.index, number))
}

// Ack implements storm.Acker.
func (s *source) Ack(id storm.Value, c *storm.Collector) {
	var rec [ackBytes]byte
	binary.LittleEndian.PutUint64(rec[:], uint64(id.Int()))
	if _, err := s.acks.Write(rec[:]); err != nil {
		c.ReportError(fmt.Errorf("keep an ack: %w", err))
		s.Fail(id, c) // an ack that is not kept is none
	}
}

// Fail implements storm.Failer.
func (s *source) Fail(id storm.Value, _ *storm.Collector) {
	s.again = append(s.again, due{uint64(id.Int()), time.Now().Add(retryAfter)})
}

// Close implements storm.Closer.
func (s *source) Close() {
	if s.acks != nil {
		s.acks.Close()
	}
	if s.claims != nil {
		s.claims.Close()
	}
}

// bucket is a token bucket: perSecond in the mean, a tenth of a second's worth at once.
type bucket struct {
	perSecond, tokens float64
	last              time.Time
}

// ready fills the bucket up to now and says whether there is a token.
func (b *bucket) ready(now time.Time) bool {
	if !b.last.IsZero() {
		b.tokens = min(b.tokens+now.Sub(b.last).Seconds()*b.perSecond, max(1, b.perSecond/10))
	}
	b.last = now
	return b.tokens >= 1
}

func (b *bucket) take() { b.tokens-- }

// switchFile is a file whose presence, and content, components look at now and then.
type switchFile struct {
	path   string
	looked time.Time
	there  bool
	text   string
}

const lookEvery = 100 * time.Millisecond

func (f *switchFile) on(now time.Time) bool {
	if now.Sub(f.looked) >= lookEvery {
		f.looked = now
		b, err := os.ReadFile(f.path)
		f.there, f.text = !errors.Is(err, os.ErrNotExist), string(b)
	}
	return f.there
}

package transport

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

const (
	readStart = 16 << 10
	readMax   = 256 << 10
)

// serve reads frames from conn until it breaks; a second goroutine writes grants meanwhile.
func (s *session) serve(conn stream) error {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		s.writeReplies(conn, stop)
		conn.Close()
	}()
	err := s.read(conn)
	close(stop)
	conn.Close()
	<-stopped
	return err
}

// read is the reading half. Its buffer grows only with what has arrived, never with what a length claims.
func (s *session) read(conn stream) error {
	s.notes = noteReader{}
	defer func() { s.notes = noteReader{} }()
	buf, w, ungranted := make([]byte, readStart), 0, 0
	for {
		conn.SetReadDeadline(time.Now().Add(s.t.cfg.IdleTimeout))
		n, err := conn.Read(buf[w:])
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = errors.New("the peer is silent")
			}
			return err
		}
		s.t.stats.BytesIn.Add(uint64(n))
		w += n
		rest, err := s.frames(buf[:w], conn.summed)
		if err != nil {
			return err
		}
		if ungranted += n; ungranted >= grantBytes {
			ungranted = 0
			s.signal()
		}
		full := w == len(buf)
		w = copy(buf, rest)
		switch {
		case full && (len(buf) < readMax || w == len(buf)):
			buf = append(buf, make([]byte, min(len(buf), s.t.cfg.MaxFrameBytes+frameHeader))...)
		case len(buf) > 2*readMax && w < readMax:
			buf = append(make([]byte, 0, readMax), buf[:w]...)[:readMax]
		}
	}
}

// frames handles the whole frames in p and returns the rest.
func (s *session) frames(p []byte, summed bool) (rest []byte, err error) {
	last, _ := s.progress()
	defer func() { s.advance(last, err) }()
	for {
		body, rest, _, err := nextFrame(p, s.t.cfg.MaxFrameBytes, summed)
		if err != nil || body == nil {
			return rest, err
		}
		p = rest
		if body[0] == framePing {
			s.signal()
			continue
		}
		if body[0] == frameConfirm {
			number, err := resultNumber(body)
			if err != nil {
				return nil, err
			}
			s.proxies.confirmed(number)
			continue
		}
		if body[0] == framePlan {
			version, err := parsePlan(body)
			if err != nil {
				return nil, err
			}
			s.knows(version)
			continue
		}
		if body[0] == frameNote {
			if err := s.note(body); err != nil {
				return nil, err
			}
			continue
		}
		seq, err := frameSeq(body)
		if err != nil {
			return nil, err
		}
		if seq <= last {
			continue // sent again after a reconnect
		}
		if seq != last+1 {
			s.end() // frames are lost between the two: resuming would not bring them
			return nil, badFrame("number %d after %d", seq, last)
		}
		if err := s.frame(body); err != nil {
			return nil, err
		}
		last = seq
	}
}

func (s *session) frame(body []byte) error {
	if body[0] == frameSkip {
		return s.skip(body)
	}
	if body[0] != frameData {
		return badFrame("type %d", body[0])
	}
	g := s.t.graph.Load()
	target := dataTarget(body)
	b, text, p := s.open(body, s.t.early.some.Load())
	err := decodeData(b, text, g.Layout)
	ahead := err != nil && s.ahead(g)
	if err != nil {
		s.drop(target, p)
	}
	if ahead { // it may be of a stream that is to come
		b, text, p = s.open(body, true)
		err = decodeStreams(b, text, g.Layout, math.MaxInt32)
	}
	if err != nil {
		return err
	}
	if g.Layout.ComponentOf(b.Target) == "" {
		if ahead = s.ahead(g); !ahead {
			s.drop(target, p)
			return badFrame("for task %d, which the topology does not have", b.Target)
		}
	}
	b.Epoch, b.Plan = s.id, s.arrived(b.Target)
	s.proxies.open(b)
	stats := &s.t.stats
	stats.FramesIn.Add(1)
	stats.TuplesIn.Add(uint64(len(b.Rows)))
	if !ahead && !s.t.early.some.Load() || !s.t.early.take(s, b) {
		s.deliver(b)
	}
	return nil
}

// deliver hands b to the engine.
func (s *session) deliver(b *gearcore.Batch) {
	if err := s.t.cfg.Deliver(b); err != nil {
		s.t.stats.UndeliveredTuples.Add(uint64(len(b.Rows)))
		if !s.warned.Swap(true) {
			s.t.log.Warn("a batch from another worker was not delivered; later ones are only counted", slog.Int("task", int(b.Target)), slog.Any("err", err))
		}
		s.proxies.refuse(b)
		b.Done(b)
	}
}

// skip takes the place of a frame that could not be read: its credit goes back.
func (s *session) skip(body []byte) error {
	if len(body) != numbered {
		return badFrame("%d bytes is no skip", len(body))
	}
	task := gearcore.TaskID(binary.LittleEndian.Uint32(body[10:]))
	if g := s.t.graph.Load(); body[1] != 0 && (g.Layout.ComponentOf(task) != "" || s.ahead(g)) {
		s.arrived(task)
		s.finish(task, 0, nil)
	}
	return nil
}

// note takes a piece of a note, and hands over the note that it completes.
func (s *session) note(body []byte) error {
	kind, note, whole, err := s.notes.take(body)
	if whole && s.t.cfg.Note != nil {
		s.mu.Lock()
		from := s.peer.slot
		s.mu.Unlock()
		s.t.cfg.Note(from, kind, note)
	}
	return err
}

package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// maxGrantBody bounds a grant or result frame: what a sender reads before it knows better.
const (
	grantsPerFrame = 1024
	maxGrantBody   = 1 + 8 + 4 + grantsPerFrame*12
)

// serve sends over conn until it breaks or ctx ends.
func (l *link) serve(ctx context.Context, conn stream) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	read := make(chan error, 1)
	go func() {
		err := l.readGrants(conn)
		conn.Close()
		read <- err
	}()
	err := l.write(conn, read)
	conn.Close()
	if rerr := <-read; rerr != nil && !errors.Is(rerr, net.ErrClosed) {
		return rerr
	}
	return err
}

// write is the writing half: first what a former connection left, then what the outlets have. It puts what it takes
// from read back.
func (l *link) write(conn stream, read chan error) error {
	if err := l.flush(conn, l.dues.greeting(nil)); err != nil {
		return err
	}
	for i, b := range l.ring.blocks {
		if i == len(l.ring.blocks)-1 {
			l.ring.written = 0
		} else if err := l.flush(conn, b.buf); err != nil {
			return err
		}
	}
	ping := time.NewTicker(l.t.cfg.IdleTimeout / 4)
	defer ping.Stop()
	l.pen.Lock()
	defer l.pen.Unlock()
	l.quick, _ = conn.Conn.(quickWriter)
	defer func() { l.quick = nil }()
	var small []byte
	for {
		if small = l.dues.confirmation(small[:0], false); len(small) > 0 {
			if err := l.flush(conn, small); err != nil {
				return err
			}
		}
		small = l.notePieces(small[:0])
		noted := len(small) > 0
		if noted {
			if err := l.flush(conn, small); err != nil {
				return err
			}
		}
		more := l.fill()
		if p := l.ring.pending(); len(p) > 0 && (!more || len(p) >= writeBytes) {
			if v := l.t.plan.Load(); v != l.told { // after fill: what it took may have moved here by that plan
				l.told = v
				if err := l.flush(conn, appendPlan(small[:0], v)); err != nil {
					return err
				}
			}
			l.ring.written += len(p)
			if err := l.flush(conn, p); err != nil {
				return err
			}
			continue
		}
		if more || noted {
			continue
		}
		pinged := false
		l.pen.Unlock()
		select {
		case <-l.work:
		case err := <-read:
			read <- err
			l.pen.Lock()
			return err
		case <-ping.C:
			pinged = true
		}
		l.pen.Lock()
		if pinged {
			if err := l.flush(conn, l.dues.confirmation(appendPing(small[:0]), true)); err != nil {
				return err
			}
		}
	}
}

// A plan frame: type, 64-bit version.
func appendPlan(buf []byte, version uint64) []byte {
	at := len(buf)
	buf = append(buf, zeros[:frameHeader]...)
	buf = binary.LittleEndian.AppendUint64(append(buf, framePlan), version)
	seal(buf, at)
	return buf
}

func parsePlan(body []byte) (version uint64, err error) {
	if len(body) != 1+8 {
		return 0, badFrame("%d bytes is no plan", len(body))
	}
	return binary.LittleEndian.Uint64(body[1:]), nil
}

// flush writes whole frames.
func (l *link) flush(conn stream, p []byte) error {
	if conn.summed {
		sum(p)
	}
	conn.SetWriteDeadline(time.Now().Add(l.t.cfg.IdleTimeout))
	n, err := conn.Write(p)
	l.t.stats.BytesOut.Add(uint64(n))
	return err
}

// fill encodes some of what may be sent into the current block. It returns false when there is nothing more to encode
// for now, or no place.
func (l *link) fill() (more bool) {
	l.mu.Lock()
	acked := l.acked
	l.mu.Unlock()
	l.ring.received(acked)
	blk := l.ring.open()
	if blk == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.stalled = l.acked == acked
		return !l.stalled && len(l.ring.pending()) == 0
	}
	l.mu.Lock()
	l.jobs, l.wake = l.flow.take(l.jobs[:0], takeBytes, l.wake[:0])
	l.mu.Unlock()
	for _, f := range l.wake {
		f()
	}
	clear(l.wake)
	for i := range l.jobs {
		l.encodeData(blk, &l.jobs[i])
	}
	n := len(l.jobs)
	clear(l.jobs)
	return n > 0
}

func (l *link) encodeData(blk *block, j *job) {
	b, frames := j.batch, 0
	l.bad = l.bad[:0]
	for next := 0; ; {
		var wrote bool
		from := next
		blk.buf, next, wrote, l.bad = appendData(blk.buf, l.ring.seq+1, b, next, l.maxBody, l.bad)
		if wrote {
			l.ring.seq++
			blk.last = l.ring.seq
			frames++
			l.dues.sent(l.ring.seq, b, from, next, l.bad)
		}
		if next >= len(b.Rows) {
			break
		}
	}
	l.t.stats.FramesOut.Add(uint64(frames))
	l.t.stats.TuplesOut.Add(uint64(len(b.Rows) - len(l.bad)))
	if frames != 1 {
		l.settle(j.outlet, frames)
	}
	for _, r := range l.bad {
		l.t.reject(b, r)
	}
	if b.Done != nil {
		b.Done(b)
	}
}

// settle corrects the credit that take took for one frame.
func (l *link) settle(o *Outlet, frames int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case o.link.Load() != l: // it has moved away meanwhile
		l.past[o.task] += uint64(frames) - 1
		return
	case frames > 0:
	case o.underWay() > 0:
		l.flow.uncharge(o)
	default: // it has moved away and come back
		o.sent--
		o.processed--
	}
	for range frames - 1 {
		l.flow.charge(o, 0)
	}
}

// readGrants is the reading half of a sender.
func (l *link) readGrants(conn stream) error {
	buf := make([]byte, 0, 4<<10)
	defer l.dues.tell()
	for {
		conn.SetReadDeadline(time.Now().Add(l.t.cfg.IdleTimeout))
		n, err := conn.Read(buf[len(buf):cap(buf)])
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return errors.New("worker link: the peer is silent")
			}
			return err
		}
		buf = buf[:len(buf)+n]
		rest := buf
		for {
			body, tail, need, err := nextFrame(rest, maxGrantBody, conn.summed)
			if err != nil {
				return err
			}
			if body == nil {
				buf = append(buf[:0], rest...)
				if need > cap(buf) {
					buf = append(make([]byte, 0, need), buf...)
				}
				break
			}
			rest = tail
			if err := l.answered(body); err != nil {
				return err
			}
		}
		l.dues.tell()
		if l.awaits() {
			l.kick()
		}
	}
}

// awaits reports whether what came from the receiver gives the writer something to do.
func (l *link) awaits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	stalled := l.stalled
	l.stalled = false
	return stalled || l.flow.ready.len() > 0 || l.dues.confirms()
}

// answered takes a frame of the receiver.
func (l *link) answered(body []byte) error {
	if body[0] == frameResults {
		return l.dues.take(body)
	}
	return l.granted(body)
}

// grant is how many frames of a target were processed, since the session began.
type grant struct {
	task      gearcore.TaskID
	processed uint64
}

func appendGrants(buf []byte, received uint64, gs []grant) []byte {
	at := len(buf)
	buf = append(buf, zeros[:frameHeader]...)
	buf = binary.LittleEndian.AppendUint64(append(buf, frameGrant), received)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(gs)))
	for _, g := range gs {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(g.task))
		buf = binary.LittleEndian.AppendUint64(buf, g.processed)
	}
	seal(buf, at)
	return buf
}

// parseGrants calls f for every grant of a grant frame's body.
func parseGrants(body []byte, f func(grant)) (received uint64, err error) {
	if len(body) < 13 || body[0] != frameGrant {
		return 0, badFrame("%d bytes is no grant frame", len(body))
	}
	received = binary.LittleEndian.Uint64(body[1:])
	n, p := binary.LittleEndian.Uint32(body[9:]), body[13:]
	if uint64(n)*12 != uint64(len(p)) {
		return 0, badFrame("%d grants in %d bytes", n, len(p))
	}
	for ; len(p) > 0; p = p[12:] {
		f(grant{gearcore.TaskID(binary.LittleEndian.Uint32(p)), binary.LittleEndian.Uint64(p[4:])})
	}
	return received, nil
}

func (l *link) granted(body []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	received, err := parseGrants(body, func(g grant) {
		if o := l.outlets[g.task]; o != nil {
			l.flow.processed(o, g.processed)
		}
	})
	l.acked = max(l.acked, received)
	return err
}

package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"
)

// accept takes connections until the listener closes. Errors that pass (no file descriptors left) are waited out.
func (t *Transport) accept(ctx context.Context, from net.Listener) error {
	for {
		conn, err := from.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return net.ErrClosed
			}
			t.log.Warn("accept worker link", slog.Any("err", err))
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		t.greet(conn)
		t.wg.Go(func() {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			defer conn.Close()
			err := t.receive(conn)
			if err != nil && ctx.Err() == nil {
				t.log.Debug("worker link from peer ended", slog.String("peer", conn.RemoteAddr().String()), slog.Any("err", err))
			}
		})
	}
}

// greet adds conn to those in the handshake; the oldest makes way when they are too many, so that strangers who say
// nothing cannot keep peers out.
func (t *Transport) greet(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.greeting) >= t.cfg.MaxHandshakes {
		t.greeting[0].Close()
		t.greeting = slices.Delete(t.greeting, 0, 1)
	}
	t.greeting = append(t.greeting, conn)
}

func (t *Transport) greeted(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.greeting, conn); i >= 0 {
		t.greeting = slices.Delete(t.greeting, i, i+1)
	}
}

// receive serves one accepted connection.
func (t *Transport) receive(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(t.cfg.HandshakeTimeout))
	unixConn, local := conn.(*net.UnixConn)
	var tr *transcript
	var id identity
	var err error
	if local {
		err = sameUser(unixConn)
	}
	if err == nil {
		tr, id, err = acceptHandshake(conn, t.cfg.Secret)
	}
	t.greeted(conn)
	if err != nil {
		t.stats.HandshakesRefused.Add(1)
		return err
	}
	w := welcome{self: t.identity(), maxFrame: uint32(t.cfg.MaxFrameBytes), win: window{t.cfg.ExclusiveBatches, t.cfg.FloatingBatches, t.cfg.TargetBytes}}
	var s *session
	switch {
	case id.topology != w.self.topology:
		w.code = answerTopology
	case !t.admits(&id):
		w.code = answerStale
	case !id.understands(&w.self):
		w.code = answerLayout
	case id.local && t.local != nil && !local:
		w.code, w.local = answerLocal, t.local.Addr().String()
	default:
		if s, w.resumed = t.session(&id); s == nil {
			w.code = answerBusy
			break
		}
		defer t.leave(s)
		if !s.acquire(conn, &id, t.cfg.HandshakeTimeout) {
			w.code = answerBusy
		}
	}
	switch w.code {
	case answerOK:
		defer s.release()
		t.heard(&id)
		w.received, w.refused = s.progress()
	case answerLocal:
	default:
		t.stats.HandshakesRefused.Add(1)
	}
	if err := tr.writeProof(conn, labelAccept, appendWelcome(nil, &w)); err != nil {
		return fmt.Errorf("write link welcome: %w", err)
	}
	switch w.code {
	case answerOK:
	case answerLocal:
		return nil
	default:
		return fmt.Errorf("worker %s: %w", id.worker, answers[w.code])
	}
	st := stream{Conn: conn, kind: "tcp", summed: true}
	if local {
		if st, err = agree(unixConn, !t.cfg.NoRing); err != nil {
			return err
		}
		defer st.Close()
	}
	conn.SetDeadline(time.Time{})
	return s.serve(st)
}

package jvmhost

import (
	"bytes"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestDeafPeer has a process whose channels are open and that does not answer any more: it is killed for it, its stacks are
// in the log, and the next one does the work. One that answers is left alone, whether it has work or not.
func TestDeafPeer(t *testing.T) {
	const n = 100
	cfg := fake(t, "deaf")
	var log syncBuffer
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Silence = 600 * time.Millisecond
	l := &line{ackers: 1, width: 1, timeout: time.Hour, outs: map[string]string{"default": "java"}, src: &source{make: number, track: true}, sinks: []*sink{{}}}
	h := startHost(t, cfg)
	l.start(t, h)
	eventually(t, "the deaf one is lost", func() bool { return len(l.hooks.all()) > 0 })
	errs := l.hooks.all()
	var lost *LostError
	if !errors.As(errs[0], &lost) || !errors.Is(lost, ErrSilent) || !strings.Contains(lost.Error(), "does not answer for 600ms") {
		t.Errorf("reported was %v, want ErrSilent of a process", errs)
	}
	if s := log.String(); !strings.Contains(s, "goroutine ") || strings.Contains(lost.Output, "goroutine ") {
		t.Errorf("the stacks belong into the log, and not into the error\n%s", s)
	}
	l.src.limit.Store(n)
	eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n })
	pid := h.PID()
	time.Sleep(2 * cfg.Silence) // nothing happens that could be waited for
	if now := h.PID(); now != pid {
		t.Errorf("process %d that answers gave way to %d", pid, now)
	}
}

// TestTell has a process that is told something at its start and when it changes, and the next one only the newest.
func TestTell(t *testing.T) {
	cfg := fake(t, "exit")
	var log syncBuffer
	cfg.Output = slog.New(slog.NewTextHandler(&log, nil))
	l := &line{ackers: 1, width: 1, timeout: time.Hour, outs: map[string]string{"default": "java"}, src: &source{make: number, track: true}, sinks: []*sink{{}}}
	h := startHost(t, cfg)
	h.Tell("a", []byte("first"))
	h.Tell("b", nil)
	l.start(t, h)
	told := func(name, value string) string {
		return "told " + name + " " + base64.StdEncoding.EncodeToString([]byte(value))
	}
	eventually(t, "the first are told", func() bool {
		s := log.String()
		return strings.Contains(s, told("a", "first")) && strings.Contains(s, "told b")
	})
	h.Tell("a", []byte("second"))
	eventually(t, "the change is told", func() bool { return strings.Contains(log.String(), told("a", "second")) })
	l.src.limit.Store(5000) // the process ends
	eventually(t, "another one was told", func() bool {
		return strings.Count(log.String(), told("a", "second")) == 2 && l.src.acked.Load() == 5000
	})
	if n := strings.Count(log.String(), told("a", "first")); n != 1 {
		t.Errorf("what is over was told %d times", n)
	}
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestThreadsStandStill has a Java task that does not come back from a call: its error says where it is. Threads that wait for
// each other for ever end the process, and another one goes on.
func TestThreadsStandStill(t *testing.T) {
	for mode, want := range map[string][]string{
		"call":     {"is in one call for more than 1 s", "CountDownLatch.await", "Stands.execute"},
		"deadlock": {"exit status 1", "deadlock: the threads", "other", "wait for each other for ever"},
	} {
		t.Run(mode, func(t *testing.T) {
			l := &line{ackers: 1, width: 1, timeout: time.Hour, outs: map[string]string{"default": "java"}, src: &source{make: number, track: true}, sinks: []*sink{{}}}
			l.src.limit.Store(2)
			h := startHost(t, javaMain(t, "Stands", mode))
			l.start(t, h)
			eventually(t, "an error", func() bool { return len(l.hooks.all()) > 0 })
			text := l.hooks.all()[0].Error()
			for _, w := range want {
				if !strings.Contains(text, w) {
					t.Errorf("the error does not say %q: %s", w, text)
				}
			}
			if mode == "call" && h.PID() == 0 {
				t.Error("the process was not left alone")
			}
		})
	}
}

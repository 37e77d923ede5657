package jvmhost

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// graphs is a topology with one task in Java, by version 1 of the graph, and that task.
func graphs(t *testing.T, h *Host) (*line, func() *Bolt) {
	t.Helper()
	l := &line{ackers: 1, width: 1, pending: 100, outs: map[string]string{"default": "go"}, src: &source{make: number, track: true}, sinks: []*sink{{}}}
	made := make(chan *Bolt, 1)
	l.made = func(b *Bolt) { made <- b }
	l.spec.Graph = 1
	return l, func() *Bolt { return <-made }
}

// TestFollowInJava has Java told in the order of its channel by which version a task works, also where it begins anew.
func TestFollowInJava(t *testing.T) {
	const n = 5_000
	h := startHost(t, javaMain(t, "Follows"))
	h.SetVersion(1, 0, []byte("one"))
	l, bolt := graphs(t, h)
	last := int64(1)
	seen := map[int64]int64{}
	l.sinks[0].look = func(t gearcore.Tuple) { // of the only sink
		version := t.Int(0)
		seen[version]++
		last = max(last, version)
		if version < last {
			seen[-version]++ // it went back
		}
	}
	stop := l.start(t, h)
	b := bolt()
	for v := int64(1); v <= 4; v++ {
		if v > 1 {
			h.SetVersion(v, 0, []byte("more"))
			must(t, b.async.Do(0, func(*gearcore.Collector) { b.Follow(v) }))
		}
		l.src.limit.Store(v * n)
		eventually(t, "all are acked", func() bool { return l.src.acked.Load() == v*n })
	}
	pid := h.PID()
	h.mu.Lock()
	h.now.kill(errClosed)
	h.mu.Unlock()
	eventually(t, "another process runs", func() bool { now := h.PID(); return now != 0 && now != pid })
	l.src.limit.Store(5 * n)
	eventually(t, "all are acked", func() bool { return l.src.acked.Load() == 5*n })
	stop()
	if seen[1] != n || seen[2] != n || seen[3] != n || seen[4] < 2*n || len(seen) != 4 {
		t.Errorf("tuples by version: %v", seen)
	}
}

// TestVersionsAreForgotten that no task works by, unless it is the newest; a process that starts is told of the others.
func TestVersionsAreForgotten(t *testing.T) {
	cfg := fake(t, "good")
	var log syncBuffer
	cfg.Output = slog.New(slog.NewTextHandler(&log, nil))
	h := startHost(t, cfg)
	h.SetVersion(1, 0, []byte("one"))
	l, bolt := graphs(t, h)
	l.start(t, h)
	b := bolt()
	told := func(number, value string) string {
		return strings.TrimSpace("told version." + number + " " + base64.StdEncoding.EncodeToString([]byte(value)))
	}
	has := func(what string) bool {
		for line := range strings.Lines(log.String()) {
			if _, text, ok := strings.Cut(line, "text="); ok && strings.Trim(strings.TrimSpace(text), `"`) == what {
				return true
			}
		}
		return false
	}
	eventually(t, "it knows the first", func() bool { return has(told("1", "one")) })
	h.SetVersion(2, 0, []byte("two"))
	h.SetVersion(3, 0, []byte("three"))
	eventually(t, "it knows the last", func() bool { return has(told("3", "three")) })
	if has(told("1", "")) {
		t.Error("it forgot the version that the task works by")
	}
	must(t, b.async.Do(0, func(*gearcore.Collector) { b.Follow(3) }))
	eventually(t, "it forgets the first and the second", func() bool { return has(told("1", "")) && (has(told("2", "")) || !has(told("2", "two"))) })
	if orders, _ := h.toTell(0); bytes.Count(orders, []byte("\n")) != 1 || !bytes.Contains(orders, []byte("version.3 ")) {
		t.Errorf("a process that starts is told\n%s", orders)
	}
}

// TestRetire has a host whose last task is closed end by itself, with its process.
func TestRetire(t *testing.T) {
	const n = 100
	h, err := NewHost(fake(t, "good"))
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- h.Run(context.Background()) }()
	l, _ := graphs(t, h)
	stop := l.start(t, h)
	eventually(t, "the task is there", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.tasks) == 1
	})
	h.Retire()
	l.src.limit.Store(n)
	eventually(t, "what it has is done", func() bool { return l.src.acked.Load() == n })
	stop()
	select {
	case err := <-done:
		must(t, err)
	case <-time.After(30 * time.Second):
		t.Fatal("the host goes on")
	}
	if !h.Retired() || h.PID() != 0 {
		t.Errorf("retired %v, process %d", h.Retired(), h.PID())
	}
}

// TestCountsOfLaterStreams: what Java counts may be of streams that came after the task.
func TestCountsOfLaterStreams(t *testing.T) {
	h, err := NewHost(Config{Args: []string{"x"}})
	must(t, err)
	tk := &task{host: h, ctx: &gearcore.Context{Layout: &gearcore.Layout{Streams: make([]gearcore.Stream, 2)}}}
	for _, c := range []struct {
		streams int
		stream  uint64
		ok      bool
	}{{0, 1, true}, {0, 2, false}, {5, 4, true}, {5, 5, false}} {
		h.SetVersion(1, c.streams, nil)
		if err := tk.count([]stat{{what: statAcked, stream: c.stream, n: 1}}); (err == nil) != c.ok {
			t.Errorf("stream %d of %d: %v", c.stream, c.streams, err)
		}
	}
}

// TestLastWords has all that there is to tell Java told before a task's channel is closed, and a Java that does not read hold nobody up.
func TestLastWords(t *testing.T) {
	h, err := NewHost(Config{Args: []string{"x"}})
	must(t, err)
	begin := func() (*channel, net.Conn) {
		here, there := net.Pipe()
		tk := &task{host: h, spec: Spec{Checkpoints: true}, ctx: &gearcore.Context{}}
		ch := newChannel(tk, here, func(error) {})
		go ch.run()
		return ch, there
	}
	ch, java := begin()
	const n = 300
	for i := range n {
		ch.send(func(buf []byte) []byte { return appendNumber(buf, frameCommit, uint64(i)) })
	}
	heard := make(chan int)
	go func() {
		b, _ := io.ReadAll(java)
		heard <- len(b)
	}()
	ch.finish()
	if got, want := <-heard, n*len(appendNumber(nil, frameCommit, 1)); got != want {
		t.Errorf("Java heard %d bytes of %d", got, want)
	}
	ch, _ = begin()
	ch.send(func(buf []byte) []byte { return appendNumber(buf, frameCommit, 1) })
	ch.finish()
	if why := ch.why(); !errors.Is(why, errClosed) {
		t.Errorf("the channel ended because of %v", why)
	}
}

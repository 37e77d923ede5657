package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// listener is where the probes of all processes report.
type listener struct {
	dir string
	l   net.Listener

	mu    sync.Mutex
	conns []net.Conn
}

// listen opens a listener on a socket in a folder of its own.
func listen() (*listener, error) {
	dir, err := os.MkdirTemp("", "gearstorm-bench-")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", filepath.Join(dir, "probe"))
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	b := &listener{dir: dir, l: l}
	go b.accept() // until close
	return b, nil
}

func (l *listener) address() string { return l.l.Addr().String() }

func (l *listener) close() {
	l.l.Close()
	l.forget()
	os.RemoveAll(l.dir)
}

func (l *listener) accept() {
	for {
		c, err := l.l.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	}
}

// forget closes the connections of all processes so far.
func (l *listener) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// read asks all processes that are connected.
func (l *listener) read() ([]reading, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []reading
	for _, c := range l.conns {
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Write([]byte{'?'}); err != nil {
			return nil, fmt.Errorf("ask a probe: %w", err)
		}
		line, err := bufio.NewReader(c).ReadBytes('\n')
		if err != nil {
			return nil, fmt.Errorf("read a probe: %w", err)
		}
		var r reading
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("read a probe: %w", err)
		}
		all = append(all, r)
	}
	return all, nil
}

// total adds up what the processes of one topology say; the clock is that of the one with the sink.
func total(all []reading) reading {
	var t reading
	for _, r := range all {
		t.Tuples += r.Tuples
		t.Mallocs += r.Mallocs
		t.CPU += r.CPU
		t.Children += r.Children
		if r.First != 0 && (t.First == 0 || r.First < t.First) {
			t.First = r.First
		}
		if r.Tuples > 0 || t.At == 0 {
			t.At = r.At
		}
		t.Components = append(t.Components, fmt.Sprintf("%d:%v", r.PID, r.Components))
	}
	return t
}

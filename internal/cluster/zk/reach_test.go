package zk_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
)

// A server that is too old is told of. The one here only says that it is: it answers for the real one.
func TestOldServer(t *testing.T) {
	t.Parallel()
	for release, warns := range map[string]bool{"3.4.14-4c25": true, "2.9": true, "3.5.0": false, "10.1": false, "": false} {
		proxy, err := zktest.NewProxy(serverAddr(t))
		if err != nil {
			t.Fatal(err)
		}
		proxy.Answer([]byte("srvr"), []byte("Zookeeper version: "+release+", built on some day\nMode: standalone\n"))
		var log lines
		c := config(root(t.TempDir()), proxy.Addr())
		c.Log = log.logger()
		s := open(t, c)
		if _, err := s.Get(t.Context(), "k"); !errors.Is(err, cluster.ErrNotFound) {
			t.Fatal(err)
		}
		await(t, "the question for the release", proxy.Answered())
		old := func() bool { return log.has("older than what is supported") }
		if warns {
			until(t, "the warning of release "+release, old)
		}
		s.Close()
		proxy.Close()
		if !warns && old() {
			t.Errorf("release %q: warned\n%s", release, log.text())
		}
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	go func() {
		for conn, err := web.Accept(); err == nil; conn, err = web.Accept() {
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			defer conn.Close()
		}
	}()
	for name, c := range map[string]struct{ addr, says string }{
		"nothing listens":   {"127.0.0.1:1", "ZooKeeper at 127.0.0.1:1 cannot be reached for 400ms: failed to connect"},
		"a web server":      {web.Addr().String(), "does not speak ZooKeeper's protocol"},
		"no name of a host": {"no-such-host.invalid:2181", "no-such-host.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config("/x", c.addr)
			cfg.ConnectTimeout = 400 * time.Millisecond
			s := open(t, cfg)
			if _, err := s.Get(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %q in it", err, c.says)
			}
		})
	}
}

// A master that starts before ZooKeeper says so and goes on when it comes. What is idle writes nothing.
func TestStartBeforeZooKeeper(t *testing.T) {
	t.Parallel()
	e := zktest.New(t, zktest.Config{})
	server := e.Servers[0]
	server.Kill()
	var log lines
	c := config("/", server.Addr())
	c.Log = log.logger()
	s := open(t, c)
	won := make(chan cluster.Term, 1)
	go func() {
		term, err := s.Campaign(t.Context(), "first")
		if err != nil {
			t.Error(err)
		}
		won <- term
	}()
	until(t, "word in the log", func() bool { return log.has("waiting for ZooKeeper") })
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	term := <-won
	if term.Epoch != 1 || !log.has("connected to ZooKeeper") {
		t.Fatalf("epoch %d, log:\n%s", term.Epoch, log.text())
	}
	before := server.Stat()
	until(t, "signs of life", func() bool { return server.Stat().Received > before.Received+8 })
	if after := server.Stat(); after.Zxid != before.Zxid {
		t.Fatalf("an idle leader wrote: zxid %s, was %s", after.Zxid, before.Zxid)
	}
	server.Kill() // and Close does not wait for it for long
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	select {
	case <-closed:
	case <-ctx.Done():
		t.Fatal("close hangs without ZooKeeper")
	}
}

// A stopped server takes connections and says nothing.
func TestServerIsStopped(t *testing.T) {
	t.Parallel()
	e := zktest.New(t, zktest.Config{})
	c := config("/", e.Addrs()...)
	c.ConnectTimeout = 500 * time.Millisecond
	s := open(t, c)
	if err := e.Servers[0].Pause(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Fatalf("got %v", err)
	}
	if err := e.Servers[0].Resume(); err != nil {
		t.Fatal(err)
	}
	until(t, "an answer", func() bool {
		_, err := s.Get(t.Context(), "k")
		return errors.Is(err, cluster.ErrNotFound)
	})
}

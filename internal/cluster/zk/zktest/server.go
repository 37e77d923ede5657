package zktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/internal/testserver"
)

// Server is one server of an ensemble.
type Server struct {
	dir           string
	java, jars    string
	addr, tlsAddr string
	process       *testserver.Process
}

// Addr is where clients connect.
func (s *Server) Addr() string { return s.addr }

// TLSAddr is where clients connect with TLS; empty without [Config.TLS].
func (s *Server) TLSAddr() string { return s.tlsAddr }

// Kill ends the server as a power cut would (SIGKILL) and waits until it is gone. Its files stay.
func (s *Server) Kill() { s.process.Kill() }

// Pause stops the server in its tracks (SIGSTOP): connections stay, nothing is answered.
func (s *Server) Pause() error { return s.process.Signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.process.Signal(syscall.SIGCONT) }

// Restart starts the server on its files and its address, after a Kill if it runs, and waits until it serves.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return s.waitServing(ctx)
}

func (s *Server) start() error {
	cmd := testserver.JVM(s.java, s.jars, "64m", nil, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dzookeeper.jmx.log4j.disable=true",
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(s.dir, "zoo.cfg"))
	if err := s.process.Start(cmd); err != nil {
		return fmt.Errorf("start ZooKeeper: %w", err)
	}
	return nil
}

// waitServing waits until the server has a part in a working ensemble.
func (s *Server) waitServing(ctx context.Context) error {
	err := s.process.Await(ctx, func(context.Context) error {
		if s.Mode() == "" {
			return errors.New("it has no part in an ensemble")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("start ZooKeeper: %w", err)
	}
	return nil
}

// Mode is standalone, leader or follower; empty while the server does not serve.
func (s *Server) Mode() string { return s.Stat().Mode }

// Stat is what a server tells of itself.
type Stat struct {
	Mode     string
	Zxid     string // of the newest write
	Received int    // packets
}

// Stat asks the server; all is zero while it does not serve.
func (s *Server) Stat() Stat {
	var out Stat
	conn, err := net.DialTimeout("tcp", s.addr, time.Second)
	if err != nil {
		return out
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return out
	}
	answer, _ := io.ReadAll(io.LimitReader(conn, 1<<16)) // a server that ends half way has told no mode
	for line := range strings.Lines(string(answer)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Mode":
			out.Mode = value
		case "Zxid":
			out.Zxid = value
		case "Received":
			out.Received, _ = strconv.Atoi(value)
		}
	}
	return out
}

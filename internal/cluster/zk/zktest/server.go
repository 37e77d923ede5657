package zktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Server is one server of an ensemble.
type Server struct {
	ensemble      *Ensemble
	dir           string
	java, jars    string
	addr, tlsAddr string

	mu    sync.Mutex
	cmd   *exec.Cmd       // nil while it does not run
	ended <-chan struct{} // closed when cmd has ended
}

// Addr is where clients connect.
func (s *Server) Addr() string { return s.addr }

// TLSAddr is where clients connect with TLS; empty without [Config.TLS].
func (s *Server) TLSAddr() string { return s.tlsAddr }

// Kill ends the server as a power cut would (SIGKILL) and waits until it is gone. Its files stay.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// Pause stops the server in its tracks (SIGSTOP): connections stay, nothing is answered.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return errors.New("the server does not run")
	}
	return s.cmd.Process.Signal(sig)
}

// Restart starts the server on its files and its address, after a Kill if it runs, and waits until it serves.
func (s *Server) Restart(ctx context.Context) error {
	s.Kill()
	if err := s.start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return s.waitServing(ctx)
}

func (s *Server) start() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.java, "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dzookeeper.jmx.log4j.disable=true",
		"-cp", filepath.Join(s.jars, "*"), "org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(s.dir, "zoo.cfg"))
	cmd.Stdout, cmd.Stderr = log, log
	s.mu.Lock()
	defer s.mu.Unlock()
	ended, err := s.ensemble.launch.Start(cmd)
	if err != nil {
		return fmt.Errorf("start ZooKeeper: %w", err)
	}
	s.cmd, s.ended = cmd, ended
	return nil
}

// waitServing waits until the server has a part in a working ensemble.
func (s *Server) waitServing(ctx context.Context) error {
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	for s.Mode() == "" {
		select {
		case <-ended:
			return fmt.Errorf("ZooKeeper ended by itself: %s", s.lastWords())
		default:
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("ZooKeeper does not serve: %w: %s", err, s.lastWords())
		}
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

// lastWords is the end of the server's log.
func (s *Server) lastWords() string {
	const most = 2000
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

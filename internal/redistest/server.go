// Package redistest starts a real redis-server for tests and benchmarks: on a free loopback port, with nothing on disk.
//
// It needs redis-server on the path (Debian: apt-get install redis-server); [Start] returns testserver.ErrMissing without it, [New] skips the
// test, or fails it when CI=true.
package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/testserver"
)

// startLimit is how long a server may take until it answers; it takes some milliseconds on a machine that has nothing else to do.
const startLimit = 2 * time.Minute

// Server is a running server. Stop it.
type Server struct {
	addr   string
	dir    string
	cmd    *exec.Cmd
	ended  <-chan struct{}
	launch *testserver.Launcher
}

// New is [Start] for a test that needs it: the server is stopped when the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	s, err := Start(t.Context())
	if errors.Is(err, testserver.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Start starts a server and waits until it answers. ctx bounds the start only.
func Start(ctx context.Context) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("%w: redis-server is not installed (Debian: apt-get install redis-server)", testserver.ErrMissing)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	// A free port may be taken by another process before the server has it, so a start is tried again.
	for tries := 3; ; tries-- {
		s, err := start(ctx, path)
		if err == nil {
			return s, nil
		}
		if tries == 1 || ctx.Err() != nil {
			return nil, err
		}
	}
}

func start(ctx context.Context, path string) (*Server, error) {
	ports, err := testserver.FreePorts(1)
	if err != nil {
		return nil, err
	}
	s := &Server{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), launch: testserver.NewLauncher()}
	if s.dir, err = os.MkdirTemp("", "redis-"); err == nil {
		s.cmd = exec.Command(path, "--port", strconv.Itoa(ports[0]), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir)
		s.ended, err = s.launch.Start(s.cmd)
	}
	if err == nil {
		err = s.waitServing(ctx)
	}
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	return s, nil
}

// waitServing waits until the server answers.
func (s *Server) waitServing(ctx context.Context) error {
	for {
		err := s.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		conn.SetDeadline(end)
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(answer, "+PONG") {
		err = fmt.Errorf("it answers %q", answer)
	}
	return err
}

// Addr is where clients connect.
func (s *Server) Addr() string { return s.addr }

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop kills the server. It may be called twice.
func (s *Server) Stop() {
	if s.ended != nil {
		s.cmd.Process.Kill()
		<-s.ended
	}
	s.launch.Stop()
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

// Package redistest starts a real redis-server for tests and benchmarks: on a free loopback port, with nothing on disk.
//
// It needs redis-server on the path (Debian: apt-get install redis-server); [Start] returns testserver.ErrMissing without it, [New] skips the
// test, or fails it when CI=true.
package redistest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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
	addr    string
	dir     string
	launch  *testserver.Launcher
	process *testserver.Process
}

// New is [Start] for a test that needs it: the server is stopped when the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	s, err := Start(t.Context())
	testserver.Need(t, err)
	t.Cleanup(s.Stop)
	return s
}

// Start starts a server and waits until it answers. ctx bounds the start only.
func Start(ctx context.Context) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("%w: redis-server is not installed (Debian: apt-get install redis-server)", testserver.ErrMissing)
	}
	return testserver.Start(ctx, startLimit, func(ctx context.Context) (*Server, error) { return start(ctx, path) })
}

func start(ctx context.Context, path string) (*Server, error) {
	ports, err := testserver.FreePorts(1)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redis-")
	if err != nil {
		return nil, err
	}
	port := strconv.Itoa(ports[0])
	s := &Server{addr: net.JoinHostPort("127.0.0.1", port), dir: dir, launch: testserver.NewLauncher()}
	s.process = testserver.NewProcess(s.launch, filepath.Join(dir, "log"))
	err = s.process.Start(exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir))
	if err == nil {
		err = s.process.Await(ctx, s.ping)
	}
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	return s, nil
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
func (s *Server) PID() int { return s.process.PID() }

// Stop kills the server. It may be called twice.
func (s *Server) Stop() {
	s.process.Kill()
	s.launch.Stop()
	os.RemoveAll(s.dir)
}

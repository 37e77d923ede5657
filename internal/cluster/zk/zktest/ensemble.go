package zktest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/internal/testserver"
)

// ErrMissing says that java or the jars are not there.
var ErrMissing = testserver.ErrMissing

// TickMillis is the servers' tick. Sessions last 2 to 20 ticks.
const TickMillis = 500

// startLimit is how long an ensemble may take until it serves; a busy machine starts a JVM in some seconds.
const startLimit = 90 * time.Second

// Config says what to start.
type Config struct {
	// Servers is 1, the default, or 3.
	Servers int
	// Dir gets the state and logs. Default: a temporary folder that Stop removes.
	Dir string
	// TLS adds a port of TLS to every server.
	TLS *TLS
}

// TLS names the PEM files of the servers' TLS port. Clients must have a certificate of the CA.
type TLS struct {
	CA string // certificates that clients' certificates are checked against
	// KeyAndCert holds the server's private key (PKCS #8) and its certificate.
	KeyAndCert string
}

// Ensemble is a running group of servers. Stop it.
type Ensemble struct {
	Servers []*Server

	dir    string
	ownDir bool
	launch *testserver.Launcher
}

// Need skips the test where no server can be started, or fails it when CI=true.
func Need(t testing.TB) {
	t.Helper()
	_, _, err := testserver.Find("zookeeper")
	testserver.Need(t, err)
}

// New is [Start] for tests that [Need] it: the ensemble is stopped when the test ends.
func New(t testing.TB, c Config) *Ensemble {
	t.Helper()
	Need(t)
	e, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	return e
}

// Start starts an ensemble and waits until it serves. ctx bounds the start only.
func Start(ctx context.Context, c Config) (*Ensemble, error) {
	if c.Servers == 0 {
		c.Servers = 1
	}
	if c.Servers != 1 && c.Servers != 3 {
		return nil, fmt.Errorf("an ensemble of %d servers: 1 and 3 are known", c.Servers)
	}
	java, jars, err := testserver.Find("zookeeper")
	if err != nil {
		return nil, err
	}
	return testserver.Start(ctx, startLimit, func(ctx context.Context) (*Ensemble, error) { return start(ctx, c, java, jars) })
}

func start(ctx context.Context, c Config, java, jars string) (*Ensemble, error) {
	e := &Ensemble{dir: c.Dir, launch: testserver.NewLauncher()}
	if e.dir == "" {
		dir, err := os.MkdirTemp("", "zookeeper-")
		if err != nil {
			return nil, err
		}
		e.dir, e.ownDir = dir, true
	}
	if err := e.prepare(c, java, jars); err != nil {
		e.Stop()
		return nil, err
	}
	for _, s := range e.Servers {
		if err := s.start(); err != nil {
			e.Stop()
			return nil, err
		}
	}
	for _, s := range e.Servers {
		if err := s.waitServing(ctx); err != nil {
			e.Stop()
			return nil, err
		}
	}
	return e, nil
}

// prepare writes the servers' files.
func (e *Ensemble) prepare(c Config, java, jars string) error {
	ports, err := testserver.FreePorts(4 * c.Servers)
	if err != nil {
		return err
	}
	var quorum strings.Builder
	if c.Servers > 1 {
		for i := range c.Servers {
			fmt.Fprintf(&quorum, "server.%d=127.0.0.1:%d:%d\n", i+1, ports[4*i+2], ports[4*i+3])
		}
	}
	for i := range c.Servers {
		s := &Server{dir: filepath.Join(e.dir, "server"+strconv.Itoa(i+1)), java: java, jars: jars,
			addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[4*i]))}
		s.process = testserver.NewProcess(e.launch, filepath.Join(s.dir, "log"))
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return err
		}
		text := fmt.Sprintf("tickTime=%d\ninitLimit=20\nsyncLimit=5\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\n"+
			"admin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=srvr\n%s", TickMillis, s.dir, ports[4*i], quorum.String())
		if c.TLS != nil {
			s.tlsAddr = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[4*i+1]))
			text += fmt.Sprintf("secureClientPort=%d\nsecureClientPortAddress=127.0.0.1\n"+
				"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n"+
				"ssl.keyStore.location=%s\nssl.keyStore.type=PEM\nssl.trustStore.location=%s\nssl.trustStore.type=PEM\n",
				ports[4*i+1], c.TLS.KeyAndCert, c.TLS.CA)
		}
		if err := os.WriteFile(filepath.Join(s.dir, "zoo.cfg"), []byte(text), 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.dir, "myid"), []byte(strconv.Itoa(i+1)), 0o600); err != nil {
			return err
		}
		e.Servers = append(e.Servers, s)
	}
	return nil
}

// Addrs are the host:port of all servers.
func (e *Ensemble) Addrs() []string {
	var out []string
	for _, s := range e.Servers {
		out = append(out, s.addr)
	}
	return out
}

// Leader returns the server that leads the ensemble, or the only one, once there is one; not is none of them, for who waits
// for another leader than that.
func (e *Ensemble) Leader(ctx context.Context, not ...*Server) (*Server, error) {
	for {
		for _, s := range e.Servers {
			if slices.Contains(not, s) {
				continue
			}
			if m := s.Mode(); m == "leader" || m == "standalone" {
				return s, nil
			}
		}
		if err := pause.For(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("no server leads: %w", err)
		}
	}
}

// Stop kills the servers and removes the folder that Start made. It may be called twice.
func (e *Ensemble) Stop() {
	for _, s := range e.Servers {
		s.Kill()
	}
	e.launch.Stop()
	if e.ownDir {
		os.RemoveAll(e.dir)
	}
}

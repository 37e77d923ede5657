package zk_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/clustertest"
	"github.com/gearstorm/gearstorm/internal/cluster/zk"
	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
)

// addressVar tells a child process, which clustertest starts, where the server is.
const addressVar = "GEARSTORM_TEST_ZOOKEEPER"

// shared is the server of all tests that do it no harm.
var shared = sync.OnceValues(func() (*zktest.Ensemble, error) {
	e, err := zktest.Start(context.Background(), zktest.Config{})
	if err == nil {
		stopShared = e.Stop
		os.Setenv(addressVar, e.Servers[0].Addr())
	}
	return e, err
})

var stopShared = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	stopShared()
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// serverAddr is the address of the shared server.
func serverAddr(t *testing.T) string {
	t.Helper()
	if addr := os.Getenv(addressVar); addr != "" {
		return addr
	}
	zktest.Need(t)
	e, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return e.Servers[0].Addr()
}

// timeout is the sessions': four ticks of the server.
const timeout = 4 * zktest.TickMillis * time.Millisecond

func config(root string, servers ...string) zk.Config {
	return zk.Config{Servers: servers, Root: root, SessionTimeout: timeout, ConnectTimeout: 30 * time.Second, Log: slog.New(slog.DiscardHandler)}
}

// root is a name of this test's own.
func root(dir string) string {
	return "/" + strings.ReplaceAll(filepath.Base(filepath.Dir(dir))+filepath.Base(dir), "/", "")
}

// proxied opens stores that reach the server through proxies of their own.
type proxied struct {
	mu      sync.Mutex
	proxies map[cluster.Store]*zktest.Proxy
}

func (p *proxied) open(t *testing.T, addr, root string) (cluster.Store, error) {
	proxy, err := zktest.NewProxy(addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(proxy.Close) // the store's own cleanup comes later, and runs first
	// a second name of the same proxy: the library is at once for the next server, and rests a second before the same
	s, err := zk.Open(config(root, proxy.Addr(), strings.Replace(proxy.Addr(), "127.0.0.1", "localhost", 1)))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proxies == nil {
		p.proxies = make(map[cluster.Store]*zktest.Proxy)
	}
	p.proxies[s] = proxy
	return s, nil
}

func (p *proxied) of(s cluster.Store) *zktest.Proxy {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proxies[s]
}

// expire parts the store from ZooKeeper for longer than its session lasts.
func (p *proxied) expire(s cluster.Store) {
	p.of(s).Part()
	time.AfterFunc(timeout*3/2, p.of(s).Join)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	addr := serverAddr(t)
	var p proxied
	clustertest.Run(t, clustertest.Harness{
		Open:    func(dir string) (cluster.Store, error) { return p.open(t, addr, root(dir)) },
		Durable: true,
		Peer:    func(_ cluster.Store, dir string) (cluster.Store, error) { return p.open(t, addr, root(dir)) },
		Expire:  p.expire,
	})
}

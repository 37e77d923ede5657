package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/drpc"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// echo executes every function: the result is the arguments, but for those that fail.
type echo struct{}

func (echo) Execute(_ context.Context, function, args string) (string, error) {
	if args == "fail" {
		kind := stormrpc.DRPCExceptionType_FAILED_REQUEST
		return "", &stormrpc.DRPCExecutionException{Msg: "Request failed", Type: &kind}
	}
	return function + ":" + args, nil
}

// serveEcho returns the address of an echo.
func serveEcho(t *testing.T) string {
	t.Helper()
	srv, err := wire.NewServer(wire.Options{Log: slog.New(slog.DiscardHandler)}, stormrpc.NewDistributedRPCProcessor(echo{}))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Shutdown(context.Background())
		<-done
	})
	return ln.Addr().String()
}

func TestDRPCClient(t *testing.T) {
	bare(t)
	at := serveEcho(t)
	host, port, _ := net.SplitHostPort(at)
	for _, c := range []struct {
		args string
		code int
		want string // of the output or, when it fails, of the error
	}{
		{"--drpc " + at + " f 1 g 2", 0, "f \"1\" => \"f:1\"\ng \"2\" => \"g:2\"\n"},
		{"--drpc " + at + " -f f 1 2", 0, "f \"1\" => \"f:1\"\nf \"2\" => \"f:2\"\n"},
		{"--drpc " + at + " --function f 1", 0, "f \"1\" => \"f:1\"\n"},
		{"f 1 -c drpc.servers=[\"" + host + "\"] -c drpc.port=" + port, 0, "f \"1\" => \"f:1\"\n"},
		{"--drpc " + at + " f fail", 1, "f \"fail\": Request failed (FAILED_REQUEST)"},
		{"--drpc " + at + " f", 2, "in the form [func arg]. This has 1 args."},
		{"--drpc " + at, 2, "nothing to execute"},
		{"--drpc nowhere f 1", 2, "not HOST:PORT"},
		{"--drpc 127.0.0.1:1 f 1", 1, "no DRPC server answers at 127.0.0.1:1"},
		{"f 1", 1, "drpc.servers"},
	} {
		got := command(t, strings.Fields("gearstorm drpc-client "+c.args)...)
		text := got.stdout
		if c.code != 0 {
			text = got.stderr
		}
		if got.code != c.code || c.code == 0 && text != c.want || !strings.Contains(text, c.want) {
			t.Errorf("drpc-client %s: %+v; want %d and %q", c.args, got, c.code, c.want)
		}
	}
	// the dev of this folder
	if err := os.Mkdir(seeds.DevDir, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"nimbus":1,"pid":%d,"drpc":%s}`, os.Getpid(), port)
	if err := os.WriteFile(filepath.Join(seeds.DevDir, "ports.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "gearstorm", "drpc-client", "f", "1"); got.code != 0 || got.stdout != "f \"1\" => \"f:1\"\n" {
		t.Errorf("with a dev: %+v", got)
	}
}

// A dev takes the ports of the last time again, others if somebody has them, those of the command line in any case, and never what
// storm.yaml says.
func TestDevDRPC(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	file := conf.Merge(conf.Defaults(), conf.Conf{drpc.KeyServers: []any{"production"}, drpc.KeyPort: int64(1), "drpc.https.port": int64(3775)})
	open := func(set conf.Conf) (devServer, conf.Conf) {
		t.Helper()
		s, c, err := devDRPC(conf.Merge(file, set), set, dir, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.close)
		return s, c
	}
	first, c := open(nil)
	p := first.ports()
	if hosts, err := c.StringList(drpc.KeyServers); err != nil || len(hosts) != 1 || hosts[0] != "127.0.0.1" || p.DRPC <= 1 || p.DRPCHTTP == 0 {
		t.Errorf("%v, %v, %+v", hosts, err, p)
	}
	if n, _ := c.Int(drpc.KeyInvocationsPort); int(n) != p.Invocations {
		t.Errorf("topologies are told %d, not %d", n, p.Invocations)
	}
	second, _ := open(nil) // the first one still runs
	if second.ports().DRPC == p.DRPC {
		t.Error("two servers on one port")
	}
	p = second.ports()
	second.close()
	third, _ := open(nil)
	if third.ports() != p {
		t.Errorf("the ports were %+v and are %+v", p, third.ports())
	}
	third.close()
	fixed, _ := open(conf.Conf{drpc.KeyHTTPPort: int64(-1)})
	if got := fixed.ports(); got.DRPCHTTP != 0 || got.DRPC != p.DRPC {
		t.Errorf("without HTTP: %+v", got)
	}
	none, c := open(conf.Conf{drpc.KeyServers: []any{"elsewhere"}})
	if hosts, _ := c.StringList(drpc.KeyServers); len(hosts) != 1 || hosts[0] != "elsewhere" || none.ports() != (seeds.Ports{}) {
		t.Errorf("with servers of its own: %v, %+v", hosts, none.ports())
	}
	if err := os.WriteFile(filepath.Join(dir, devPortsFile), []byte("{nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(nil)
}

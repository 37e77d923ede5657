//go:build record

package drpc

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/transcript"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// TestRecordClient writes clientFile from Storm's Java client and the real DRPC server at $STORM_DRPC; scripts/record-storm.sh runs it.
func TestRecordClient(t *testing.T) {
	addr := os.Getenv("STORM_DRPC")
	if addr == "" {
		t.Skip("STORM_DRPC names no real DRPC server to record; scripts/record-storm.sh does")
	}
	conn, err := wire.Dial(t.Context(), os.Getenv("STORM_INVOCATIONS"), wire.DialOptions{CallTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		serveClient(ctx, stormrpc.NewDistributedRPCInvocationsClient(conn))
	}()
	defer func() { stop(); <-stopped }()
	proxy, err := transcript.NewProxy(addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	home := os.Getenv("STORM_CLIENT")
	var commands []transcript.Command
	for _, c := range [][]string{{"drpc-client with a function", "-f", "say", "hello", "wörld"}, {"drpc-client with pairs", "say", "hello", "fail", "now"}} {
		cmd := exec.CommandContext(ctx, "java", append([]string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.disableJmx=true", "-Dstorm.conf.file=",
			"-Dstorm.home=" + t.TempDir(), "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8",
			fmt.Sprintf("-Dstorm.options=drpc.servers=%s,drpc.port=%d", url.QueryEscape(`["127.0.0.1"]`), proxy.Port()),
			"-cp", filepath.Join(home, "lib") + "/*", "org.apache.storm.command.BasicDrpcClient"}, c[1:]...)...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		calls, failed := proxy.Take()
		if failed != nil || len(calls) != 2 {
			t.Fatalf("%s: %d calls, %v; it said (%v) %s", c[0], len(calls), failed, err, out)
		}
		commands = append(commands, transcript.Command{Name: c[0], Calls: calls})
	}
	var b bytes.Buffer
	if err := transcript.Write(&b, "What the Java client of Storm 2.8.3 said to a DRPC server of that release, recorded by scripts/record-storm.sh.", commands); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(clientFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

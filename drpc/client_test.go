package drpc

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/transcript"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// clientFile holds what Storm's Java client and a real DRPC server of that release said to each other. scripts/record-storm.sh writes it.
const clientFile = "testdata/client-2.8.3.txt"

// serveClient answers the functions that the recorded client calls: say says its arguments again, fail fails.
func serveClient(ctx context.Context, c *stormrpc.DistributedRPCInvocationsClient) {
	for ctx.Err() == nil {
		if r, err := c.FetchRequest(ctx, "say"); err == nil && r.RequestID != "" {
			c.Result_(ctx, r.RequestID, r.FuncArgs_)
		}
		if r, err := c.FetchRequest(ctx, "fail"); err == nil && r.RequestID != "" {
			c.FailRequest(ctx, r.RequestID)
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// The calls of Storm's drpc-client, byte by byte, get from us what they got from Storm's DRPC server, results included.
func TestClientExchanges(t *testing.T) {
	b, err := os.ReadFile(clientFile)
	if err != nil {
		t.Fatal(err)
	}
	commands, err := transcript.Read(bytes.NewReader(b))
	if err != nil || len(commands) != 2 {
		t.Fatalf("%s has %d commands, %v", clientFile, len(commands), err)
	}
	s := start(t, Limits{})
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		serveClient(ctx, stormrpc.NewDistributedRPCInvocationsClient(dial(t, s.Ports().Invocations)))
	}()
	defer func() { stop(); <-stopped }()
	player := transcript.NewPlayer(at(s.Ports().Execute))
	defer player.Next()
	for _, command := range commands {
		for _, call := range command.Calls {
			answer, differences, err := player.Play(call)
			if err != nil {
				t.Fatal(err)
			}
			if len(differences) > 0 || len(answer) != len(call.Answer) {
				t.Errorf("%s: %v: answered with %q, Storm's answer is %q", command.Name, differences, answer, call.Answer)
			}
		}
		player.Next()
	}
}

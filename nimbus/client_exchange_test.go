package nimbus

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/internal/transcript"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// clientFile holds what Storm's Java client and a real Nimbus of that release said to each other. scripts/record-storm.sh writes it.
const clientFile = "testdata/client-2.8.3.txt"

// The calls of every command of Storm's Java client, byte by byte, get from us what they got from Storm's Nimbus.
func TestClientExchanges(t *testing.T) {
	b, err := os.ReadFile(clientFile)
	must(t, err)
	commands, err := transcript.Read(bytes.NewReader(b))
	must(t, err)
	if len(commands) < 25 {
		t.Fatalf("%s has %d commands only", clientFile, len(commands))
	}
	c := start(t, nil)
	must(t, goldenStage(t, c).act(t.Context())) // as was done before the recording
	player := transcript.NewPlayer(c.Addr())
	defer player.Next()
	for _, command := range commands {
		t.Run(strings.ReplaceAll(command.Name, " ", "-"), func(t *testing.T) {
			defer player.Next()
			eventually(t, "no topology is being rebalanced", func() bool { // as when it was recorded: until then more is refused
				all, err := c.client.GetTopologySummaries(t.Context())
				return err == nil && !slices.ContainsFunc(all, func(s *stormrpc.TopologySummary) bool { return s.Status == "REBALANCING" })
			})
			for i, call := range command.Calls {
				answer, differences, err := player.Play(call)
				must(t, err)
				for _, d := range differences {
					t.Errorf("call %d, %s: %s", i+1, call.Method, d)
				}
				if call.Method == "downloadBlobChunk" && !bytes.Equal(answer, call.Answer) {
					t.Errorf("call %d, %s: the bytes of the blob are others", i+1, call.Method)
				}
			}
		})
	}
}

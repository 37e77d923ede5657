package multilang

import (
	"strings"
	"testing"
)

// A word that nobody knows is no error, as in Storm, but the log says so, once.
func TestUnknownCommandIsLogged(t *testing.T) {
	e := startBolt(t, quick(raw(t, `
for m in tuples():
    for _ in range(3): send({"command": "dance"})
    send({"command": "ack", "id": m["id"]})
`)), nil)
	e.feed("a")
	e.eventually("acked", func() bool { return len(e.acked) == 1 })
	e.close()
	n := 0
	for _, l := range e.snap().logs {
		if strings.Contains(l, "unknown command") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the unknown command was logged %d times: %v", n, e.snap().logs)
	}
}

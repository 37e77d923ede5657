package multilang

import (
	"strconv"
	"strings"
	"testing"
)

// TestChildIsNotSentEverything has a child that takes in all it is sent and works on none of it, as clients do that wait for
// task ids: it gets a window full. Then it answers the heartbeats, acking nothing, as bolts do that collect tuples: it gets
// more, until it has what it wants and acks all.
func TestChildIsNotSentEverything(t *testing.T) {
	const n = 5000
	e := startBolt(t, quick(raw(t, `
import select
data, beats, ids = b"", 0, []
def take(until):
    global data, beats
    last, had = time.monotonic(), len(ids)
    while not until() and time.monotonic() - last < 0.4:
        if not select.select([0], [], [], 0.1)[0]: continue
        chunk = os.read(0, 1 << 16)
        if not chunk: sys.exit(0)
        data += chunk
        *whole, data = data.split(b"\nend\n")
        for m in map(json.loads, whole):
            if m["stream"] == "__heartbeat": beats += 1
            else: ids.append(m["id"])
        if len(ids) > had: last, had = time.monotonic(), len(ids)
def answer():
    global beats
    while beats:
        send({"command": "sync"})
        beats -= 1
take(lambda: beats)
answer()
send({"command": "log", "msg": "ready"})
while len(ids) < `+strconv.Itoa(n)+`:
    before = len(ids)
    take(lambda: False)
    send({"command": "log", "msg": "took %d" % (len(ids) - before)})
    answer()
for i in ids: send({"command": "ack", "id": i})
while True: take(lambda: beats); answer()
`)), nil)
	e.eventually("ready", e.hasLog("ready"))
	e.feed(numbers(n)...)
	e.eventually("all acked", func() bool { return len(e.acked) == n })
	rounds := 0
	for _, l := range e.snap().logs {
		if _, took, ok := strings.Cut(l, "took "); ok {
			rounds++
			if k, err := strconv.Atoi(took); err != nil || k > windowTuples {
				t.Errorf("round %d: the child %s tuples before it answered anything", rounds, took)
			}
		}
	}
	if rounds < n/windowTuples {
		t.Errorf("the child got all in %d rounds", rounds)
	}
}

func TestWindow(t *testing.T) {
	o := newOutbox(format{limit: 1 << 20}, 10, nil)
	w := newWindow(10)
	fill := func(from, to uint64) (shut uint64) {
		for i := from; i <= to; i++ {
			if w.add(o, i, int(i)) {
				return i
			}
		}
		return 0
	}
	if at := fill(1, 5000); at != 0 {
		t.Fatalf("a child that never answered was held up at %d", at)
	}
	w.sync(0)
	w = window{size: w.size, answered: true}
	if at := fill(1, 5000); at != windowTuples || len(o.marks) != 1 {
		t.Fatalf("shut at %d with %d probes, want %d and one", at, len(o.marks), windowTuples)
	}
	if w.opened(windowTuples, windowTuples) || !w.opened(windowTuples, windowTuples/2) || w.opened(windowTuples, 0) {
		t.Error("it should open once half of the tuples are settled, and say so once")
	}
	if !w.add(o, windowTuples, windowTuples) || len(o.marks) != 1 {
		t.Errorf("%d probes; one is open already", len(o.marks))
	}
	w.sync(windowTuples)
	if !w.opened(windowTuples, windowTuples) {
		t.Error("it should open when the child has seen what it has")
	}
}

package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// ReplyState takes a worker's reply.
func (s *supervisor) ReplyState(_ context.Context, r *stormrpc.StateReply) error {
	s.replies <- r
	return nil
}

// shown is a registry whose bolts can be looked at.
type shown struct{ Registry }

func (r shown) Task(name string) (gearcore.Task, error) {
	t, err := r.Registry.Task(name)
	return shownTask{t}, err
}

type shownTask struct{ gearcore.Task }

func (shownTask) Inspect(q gearcore.StateQuery) ([]gearcore.StateEntry, error) {
	switch q.Key {
	case "large":
		return []gearcore.StateEntry{{State: "s", Kind: "value", JSON: bytes.Repeat([]byte("1"), maxStateJSON+1)}}, nil
	case "many":
		e := gearcore.StateEntry{State: "s", Kind: "value", JSON: bytes.Repeat([]byte("1"), maxStateJSON)}
		return slices.Repeat([]gearcore.StateEntry{e}, maxReplyBytes/maxStateJSON+1), nil
	case "error":
		return nil, errors.New("no such key")
	case "none":
		return nil, nil
	}
	return []gearcore.StateEntry{{State: "s", Kind: "value", JSON: []byte(q.Key)}}, nil
}

// TestWorkerAnswersQuestions asks a worker for the state of its tasks.
func TestWorkerAnswersQuestions(t *testing.T) {
	r := newRelay(t, 10, nil)
	port := freePorts(t, 1)[0]
	c := newCluster(t, r.topo, map[int][][2]int64{port: {{1, 2}, {3, 3}, {4, 4}, {5, 5}}})
	c.reg = shown{c.reg}
	c.sup.replies = make(chan *stormrpc.StateReply, 1)
	c.start(port)
	await(t, "all words", func() bool { return r.spout.done() == 10 })
	for i, q := range []struct{ component, key, want string }{
		{"sink", "42", "4 s value 42  "},
		{"sink", "none", "4     "},
		{"sink", "error", "4    no such key "},
		{"sink", "large", fmt.Sprintf("4 s value  it takes %d bytes as JSON, at most %d are shown ", maxStateJSON+1, maxStateJSON)},
		{"sink", "many", "a worker shows at most"},
		{"words", "x", "5    it keeps no state that can be looked at "},
	} {
		c.sup.mu.Lock()
		c.sup.questions = []*stormrpc.StateQuestion{{ID: -2, TopologyID: "other", Query: &stormrpc.StateQuery{}},
			{ID: -3, TopologyID: testTopology, Query: &stormrpc.StateQuery{Component: "nosuch", WaitMs: 60_000}},
			{ID: int64(i), TopologyID: testTopology, Query: &stormrpc.StateQuery{Component: q.component, Key: &q.key, WaitMs: 60_000}}}
		c.sup.mu.Unlock()
		var reply *stormrpc.StateReply
		select {
		case reply = <-c.sup.replies:
		case <-time.After(time.Minute):
			t.Fatalf("%s of %s: no reply", q.key, q.component)
		}
		got := ""
		for _, row := range reply.Rows {
			got += fmt.Sprint(row.Task, " ", row.GetState(), " ", row.GetKind(), " ", row.GetJSON(), " ", row.GetError(), " ")
		}
		if reply.ID != int64(i) || reply.Port != int32(port) || !strings.Contains(got, q.want) || len(got) > maxReplyBytes+10_000 {
			t.Errorf("%s of %s: reply %d: %.100q, want %q", q.key, q.component, reply.ID, got, q.want)
		}
	}
}

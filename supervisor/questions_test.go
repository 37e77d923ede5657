package supervisor

import (
	"testing"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func ask(id int64, topology string, waitMs int32) *stormrpc.StateQuestion {
	return &stormrpc.StateQuestion{ID: id, TopologyID: topology, Query: &stormrpc.StateQuery{Component: "c", WaitMs: waitMs}}
}

func TestQuestionsAreToldOnceToEach(t *testing.T) {
	var q questions
	if list, _ := q.take("a", "w1"); len(list) != 0 {
		t.Errorf("before any: %v", list)
	}
	_, news := q.take("a", "w1")
	q.put([]*stormrpc.StateQuestion{nil, {ID: 9}, ask(1, "a", 60_000), ask(2, "b", 60_000), ask(3, "a", -1)})
	select {
	case <-news:
	default:
		t.Error("who waits is not told")
	}
	for range 2 {
		for worker, topology := range map[string]string{"w1": "a", "w2": "a", "w3": "c"} {
			list, _ := q.take(topology, worker)
			want := 1
			if topology == "c" {
				want = 0
			}
			if q.told(1, worker) > 1 || len(list) > want {
				t.Errorf("%s of %s is told %v", worker, topology, list)
			}
		}
	}
	if q.told(1, "w1") != 1 || q.told(1, "w2") != 1 || q.told(2, "w1") != 0 || q.told(3, "w1") != 0 {
		t.Error("not everybody was told what is theirs")
	}
	for range maxQuestions {
		q.put([]*stormrpc.StateQuestion{ask(4, "d", 60_000)})
	}
	if list, _ := q.take("d", "w"); len(list) != maxQuestions || len(q.open) != maxQuestions {
		t.Errorf("%d questions told of %d kept", len(list), len(q.open))
	}
}

// told counts how often a worker was told a question.
func (s *questions) told(id int64, worker string) (n int) {
	for _, q := range s.open {
		if q.ID == id && q.told[worker] {
			n++
		}
	}
	return n
}

// TestQuestionReachesWorker goes all the way: Nimbus, supervisor, worker and back.
func TestQuestionReachesWorker(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.submit("a-1-1", "answers", s.NodeID(), port)
	worker, _ := n.ready("a-1-1", port)
	n.mu.Lock()
	n.asks = []*stormrpc.StateQuestion{ask(7, "a-1-1", 60_000)}
	n.mu.Unlock()
	n.until("a reply", func() bool { return len(n.replies) > 0 })
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.replies[0]
	if len(n.replies) != 1 || r.ID != 7 || r.WorkerID != worker || r.GetNodeID() != s.NodeID() || r.Token != nil || len(r.Rows) != 1 || r.Rows[0].GetJSON() == "wrong" {
		t.Errorf("replies %+v", n.replies)
	}
}

package nimbus

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A master that leads no longer says so, and not that too much is asked.
func TestStateIsAskedOfTheLeader(t *testing.T) {
	c := start(t, nil)
	c.submitWords("words", oneWorker)
	n := c.Nimbus
	topology := mustNamed(t, c, "words")
	n.mu.Lock()
	n.leads = false
	n.mu.Unlock()
	_, _, _, err := n.ask(topology, &stormrpc.StateQuery{Component: "count"}, time.Second)
	n.mu.Lock()
	n.leads = true
	n.mu.Unlock()
	if err == nil || !strings.Contains(answer(err), "leads") {
		t.Errorf("asked: %v", err)
	}
}

// TestStateIsAskedOfEveryTask: the question goes to the nodes beside their plans, once, and only workers that have the tasks are heard.
func TestStateIsAskedOfEveryTask(t *testing.T) {
	m := startMasters(t, 2, nil)
	leader := m.all[0]
	a := leader.node("a", 6700, 6701)
	leader.submitGo("words", `{"topology.workers": 2}`)
	a.until("the topology", hasTopologies(1))
	a.works()
	topology := a.plan.Topologies[0].TopologyID
	type outcome struct {
		answer *stormrpc.StateAnswer
		err    error
	}
	ask := func(name, component, key string, wait time.Duration) chan outcome {
		out := make(chan outcome, 1)
		client := stormrpc.NewGearstormClient(m.all[1].dial()) // a follower, which relays it
		go func() {
			answer, err := client.GetState(t.Context(), name, &stormrpc.StateQuery{Component: component, Key: &key, WaitMs: int32(wait / time.Millisecond)})
			out <- outcome{answer, err}
		}()
		return out
	}
	question := func() *stormrpc.StateQuestion {
		t.Helper()
		return a.until("a question", func(p *stormrpc.NodePlan) bool { return len(p.Questions) > 0 }).Questions[0]
	}
	where := map[int32]int32{} // tasks of count, and their ports
	for _, e := range *a.plan.Topologies[0].Assignment.ExecutorNodePort {
		for task := e.Key[0]; task <= e.Key[1]; task++ {
			if a.plan.Topologies[0].TaskComponents[int32(task)] == "count" {
				where[int32(task)] = int32(e.Value.Port[0])
			}
		}
	}
	reply := func(id int64, topology, node string, port int32, tasks ...int32) {
		t.Helper()
		r := &stormrpc.StateReply{ID: id, TopologyID: topology, Port: port, WorkerID: "w", NodeID: &node}
		for _, task := range tasks {
			text := fmt.Sprint(task)
			r.Rows = append(r.Rows, &stormrpc.StateRow{Task: task, JSON: &text})
		}
		must(t, a.client.ReplyState(t.Context(), r))
	}
	before := a.plan.PlanVersion
	first := ask("words", "count", "x", waitFor)
	q := question()
	if q.Query.GetKey() != "x" || q.TopologyID != topology || a.plan.PlanVersion != before {
		t.Errorf("question %+v in plan %d after %d", q, a.plan.PlanVersion, before)
	}
	if again := a.sync(0); len(again.Questions) > 0 {
		t.Error("it is asked twice")
	}
	for task, port := range where {
		reply(q.ID, topology, "b", port, task)     // another node
		reply(q.ID, topology, "a", port^1, task)   // another worker; 6700 and 6701 differ in this bit
		reply(q.ID, "other-1-1", "a", port, task)  // another topology
		reply(q.ID+99, topology, "a", port, task)  // another question
		reply(q.ID, topology, "a", port, task, 77) // with a task that nobody asked for
		reply(q.ID, topology, "a", port, task)     // once more
	}
	got := <-first
	if got.err != nil || len(got.answer.Rows) != len(where) || len(got.answer.Silent) != 0 || len(where) == 0 {
		t.Errorf("answer %+v of tasks %v", got, where)
	}
	for _, r := range got.answer.Rows {
		if r.GetJSON() != fmt.Sprint(r.Task) {
			t.Errorf("row %+v", r)
		}
	}
	late := ask("words", "count", "x", 10*time.Millisecond)
	if got := <-late; got.err != nil || len(got.answer.Rows) != 0 || len(got.answer.Silent) != len(where) {
		t.Errorf("nobody answers: %+v", got)
	}
	for component, want := range map[string]string{"nosuch": `no component "nosuch": it has count, words`, "__acker": "no component"} {
		if got := <-ask("words", component, "x", waitFor); got.err != nil || !strings.Contains(got.answer.GetError(), want) {
			t.Errorf("component %s: %+v", component, got)
		}
	}
	if got := <-ask("words", "count", strings.Repeat("k", maxKeyBytes+1), waitFor); got.err != nil || !strings.Contains(got.answer.GetError(), "a key of") {
		t.Errorf("a long key: %+v", got)
	}
	if got := <-ask("nosuch", "count", "x", waitFor); got.err == nil {
		t.Errorf("no topology: %+v", got)
	}
	last := ask("words", "count", "x", waitFor)
	a.until("the last question", func(p *stormrpc.NodePlan) bool {
		return slices.ContainsFunc(p.Questions, func(q *stormrpc.StateQuestion) bool { return q.Query.WaitMs > 1000 })
	})
	m.copied()
	m.fail(leader)
	if got := <-last; got.err == nil && len(got.answer.Silent) == 0 {
		t.Errorf("the leader is gone: %+v", got.answer)
	}
}

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// statefulNimbus is a fakeNimbus whose topology wc keeps counts.
type statefulNimbus struct {
	fakeNimbus
	stormrpc.Gearstorm
	mu sync.Mutex

	components []string      // of wide
	open       chan struct{} // of the questions about wide, of which each is answered when the others of its turn are open
}

func (n *statefulNimbus) GetState(ctx context.Context, topology string, q *stormrpc.StateQuery) (*stormrpc.StateAnswer, error) {
	if topology == "wide" {
		return n.wide(ctx, q.Component)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if topology == "mute" {
		return &stormrpc.StateAnswer{Rows: []*stormrpc.StateRow{}, Silent: map[string][]int32{"late": {6}, "silent": {8}}[q.Component]}, nil
	}
	if err := n.known(topology, fmt.Sprintf("state %s %s %s %s %d", topology, q.Component, q.GetKey(), q.GetState(), q.WaitMs)); err != nil {
		return nil, err
	}
	row := func(task int32, words ...string) *stormrpc.StateRow {
		r := &stormrpc.StateRow{Task: task}
		for i, p := range []**string{&r.State, &r.Kind, &r.JSON, &r.Error} {
			if i < len(words) && words[i] != "" {
				*p = &words[i]
			}
		}
		return r
	}
	a := &stormrpc.StateAnswer{Rows: []*stormrpc.StateRow{}, Silent: []int32{}}
	switch {
	case q.Component == "nosuch":
		why := "topology wc has no component \"nosuch\": it has count"
		a.Error = &why
	case q.Component == "java":
		a.Rows = append(a.Rows, row(5, "", "", "", "its state is objects of Java"))
	case q.Component == "late":
		a.Silent = []int32{6}
	case q.Component == "words":
		a.Rows = append(a.Rows, row(7, "", "", "", gearcore.ErrNoState.Error()))
	case q.Key == nil:
		a.Rows = append(a.Rows, row(3, "counts", "value"), row(3, "seen", "list"), row(4, "counts", "value"), row(4, "seen", "list"))
	case *q.Key == "apple":
		a.Rows = append(a.Rows, row(3), row(4, "counts", "value", "7"), row(4, "seen", "list", "[1,2]"))
	case *q.Key == "late":
		a.Rows, a.Silent = append(a.Rows, row(3)), []int32{4}
	case *q.Key == "java":
		a.Rows = append(a.Rows, row(3, "", "", "", "its state is objects of Java"), row(4, "", "", "", "its state is objects of Java"))
	case *q.Key == "huge":
		a.Rows = append(a.Rows, row(3), row(4, "counts", "value", "", "it takes too much"))
	}
	return a, nil
}

// wide answers for a component once as many questions are open as may be.
func (n *statefulNimbus) wide(ctx context.Context, component string) (*stormrpc.StateAnswer, error) {
	if component == "c99" {
		return nil, &stormrpc.NotAliveException{Msg: "wide is not alive"}
	}
	n.mu.Lock()
	n.told = append(n.told, component)
	if len(n.told) == questionsAtOnce {
		close(n.open)
	}
	n.mu.Unlock()
	select {
	case <-n.open:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	name, kind := component+"-total", "value"
	return &stormrpc.StateAnswer{Rows: []*stormrpc.StateRow{{Task: 1, State: &name, Kind: &kind}}, Silent: []int32{}}, nil
}

func (n *statefulNimbus) GetTopologyInfoByName(_ context.Context, name string) (*stormrpc.TopologyInfo, error) {
	ti := &stormrpc.TopologyInfo{ID: name + "-1", Name: name, Errors: map[string][]*stormrpc.ErrorInfo{}}
	components := []string{"count", "java", "late", "words", "__acker"}
	if name == "mute" {
		components = []string{"late", "silent", "words"}
	}
	if name == "wide" {
		components = n.components
	}
	for i, component := range components {
		ti.Executors = append(ti.Executors, &stormrpc.ExecutorSummary{ComponentID: component, ExecutorInfo: &stormrpc.ExecutorInfo{TaskStart: int32(i + 1), TaskEnd: int32(i + 1)}})
	}
	if name != "wc" && name != "mute" && name != "wide" {
		return nil, &stormrpc.NotAliveException{Msg: name + " is not alive"}
	}
	return ti, nil
}

// The components of a topology are asked several at a time, and shown in the order of their names.
func TestStateListAsksAtOnce(t *testing.T) {
	bare(t)
	n := &statefulNimbus{open: make(chan struct{})}
	t.Setenv(seeds.Env, serveNimbus(t, n, &n.port))
	want := "COMPONENT  STATE      KIND   TASKS\n"
	for i := range 3 * questionsAtOnce {
		n.components = append(n.components, fmt.Sprintf("c%02d", i+10))
		want += fmt.Sprintf("c%02d        c%02[1]d-total  value  1\n", i+10)
	}
	if got := command(t, "gearstorm", "state", "list", "wide"); got != (outcome{0, want, ""}) || len(n.told) != len(n.components) {
		t.Errorf("%+v, want %s, told %v", got, want, n.told)
	}
	n.components = append(n.components, "c99")
	if got := command(t, "gearstorm", "state", "list", "wide"); got.code != 1 || !strings.Contains(got.stderr, "wide is not alive") {
		t.Errorf("one that fails: %+v", got)
	}
}

func TestStateCommands(t *testing.T) {
	bare(t)
	n := &statefulNimbus{}
	t.Setenv(seeds.Env, serveNimbus(t, n, &n.port))
	for _, c := range []struct {
		args string
		code int
		want string
		told string
	}{
		{"state get wc count apple", 0, "TASK  STATE   KIND   VALUE\n4     counts  value  7\n4     seen    list   [1,2]\n", "state wc count apple  5000"},
		{"state get wc count apple --state counts -w 2s", 0, "7\n", "state wc count apple counts 2000"},
		{"state list wc count", 0, "STATE   KIND   TASKS\ncounts  value  2\nseen    list   2\n", "state wc count   5000"},
		{"state get wc count pear", 1, `component count of wc has nothing for key "pear"`, "state wc count pear  5000"},
		{"state get wc count late", 1, "component count of wc: task 4 did not answer within 5s", "state wc count late  5000"},
		{"state get wc count java", 1, "component count of wc: its state is objects of Java\n", "state wc count java  5000"},
		{"state get wc count huge", 1, "4     counts  value  (it takes too much)\n", "state wc count huge  5000"},
		{"state get wc nosuch apple", 1, `has no component "nosuch"`, "state wc nosuch apple  5000"},
		{"state get nosuch count apple", 1, "nosuch is not alive", "state nosuch count apple  5000"},
		{"state get wc count", 2, "a key, got 2 arguments", ""},
		{"state list wc", 0, "COMPONENT  STATE   KIND   TASKS\ncount      counts  value  2\ncount      seen    list   2\njava       (task 5: its state is objects of Java)\nlate       (task 6 did not answer)\n",
			"state wc count   5000, state wc java   5000, state wc late   5000, state wc words   5000"},
		{"state list mute", 1, "mute shows state: tasks 6, 8 did not answer within 5s", ""},
		{"state list", 2, "got 0 arguments", ""},
		{"state list nosuch", 1, "nosuch is not alive", ""},
		{"state get wc count apple -w 2h", 2, "-w 2h0m0s: want", ""},
		{"state", 2, "state needs a command: get, list", ""},
	} {
		n.told = nil
		got := command(t, append([]string{"gearstorm"}, strings.Fields(c.args)...)...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.want) {
			t.Errorf("%s: code %d, want %q in\n%s%s", c.args, got.code, c.want, got.stdout, got.stderr)
		}
		slices.Sort(n.told)
		if told := strings.Join(n.told, ", "); told != c.told && got.code != 1 {
			t.Errorf("%s: nimbus was told %q, want %q", c.args, told, c.told)
		}
	}
	var data stateShown
	readJSON(t, &data, "gearstorm", "state", "get", "wc", "count", "apple", "-o", "json")
	if data.Topology != "wc" || *data.Key != "apple" || len(data.Rows) != 2 || string(data.Rows[0].Value) != "7" || data.Rows[1].Task != 4 || data.Silent == nil {
		t.Errorf("as JSON: %+v", data)
	}
}

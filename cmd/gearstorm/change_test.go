package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// changeNimbus is a Nimbus whose topology tiny runs as version 3, and may be changed.
type changeNimbus struct {
	fakeNimbus
	stormrpc.Gearstorm // what is not below is not called
	answer             stormrpc.TopologyChange
	versions           []*stormrpc.TopologyVersion
	told               []string
	sum                string
	err                error // of PlanChange
}

func (n *changeNimbus) PlanChange(_ context.Context, name, _ string, t *stormrpc.StormTopology, o *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	n.told = append(n.told, fmt.Sprintf("plan %s of %d base %d drop %t replace %v", name, len(t.Bolts), o.GetBaseVersion(), o.GetDropState(), o.GetReplace()))
	n.sum = o.GetJarSha256()
	return &n.answer, n.err
}

func (n *changeNimbus) ApplyChange(_ context.Context, name, location, _ string, _ *stormrpc.StormTopology, o *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	n.told = append(n.told, fmt.Sprintf("apply %s from %s base %d", name, location, o.GetBaseVersion()))
	return &n.answer, nil
}

func (n *changeNimbus) RollbackTopology(_ context.Context, name string, version int64, o *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	n.told = append(n.told, fmt.Sprintf("rollback %s to %d base %d", name, version, o.GetBaseVersion()))
	return &n.answer, nil
}

func (n *changeNimbus) GetTopologyVersions(context.Context, string) ([]*stormrpc.TopologyVersion, error) {
	return n.versions, nil
}

func (n *changeNimbus) BeginFileUpload(context.Context) (string, error)    { return "inbox-1", nil }
func (n *changeNimbus) UploadChunk(context.Context, string, []byte) error  { return nil }
func (n *changeNimbus) FinishFileUpload(_ context.Context, _ string) error { return nil }
func (n *changeNimbus) row(kind, component, text string) {
	n.answer.Rows = append(n.answer.Rows, &stormrpc.ChangeRow{Kind: kind, Component: component, Text: text})
}

// tinyChange is a Nimbus that would make version 4 of tiny.
func tinyChange(t *testing.T) *changeNimbus {
	t.Helper()
	bare(t)
	n := &changeNimbus{answer: stormrpc.TopologyChange{BaseVersion: 3, Version: 4}}
	n.row("add", "sink", "bolt python3 s.py, 2 tasks")
	n.row("remove", "old", "is no more")
	n.row("conf", "", "topology.debug: false -> true")
	why := "workers read topology.debug when they start"
	n.answer.Rows[2].Restarts = &why
	n.row("code", "", "other files")
	write(t, "t.yaml", tinyYAML)
	write(t, "app.jar", "PK\x03\x04")
	t.Setenv(seeds.Env, serveNimbus(t, n, &n.port))
	yes := true
	at := time.Date(2026, 11, 29, 10, 0, 0, 0, time.Local).UnixMilli()
	ada, note := "ada", "version 3 went back by itself: nothing started"
	n.versions = []*stormrpc.TopologyVersion{
		{Version: 1, TimeMillis: at, User: &ada},
		{Version: 2, TimeMillis: at, BaseVersion: 1, Kept: &yes, User: &ada, Rows: n.answer.Rows[:1]},
		{Version: 3, TimeMillis: at, BaseVersion: 2, Kept: &yes, User: &ada, Rows: n.answer.Rows[2:3]},
		{Version: 4, TimeMillis: at, BaseVersion: 2, Kept: &yes, Note: &note},
	}
	return n
}

const tinyRows = `tiny: version 3 -> 4
  + sink        in place          bolt python3 s.py, 2 tasks
  - old         in place          is no more
  ~ (topology)  restarts workers  topology.debug: false -> true
  ~ (files)     in place          other files
workers restart: workers read topology.debug when they start
`

func TestPlanCommand(t *testing.T) {
	n := tinyChange(t)
	args := []string{"gearstorm", "plan", "t.yaml", "--drop-state", "--replace", "b", "-c", "topology.debug=true"}
	want := outcome{0, tinyRows + "apply it: gearstorm apply --base 3 --drop-state -c topology.debug=true --replace b t.yaml\n", ""}
	if diff := cmp.Diff(want, command(t, args...), cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := []string{"plan tiny of 1 base 0 drop true replace map[b:asked for]"}; cmp.Diff(want, n.told) != "" || len(n.sum) != 64 {
		t.Errorf("told %v, hash %s", n.told, n.sum)
	}
	n.answer.Refused = []string{"version 4 runs: plan again", "and so on"}
	got := command(t, "gearstorm", "plan", "t.yaml", "--base", "2", "--name", "other")
	if got.code != 2 || got.stderr != "" || !strings.HasPrefix(got.stdout, "other: version 3 runs\n") ||
		!strings.HasSuffix(got.stdout, "\nrefused: version 4 runs: plan again\nrefused: and so on\n") {
		t.Errorf("refused: %+v", got)
	}
	got = command(t, "gearstorm", "plan", "-o", "yaml", "t.yaml")
	if got.code != 2 || !strings.HasPrefix(got.stdout, "name: tiny\nbase: 3\nversion: 4\nrows:\n  - kind: add\n    component: sink\n") {
		t.Errorf("as YAML: %+v", got)
	}
	n.answer = stormrpc.TopologyChange{BaseVersion: 3, Version: 3}
	if got := command(t, "gearstorm", "plan", "t.yaml"); got != (outcome{0, "tiny: version 3 runs, and nothing would change\n", ""}) {
		t.Errorf("nothing: %+v", got)
	}
	n.err = &stormrpc.NotAliveException{Msg: "tiny is not alive"}
	for _, name := range []string{"plan", "apply"} {
		const want = "gearstorm: topology tiny does not run, so there is nothing to change; `submit` starts it, `list` shows those that run\n"
		if got := command(t, "gearstorm", name, "t.yaml"); got != (outcome{1, "", want}) {
			t.Errorf("%s of what does not run: %+v", name, got)
		}
	}
	for _, c := range [][]string{{"plan", "app.jar"}, {"apply", "app.jar", "org.example.Main"}} {
		if got := command(t, append([]string{"gearstorm"}, c...)...); got.code != 2 || !strings.Contains(got.stderr, "does not take a jar: what is in its topology only its own main class knows") {
			t.Errorf("%v: %+v", c, got)
		}
	}
	if got := command(t, "gearstorm", "plan"); got.code != 2 {
		t.Errorf("plan of nothing: %+v", got)
	}
}

// What plan prints to apply it is read as plan was, also where a program's arguments look like options.
func TestApplyLine(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"plan ./words 4 --name w", "gearstorm apply --base 3 --name w ./words 4"},
		{"plan ./words -- -w 4", "gearstorm apply --base 3 -- ./words -w 4"},
		{"plan ./words -x", "gearstorm apply --base 3 -- ./words -x"},
	} {
		app, got := newApp(false), ""
		cmd := commandNamed(app.Commands, "plan")
		cmd.Action = func(c *cli.Context) error { got = applyLine(c, 3); return nil }
		if err := app.Run(flagsFirst(app, strings.Fields("gearstorm "+c.args))); err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", c.args, got, err, c.want)
		}
	}
}

func TestApplyCommand(t *testing.T) {
	n := tinyChange(t)
	n.versions[3].Note = nil
	got := command(t, "gearstorm", "apply", "t.yaml")
	if got.code != 0 || !strings.HasPrefix(got.stdout, tinyRows+"version 4 runs after ") {
		t.Errorf("%+v", got)
	}
	if want := "apply tiny from inbox-1 base 3"; n.told[len(n.told)-1] != want {
		t.Errorf("told %v", n.told)
	}
	if got := command(t, "gearstorm", "apply", "--no-wait", "t.yaml"); got.code != 0 || !strings.HasSuffix(got.stdout, "version 4 is stored and starts; `history tiny` shows how it does\n") {
		t.Errorf("%+v", got)
	}
	yes := true
	n.versions[3].Starting, n.versions[3].OnTrial = &yes, &yes
	got = command(t, "gearstorm", "apply", "-w", "1ms", "t.yaml")
	if want := "it is neither in force nor given up after 1ms: "; got.code != 1 || !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, "`gearstorm history tiny`") {
		t.Errorf("one that is starting for ever: %+v", got)
	}
	for _, name := range []string{"apply", "rollback"} {
		if got := command(t, "gearstorm", name, "--wait", "0s", "tiny"); got.code != 2 || !strings.Contains(got.stderr, "-w 0s: want a time") {
			t.Errorf("%s without a time: %+v", name, got)
		}
	}
	note := "version 4 went back by itself: it died"
	n.versions = append(n.versions, &stormrpc.TopologyVersion{Version: 5, Note: &note})
	if got := command(t, "gearstorm", "apply", "t.yaml"); got.code != 1 || !strings.HasSuffix(got.stderr, "the version before runs again as version 5: "+note+"\n") {
		t.Errorf("one that went back: %+v", got)
	}
	n.told, n.answer.Refused = nil, []string{"no"}
	if got := command(t, "gearstorm", "apply", "t.yaml"); got.code != 2 || len(n.told) != 1 {
		t.Errorf("refused: %+v, told %v", got, n.told)
	}
}

func TestHistoryAndRollbackCommands(t *testing.T) {
	n := tinyChange(t)
	const want = `VERSION  TIME                 STATE      BY   WHAT
1        2026-11-29 10:00:00  gone       ada  submitted
2        2026-11-29 10:00:00  kept       ada  changed
                                                + sink  bolt python3 s.py, 2 tasks
3        2026-11-29 10:00:00  went back  ada  changed
                                                ~ (topology)  topology.debug: false -> true
4        2026-11-29 10:00:00  runs            as version 2; version 3 went back by itself: nothing started
`
	if diff := cmp.Diff(outcome{0, want, ""}, command(t, "gearstorm", "history", "tiny"), cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := command(t, "gearstorm", "history", "tiny", "-o", "json"); got.code != 0 || !strings.Contains(got.stdout, `"state": "runs"`) ||
		!strings.Contains(got.stdout, "\"state\": \"went back\",\n    \"kept\": true") {
		t.Errorf("as JSON: %+v", got)
	}
	long := *n.versions[3].Note + ": " + strings.Repeat("no such file, ", 20) + "and so on"
	n.versions[3].Note = &long
	if got := command(t, "gearstorm", "history", "tiny"); !strings.HasSuffix(got.stdout, "no such file,...\n") || strings.Contains(got.stdout, "and so on") {
		t.Errorf("a long reason: %+v", got)
	}
	if got := command(t, "gearstorm", "history", "tiny", "-o", "json"); !strings.Contains(got.stdout, long) {
		t.Errorf("a long reason as JSON: %+v", got)
	}
	if got := command(t, "gearstorm", "rollback", "tiny"); got.code != 0 || strings.Join(n.told, " ") != "rollback tiny to 1 base 4" {
		t.Errorf("after version 3 went back to 2 by itself: %+v, told %v", got, n.told)
	}
	yes := true
	n.versions[3].OnTrial = &yes
	if got := command(t, "gearstorm", "history", "tiny"); got.code != 0 || !strings.Contains(got.stdout, "  trial           as version 2;") {
		t.Errorf("on trial: %+v", got)
	}
	n.versions[3].Note = nil
	for _, c := range []struct {
		args []string
		code int
		told string
	}{
		{[]string{"tiny"}, 0, "rollback tiny to 3 base 4"},
		{[]string{"tiny", "2"}, 0, "rollback tiny to 2 base 0"},
		{[]string{"tiny", "2", "--base", "4"}, 0, "rollback tiny to 2 base 4"},
		{[]string{"tiny", "2", "--base", "0"}, 2, ""},
		{[]string{"tiny", "2", "--base=-1"}, 2, ""},
		{[]string{"tiny", "first"}, 2, ""},
		{[]string{"tiny", "0"}, 2, ""},
		{nil, 2, ""},
	} {
		n.told = nil
		if got := command(t, append([]string{"gearstorm", "rollback"}, c.args...)...); got.code != c.code || strings.Join(n.told, " ") != c.told {
			t.Errorf("%v: %+v, told %v", c.args, got, n.told)
		}
	}
	n.versions = n.versions[3:]
	if got := command(t, "gearstorm", "rollback", "tiny"); got.code != 1 || !strings.Contains(got.stderr, "one version only") {
		t.Errorf("%+v", got)
	}
}

func TestBefore(t *testing.T) {
	failed, yes := "version went back by itself", true
	of := func(bases ...int64) (all []*stormrpc.TopologyVersion) { // -n: as n, since the version before went back
		for i, b := range bases {
			v := &stormrpc.TopologyVersion{Version: int64(i) + 1, BaseVersion: max(b, -b)}
			if b < 0 {
				v.Note = &failed
			}
			all = append(all, v)
		}
		return all
	}
	neverRan := func(all []*stormrpc.TopologyVersion, numbers ...int) []*stormrpc.TopologyVersion {
		for _, n := range numbers {
			all[n-1].NeverRan = &yes
		}
		return all
	}
	for _, c := range []struct {
		why  string
		all  []*stormrpc.TopologyVersion
		want int64
	}{
		{"none", nil, 0},
		{"submitted", of(0), 0},
		{"changed", of(0, 1), 1},
		{"rolled back", of(0, 1, 1), 2},
		{"the only change went back", of(0, 1, -1), 0},
		{"the second change went back", of(0, 1, 2, -2), 1},
		{"two changes went back", of(0, 1, 2, -2, 4, -4), 1},
		{"changed after one went back", of(0, 1, -1, 3), 3},
		{"it went back after one that went back", of(0, 1, -1, 3, 4, -4), 3},
		{"changed while version 2 was starting", neverRan(of(0, 1, 2), 2), 1},
		{"changed twice while it was starting, after one that went back", neverRan(of(0, 1, 2, -2, 4, 5, 6), 5, 6), 4},
		{"nothing else has run", neverRan(of(0, 1), 1), 0},
		{"what it went back to is forgotten", of(0, 1, 2, -2)[2:], 0},
	} {
		if got := before(c.all); got != c.want {
			t.Errorf("%s: %d, want %d", c.why, got, c.want)
		}
	}
}

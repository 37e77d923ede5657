package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// fakeNimbus knows the topology wc and remembers what it was told to do.
type fakeNimbus struct {
	stormrpc.Nimbus
	port  int
	empty bool
	told  []string
}

func (n *fakeNimbus) GetLeader(context.Context) (*stormrpc.NimbusSummary, error) {
	return &stormrpc.NimbusSummary{Host: "127.0.0.1", Port: int32(n.port), IsLeader: true, Version: stormVersion}, nil
}

func (n *fakeNimbus) GetTopologySummaries(context.Context) ([]*stormrpc.TopologySummary, error) {
	if n.empty {
		return nil, nil
	}
	owner := "ada"
	return []*stormrpc.TopologySummary{
		{ID: "wc-1-1700000000", Name: "wc", NumTasks: 12, NumExecutors: 9, NumWorkers: 2, UptimeSecs: 3661, Status: "ACTIVE", Owner: &owner},
		{ID: "a-name-longer-than-its-column-2-1700000001", Name: "a-name-longer-than-its-column", NumTasks: 1, NumExecutors: 1, NumWorkers: 1, Status: "INACTIVE", Owner: &owner},
	}, nil
}

func (n *fakeNimbus) GetTopologySummaryByName(_ context.Context, name string) (*stormrpc.TopologySummary, error) {
	switch name {
	case "busy":
		return &stormrpc.TopologySummary{Name: name, Status: "REBALANCING"}, nil
	case "wc":
		return &stormrpc.TopologySummary{ID: "wc-1-1700000000", Name: name, Status: "ACTIVE"}, nil
	}
	return nil, &stormrpc.NotAliveException{Msg: name + " is not alive"}
}

func (n *fakeNimbus) SetLogConfig(_ context.Context, id string, c *stormrpc.LogConfig) error {
	n.told = append(n.told, "log "+id+" "+logConfigText(c.NamedLoggerLevel))
	return nil
}

func (n *fakeNimbus) UploadNewCredentials(_ context.Context, name string, c *stormrpc.Credentials) error {
	b, err := json.Marshal(c.Creds)
	if err != nil {
		return err
	}
	return n.known(name, "credentials "+name+" "+string(b)+" "+c.GetTopoOwner())
}

func (n *fakeNimbus) GetTopologyInfo(_ context.Context, id string) (*stormrpc.TopologyInfo, error) {
	if id != "wc-1-1700000000" {
		return nil, &stormrpc.NotAliveException{Msg: id}
	}
	return infoOfWC(), nil
}

func (n *fakeNimbus) GetTopologyInfoWithOpts(ctx context.Context, id string, _ *stormrpc.GetInfoOptions) (*stormrpc.TopologyInfo, error) {
	return n.GetTopologyInfo(ctx, id)
}

func (n *fakeNimbus) GetClusterInfo(ctx context.Context) (*stormrpc.ClusterSummary, error) {
	ts, err := n.GetTopologySummaries(ctx)
	return &stormrpc.ClusterSummary{Topologies: ts, Supervisors: []*stormrpc.SupervisorSummary{
		{SupervisorID: "s1", Host: "h", NumWorkers: 4, NumUsedWorkers: 2}},
		Nimbuses: []*stormrpc.NimbusSummary{{Host: "127.0.0.1", Port: int32(n.port), IsLeader: true, Version: stormVersion}}}, err
}

func (n *fakeNimbus) GetNimbusConf(context.Context) (string, error) {
	return `{"topology.workers":7,"supervisor.slots.ports":[6700,6701]}`, nil
}

func (n *fakeNimbus) known(name, told string) error {
	if name == "busy" {
		return errors.New("No transition for event")
	}
	if name != "wc" {
		return &stormrpc.NotAliveException{Msg: name + " is not alive"}
	}
	n.told = append(n.told, told)
	return nil
}

func (n *fakeNimbus) KillTopologyWithOpts(_ context.Context, name string, o *stormrpc.KillOptions) error {
	wait := "default"
	if o.WaitSecs != nil {
		wait = fmt.Sprint(*o.WaitSecs)
	}
	return n.known(name, "kill "+name+" "+wait)
}

func (n *fakeNimbus) Activate(_ context.Context, name string) error {
	return n.known(name, "activate "+name)
}

func (n *fakeNimbus) Deactivate(_ context.Context, name string) error {
	return n.known(name, "deactivate "+name)
}

func (n *fakeNimbus) Rebalance(_ context.Context, name string, o *stormrpc.RebalanceOptions) error {
	b, err := json.Marshal(map[string]any{"wait": o.WaitSecs, "workers": o.NumWorkers, "executors": o.NumExecutors,
		"conf": o.TopologyConfOverrides, "resources": o.TopologyResourcesOverrides})
	if err != nil {
		return err
	}
	return n.known(name, "rebalance "+name+" "+string(b))
}

func (n *fakeNimbus) GetTopologyInfoByName(_ context.Context, name string) (*stormrpc.TopologyInfo, error) {
	return infoOfWC(), n.known(name, "info "+name)
}

func (n *fakeNimbus) GetTopologyInfoByNameWithOpts(_ context.Context, name string, o *stormrpc.GetInfoOptions) (*stormrpc.TopologyInfo, error) {
	if o.GetNumErrChoice() == stormrpc.NumErrorsChoice_NONE {
		return infoOfWC(), n.known(name, "counts "+name)
	}
	return infoOfWC(), n.known(name, "errors "+name)
}

// startFake serves a fake Nimbus and returns it with its address. The tests see no configuration of this machine.
func startFake(t *testing.T) (*fakeNimbus, string) {
	t.Helper()
	n := &fakeNimbus{}
	return n, serveNimbus(t, n, &n.port)
}

// serveNimbus serves n until the test ends, and returns its address. port is where n learns its port.
func serveNimbus(t *testing.T, n stormrpc.Nimbus, port *int) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	*port = ln.Addr().(*net.TCPAddr).Port
	services := []wire.Processor{stormrpc.NewNimbusProcessor(n)}
	if own, ok := n.(stormrpc.Gearstorm); ok {
		services = append(services, stormrpc.NewGearstormProcessor(own))
	}
	srv, err := wire.NewServer(wire.Options{}, services...)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-served
	})
	return ln.Addr().String()
}

// bare gives a test an empty folder, no home and no variable of ours.
func bare(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	t.Setenv("STORM_CONF_DIR", "")
	t.Setenv(seeds.Env, "")
}

// outcome is what a command left.
type outcome struct {
	code           int
	stdout, stderr string
}

func command(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// TestAsStorm holds what the commands print under the name storm to what Storm 2.8 prints (contract of its command
// package: ListTopologies, KillTopology, Activate, Deactivate, Rebalance, GetErrors, VersionInfo).
func TestAsStorm(t *testing.T) {
	bare(t)
	n, at := startFake(t)
	t.Setenv(seeds.Env, at)
	const table = "" +
		"Topology_name        Status     Num_tasks  Num_workers  Uptime_secs  Topology_Id          Owner               \n" +
		"----------------------------------------------------------------------------------------\n" +
		"wc                   ACTIVE     12         2            3661         wc-1-1700000000      ada                 \n" +
		"a-name-longer-than-its-column INACTIVE   1          1            0            a-name-longer-than-its-column-2-1700000001 ada                 \n"
	const notAlive = "storm: nosuch is not alive; `list` shows the topologies that run\n"
	for _, c := range []struct {
		args string
		want outcome
		told string
	}{
		{"list", outcome{0, table, ""}, ""},
		{"list more words", outcome{0, table, ""}, ""},
		{"kill wc", outcome{0, "Killed topology: wc\n", ""}, "kill wc default"},
		{"kill wc -w 5", outcome{0, "Killed topology: wc\n", ""}, "kill wc 5"},
		{"kill -w5 wc", outcome{0, "Killed topology: wc\n", ""}, "kill wc 5"},
		{"kill wc --wait 0", outcome{0, "Killed topology: wc\n", ""}, "kill wc 0"},
		{"kill --wait-time-secs=7 wc", outcome{0, "Killed topology: wc\n", ""}, "kill wc 7"},
		{"kill wc wc", outcome{0, "Killed topology: wc\nKilled topology: wc\n", ""}, "kill wc default, kill wc default"},
		{"kill nosuch wc", outcome{1, "", notAlive}, ""},
		{"kill -i nosuch wc", outcome{1, "Killed topology: wc\n", notAlive + "storm: Failed to successfully kill 1 topologies.\n"}, "kill wc default"},
		{"activate wc", outcome{0, "Activated topology: wc\n", ""}, "activate wc"},
		{"deactivate wc", outcome{0, "Deactivated topology: wc\n", ""}, "deactivate wc"},
		{"activate nosuch", outcome{1, "", notAlive}, ""},
		{"rebalance wc", outcome{0, "Topology wc is rebalancing\n", ""},
			`rebalance wc {"conf":null,"executors":null,"resources":null,"wait":null,"workers":null}`},
		{"rebalance wc -w 3 -n 2 -e split=4 --executor a=b=1 -t {\"topology.workers\":1,\"topology.debug\":true} -c topology.workers=3 -r {\"split\":{\"cpu\":50}}", outcome{0, "Rebalancing topology with overrides {\"topology.debug\":true,\"topology.workers\":3}\nTopology wc is rebalancing\n", ""},
			`rebalance wc {"conf":"{\"topology.debug\":true,\"topology.workers\":3}","executors":{"a=b":1,"split":4},"resources":{"split":{"cpu":50}},"wait":3,"workers":2}`},
		{"get-errors wc", outcome{0, `{"Comp-Errors":{"__system":"worker w ended by signal 9","split":"newest <error>\n  line"},"Topology Name":"wc"}` + "\n", ""}, "errors wc"},
		{"get-errors nosuch", outcome{0, `{"Failure":"No topologies running with name nosuch"}` + "\n", ""}, ""},
		{"set_log_level wc -l ROOT=debug:30 -l a.b=WARN -r old", outcome{0, "Log config LogConfig(named_logger_level:{ROOT=LogLevel(action:UPDATE, target_log_level:DEBUG, reset_log_level_timeout_secs:30), " +
			"a.b=LogLevel(action:UPDATE, target_log_level:WARN, reset_log_level_timeout_secs:0), old=LogLevel(action:REMOVE)}) is sent for topology wc\n", ""},
			"log wc-1-1700000000 LogConfig(named_logger_level:{ROOT=LogLevel(action:UPDATE, target_log_level:DEBUG, reset_log_level_timeout_secs:30), " +
				"a.b=LogLevel(action:UPDATE, target_log_level:WARN, reset_log_level_timeout_secs:0), old=LogLevel(action:REMOVE)})"},
		{"set_log_level nosuch -l ROOT=INFO", outcome{1, "", "storm: nosuch is not a running topology\n"}, ""},
		{"set_log_level wc -l ROOT=LOUD", outcome{1, "", "storm: -l \"ROOT=LOUD\": want LOGGER=LEVEL[:SECS] with one of the levels ALL, TRACE, DEBUG, INFO, WARN, ERROR, FATAL, OFF\n"}, ""},
		{"upload-credentials wc user ada pw x=y", outcome{0, "Using topology conf from wc-1-1700000000 as basis for getting new creds\nUploaded new creds to topology: wc\n", ""}, `credentials wc {"pw":"x=y","user":"ada"} `},
		{"upload-credentials wc user ada -u bob", outcome{0, "Using topology conf from wc-1-1700000000 as basis for getting new creds\nUploaded new creds to topology: wc\n", ""}, `credentials wc {"user":"ada"} bob`},
		{"upload-credentials wc user", outcome{1, "", "storm: Need an even number of arguments to make a map\n"}, ""},
		{"upload-credentials nosuch a b", outcome{1, "", notAlive}, ""},
		{"upload-credentials wc -e", outcome{1, "Using topology conf from wc-1-1700000000 as basis for getting new creds\n", "storm: No credentials were uploaded for wc; name them on the command line or in a file\n"}, ""},
		{"monitor wc", outcome{0, "Available components for wc :\n------------------\n__acker\nlines\nsplit\n------------------\nPlease use -m to specify one component\n", ""}, "counts wc"},
		{"monitor wc -m nosuch", outcome{1, "topology\tcomponent\tparallelism\tstream\ttime-diff ms\temitted\tthroughput (Kt/s)\n" +
			"Available components for wc :\n------------------\n__acker\nlines\nsplit\n------------------\n", "storm: component: nosuch not found\n"}, "counts wc"},
		{"monitor wc -m split -s nosuch -w transferred", outcome{1, "topology\tcomponent\tparallelism\tstream\ttime-diff ms\ttransferred\tthroughput (Kt/s)\n", "storm: stream: nosuch not found\n"}, "counts wc"},
		{"monitor wc -m split -w eaten", outcome{1, "", "storm: watch item must either be transferred or emitted\n"}, ""},
		{"localconfvalue nimbus.thrift.port", outcome{0, "nimbus.thrift.port: 6627\n", ""}, ""},
		{"localconfvalue supervisor.slots.ports -c supervisor.slots.ports=[1,2]", outcome{0, "supervisor.slots.ports: 1 2\n", ""}, ""},
		{"localconfvalue no.such.key", outcome{0, "no.such.key: null\n", ""}, ""},
		{"remoteconfvalue topology.workers", outcome{0, "topology.workers: 7\n", ""}, ""},
		{"heartbeats list /workerbeats", outcome{0, "list /workerbeats:\n wc-1-1700000000\n a-name-longer-than-its-column-2-1700000001\n", ""}, ""},
		{"heartbeats list /workerbeats/wc-1-1700000000", outcome{0, "list /workerbeats/wc-1-1700000000:\n h-6700\n", ""}, ""},
		{"heartbeats get /workerbeats/wc-1-1700000000/h-1", outcome{0, "get /workerbeats/wc-1-1700000000/h-1: No Heartbeats found\n", ""}, ""},
		{"heartbeats list /storms", outcome{1, "", "storm: there is nothing at /storms; paths are /workerbeats, /workerbeats/TOPOLOGY-ID and /workerbeats/TOPOLOGY-ID/HOST-PORT\n"}, ""},
		{"admin", outcome{2, "", "storm: admin needs a command: remove_corrupt_topologies, print_topo, print_super, print_assignment, zk_cli, creds, help; usage: storm admin COMMAND [OPTION]... (`storm admin --help` tells more)\n"}, ""},
		{"admin nosuch", outcome{2, "", "storm: admin has no command \"nosuch\": remove_corrupt_topologies, print_topo, print_super, print_assignment, zk_cli, creds, help; usage: storm admin COMMAND [OPTION]... (`storm admin --help` tells more)\n"}, ""},
		{"admin remove_corrupt_topologies", outcome{0, "", ""}, ""},
		{"admin print_assignment nosuch-1-1", outcome{3, "", "storm: nosuch-1-1 is not alive; `list` shows the topologies that run\n"}, ""},
		{"admin print_super s2", outcome{3, "", "storm: no supervisor has the id s2; `gearstorm nodes` lists them\n"}, ""},
		{"blobstore", outcome{2, "", "storm: blobstore needs a command: list, cat, create, update, delete, set-acl, replication; usage: storm blobstore COMMAND [OPTION]... (`storm blobstore --help` tells more)\n"}, ""},
		{"blobstore cat", outcome{2, "", "storm: cat takes one key, got 0; usage: storm blobstore cat [OPTION]... KEY (`storm blobstore cat --help` tells more)\n"}, ""},
		{"blobstore replication k", outcome{2, "", "storm: replication takes either --read or --update; usage: storm blobstore replication [OPTION]... KEY (`storm blobstore replication --help` tells more)\n"}, ""},
		{"kill", outcome{2, "", "storm: kill takes one or more topology names; usage: storm kill [OPTION]... NAME... (`storm kill --help` tells more)\n"}, ""},
		{"kill -w -1 wc", outcome{2, "", "storm: -w -1: want 0 or more seconds; usage: storm kill [OPTION]... NAME... (`storm kill --help` tells more)\n"}, ""},
		{"kill -w x wc", outcome{2, "", "storm: option -w cannot be \"x\"; usage: storm kill [OPTION]... NAME... (`storm kill --help` tells more)\n"}, ""},
		{"kill --nosuch wc", outcome{2, "", "storm: no option --nosuch; usage: storm kill [OPTION]... NAME... (`storm kill --help` tells more)\n"}, ""},
		{"activate", outcome{2, "", "storm: activate takes one topology name, got 0; usage: storm activate [OPTION]... NAME (`storm activate --help` tells more)\n"}, ""},
		{"rebalance busy", outcome{1, "", "storm: busy is rebalancing now and cannot rebalance; `list` shows its status\n"}, ""},
		{"activate busy", outcome{1, "", "storm: busy is rebalancing now and cannot activate; `list` shows its status\n"}, ""},
		{"rebalance wc -n 0", outcome{2, "", "storm: -n 0: want a positive number of workers; usage: storm rebalance [OPTION]... NAME (`storm rebalance --help` tells more)\n"}, ""},
		{"rebalance wc -e split=0", outcome{2, "", "storm: -e \"split=0\": want COMPONENT=N with a positive number of executors; usage: storm rebalance [OPTION]... NAME (`storm rebalance --help` tells more)\n"}, ""},
		{"rebalance wc -e split", outcome{2, "", "storm: -e \"split\": want COMPONENT=N with a positive number of executors; usage: storm rebalance [OPTION]... NAME (`storm rebalance --help` tells more)\n"}, ""},
		{"nosuch", outcome{2, "", "storm: no command \"nosuch\"; usage: storm COMMAND [OPTION]... [ARGUMENT]... (`storm --help` tells more)\n"}, ""},
		{"repl", outcome{2, "", "storm: Storm's command \"repl\" is not here: it is a shell of Clojure, which nothing here is written in; usage: storm COMMAND [OPTION]... [ARGUMENT]... (`storm --help` tells more)\n"}, ""},
	} {
		t.Run(c.args, func(t *testing.T) {
			n.told = nil
			got := command(t, append([]string{"/bin/storm"}, strings.Fields(c.args)...)...)
			if d := cmp.Diff(c.want, got, cmp.AllowUnexported(outcome{})); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if told := strings.Join(n.told, ", "); told != c.told {
				t.Errorf("nimbus was told %q, want %q", told, c.told)
			}
		})
	}
	n.empty = true
	if got := command(t, "storm", "list"); got != (outcome{0, "No topologies running.\n", ""}) {
		t.Errorf("an empty list is %+v", got)
	}
}

func TestStormVersion(t *testing.T) {
	got := command(t, "storm", "version")
	lines := strings.Split(got.stdout, "\n")
	if got.code != 0 || len(lines) != 4 || lines[0] != "Storm 2.8.3" || !strings.HasPrefix(lines[1], "Branch ") || !strings.HasPrefix(lines[2], "From source with checksum ") {
		t.Errorf("storm version: %+v", got)
	}
}

func TestNoCommandPrintsHelp(t *testing.T) {
	for _, name := range []string{"storm", "gearstorm"} {
		got := command(t, name)
		if got.code != 1 || got.stdout != "" || !strings.HasPrefix(got.stderr, "usage: "+name+" COMMAND") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, c := range newApp(false).Commands {
		if c.Name == "help" {
			continue // that of all
		}
		for _, args := range [][]string{{"gearstorm", c.Name, "--help"}, {"gearstorm", "help", c.Name}, {"gearstorm", c.Name, "-h"}} {
			got := command(t, args...)
			if got.code != 0 || got.stderr != "" || !strings.HasPrefix(got.stdout, "gearstorm "+c.Name+": "+c.Usage+"\n\nusage: gearstorm "+c.Name) {
				t.Errorf("%v: %+v", args, got)
			}
		}
	}
	if got := command(t, "gearstorm", "help"); got.code != 0 || !strings.Contains(got.stdout, "Options of every command") {
		t.Errorf("help: %+v", got)
	}
	if got := command(t, "gearstorm", "help", "nosuch"); got.code != 2 || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("help of what is not there: %+v", got)
	}
}

func TestJSON(t *testing.T) {
	bare(t)
	_, at := startFake(t)
	var list []map[string]any
	readJSON(t, &list, "gearstorm", "list", "-o", "json", "--nimbus", at)
	want := map[string]any{"name": "wc", "id": "wc-1-1700000000", "status": "ACTIVE", "workers": 2.0, "executors": 9.0, "tasks": 12.0, "uptime_secs": 3661.0, "owner": "ada"}
	if d := cmp.Diff(want, list[0]); d != "" {
		t.Errorf("list: (-want +got)\n%s", d)
	}
	var info map[string]any
	readJSON(t, &info, "gearstorm", "info", "--output=json", "wc", "--nimbus", at)
	split := info["components"].([]any)[1]
	wantSplit := map[string]any{"name": "split", "executors": 2.0, "tasks": 3.0, "emitted": 40.0, "transferred": 50.0, "executed": 10.0, "acked": 8.0,
		"failed": 2.0, "latency_ms": 2.5, "latency_p50_ms": 0.0, "latency_p99_ms": 0.0, "queue_p50_ms": 0.0, "queue_p99_ms": 0.0, "errors": []any{map[string]any{"text": "newest <error>\n  line", "time_secs": 100.0, "host": "h", "port": 6700.0}}}
	if d := cmp.Diff(wantSplit, split); d != "" {
		t.Errorf("info: (-want +got)\n%s", d)
	}
	var version map[string]string
	readJSON(t, &version, "gearstorm", "version", "-o", "json")
	if version["storm"] != stormVersion || version["gearstorm"] == "" {
		t.Errorf("version: %v", version)
	}
}

func readJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	got := command(t, args...)
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("%v: %+v", args, got)
	}
	if err := json.Unmarshal([]byte(got.stdout), into); err != nil {
		t.Fatalf("%v: %v in %s", args, err, got.stdout)
	}
}

func TestNoNimbus(t *testing.T) {
	bare(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := ln.Addr().String()
	ln.Close()
	want := outcome{1, "", "gearstorm: no Nimbus answers at " + at + " (connection refused); is it running? `gearstorm dev` starts a cluster here, --nimbus HOST:PORT names another\n"}
	if got := command(t, "gearstorm", "list", "--nimbus", at); got != want {
		t.Errorf("%+v", got)
	}
}

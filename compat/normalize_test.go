package compat

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/javaser"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/google/go-cmp/cmp"
)

func TestNormalizeConf(t *testing.T) {
	const register, decorate = "topology.kryo.register", "topology.kryo.decorators"
	topo := build(func(b *testBuilder) {
		b.bolt("x").Common.JSONConf = ptr(`{"topology.kryo.register": ["b.B"], "topology.kryo.decorators": ["d.D"]}`)
	})
	cluster := conf.Merge(conf.Defaults(), conf.Conf{
		"storm.messaging.netty.authentication": true, "worker.max.timeout.secs": int64(100), "topology.max.task.parallelism": int64(5),
		"storm.metrics.reporters": []any{map[string]any{"class": "r.R"}}, "storm.local.hostname": "nimbus1",
		"storm.topology.metrics.system.reporters": []any{map[string]any{"class": "s.S"}},
	})
	submitted := conf.Conf{
		register: []any{"a.A", map[string]any{"c.C": "c.Ser"}}, decorate: []any{"e.E", "d.D"}, "sudo_user": "", "own": []any{1.0},
		"worker.metrics": map[string]any{"x": "y"}, "storm.workers.artifacts.dir": "/etc", "storm.local.hostname": "evil",
		"topology.worker.timeout.secs": int64(900), "topology.users": []any{"bob"}, "topology.submitter.user": "root",
		"storm.zookeeper.topology.auth.scheme": "digest", "storm.zookeeper.topology.auth.payload": "1:2", "topology.classpath.beginning": "x",
		"storm.id": "mine", "storm.zookeeper.superACL": "sasl:me",
	}
	_, got, err := Normalize(cluster, submitted, topo, Submission{ID: "t-1-2", Name: "t", Principal: "alice", SystemUser: "storm"})
	if err != nil {
		t.Fatal(err)
	}
	want := conf.Conf{
		register: map[string]any{"a.A": nil, "b.B": nil, "c.C": "c.Ser"}, decorate: []any{"d.D", "e.E"}, "sudo_user": "", "own": []any{1.0},
		"worker.metrics": conf.Defaults()["worker.metrics"], "storm.workers.artifacts.dir": "workers-artifacts",
		"topology.worker.timeout.secs": int64(100), "topology.users": []any{"alice", "bob"}, "topology.submitter.user": "alice",
		"topology.submitter.principal": "alice", "storm.id": "t-1-2", "topology.name": "t", "topology.max.task.parallelism": int64(5),
		"storm.messaging.netty.authentication": true, "nimbus.thrift.client.use.tls": false, "gearstorm.hash.mode": "value",
		"topology.metrics.reporters": []any{map[string]any{"class": "r.R"}, map[string]any{"class": "s.S"}}, "nimbus.thrift.port": int64(6627),
	}
	for k, w := range want {
		if diff := cmp.Diff(w, got[k]); diff != "" {
			t.Errorf("%s: %s", k, diff)
		}
	}
	for _, k := range []string{"storm.local.hostname", "storm.zookeeper.topology.auth.scheme", "storm.zookeeper.topology.auth.payload",
		"topology.classpath.beginning", "storm.zookeeper.superACL"} {
		if v, has := got[k]; has {
			t.Errorf("%s is still %v", k, v)
		}
	}
	if submitted["topology.submitter.user"] != "root" || cluster["storm.local.hostname"] != "nimbus1" {
		t.Error("an argument was changed")
	}

	_, anonymous, err := Normalize(conf.Defaults(), conf.Conf{"gearstorm.hash.mode": "java"}, topo, Submission{SystemUser: "storm"})
	if err != nil {
		t.Fatal(err)
	}
	for k, w := range map[string]any{"topology.submitter.user": "storm", "topology.submitter.principal": "", "topology.users": []any{}, "gearstorm.hash.mode": "java"} {
		if diff := cmp.Diff(w, anonymous[k]); diff != "" {
			t.Errorf("anonymous %s: %s", k, diff)
		}
	}
	for name, bad := range map[string]conf.Conf{
		"register": {register: "x"}, "registered": {register: []any{int64(1)}}, "hash": {"gearstorm.hash.mode": "x"},
		"timeout": {"topology.worker.timeout.secs": "x"}, "tasks": {"topology.tasks": "x"}, "users": {"topology.users": int64(1)},
	} {
		if _, _, err := Normalize(conf.Defaults(), bad, topo, Submission{}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestNormalizeTopology(t *testing.T) {
	topo := build(func(b *testBuilder) { b.bolt("x").Common.ParallelismHint = ptr(int32(3)) })
	got, _, err := Normalize(conf.Defaults(), nil, topo, Submission{})
	if err != nil {
		t.Fatal(err)
	}
	if j := got.Bolts["x"].Common.JSONConf; j == nil || *j != `{"topology.tasks":3}` {
		t.Errorf("json_conf of x is %v", j)
	}
	if topo.Bolts["x"].Common.JSONConf != nil {
		t.Error("the submitted topology was changed")
	}
	version := ptr("2.8.3")
	topo.StormVersion, topo.DependencyJars = version, []string{"dep.jar"}
	got, _, err = Normalize(conf.Defaults(), nil, topo, Submission{})
	if err != nil || got.StormVersion != version || len(got.DependencyJars) != 1 {
		t.Errorf("version or dependencies are lost (%v)", err)
	}
}

func TestPlaceShells(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("javaser", "testdata", "classes.jar"))
	if err != nil {
		t.Fatal(err)
	}
	jar, err := javaser.OpenJar(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	bolts := func(names ...string) *stormrpc.StormTopology {
		return build(func(b *testBuilder) {
			for _, n := range names {
				b.bolt(n).BoltObject = &stormrpc.ComponentObject{SerializedJava: serialized(t, n)}
			}
		})
	}
	for _, tc := range []struct {
		name string
		topo *stormrpc.StormTopology
		jars []*javaser.Jar
		want string
	}{
		{"no jar needed", bolts("fluxbolt"), nil, ""},
		{"nothing changed", bolts("shellbolt", "shellbolt-fields"), []*javaser.Jar{jar}, ""},
		{"class missing", bolts("shellbolt"), nil, "Component: [shellbolt]: class sample.Samples$Split is in none of the topology's jars"},
		{"execute changed", bolts("shellbolt", "shellbolt-counting"), []*javaser.Jar{jar}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := PlaceShells(tc.topo, tc.jars...)
			if (tc.want == "") != (err == nil) || err != nil && !strings.HasSuffix(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if err != nil {
				return
			}
			g, err := Compile(got, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range g.Processors {
				if java := p.Impl.Kind == dag.ImplJava; java != (p.Name == "shellbolt-counting") {
					t.Errorf("%s in the JVM: %v", p.Name, java)
				}
			}
		})
	}
	got, err := ShellOverrides(bolts("fluxbolt", "shellbolt", "shellbolt-counting"), jar)
	if want := map[string][]string{"shellbolt-counting": {"sample.Samples$Counting.execute"}}; err != nil || !cmp.Equal(want, got) {
		t.Errorf("overrides are %v, %v", got, err)
	}
}

package multilang

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

func testGraph() *dag.Graph {
	g := &dag.Graph{Processors: []*dag.Processor{
		{Name: "src", Kind: dag.Spout, Outputs: []dag.Output{{Stream: "default", Fields: []string{"sentence"}}, {Stream: "side", Fields: []string{"a", "b"}}, {Stream: "__ack_init"}}},
		{Name: "me", Kind: dag.Bolt, Outputs: []dag.Output{{Stream: "default", Fields: []string{"word"}}, {Stream: "none"}},
			Inputs: []dag.Input{{Source: "src", Stream: "default", Grouping: dag.Grouping{Kind: dag.Shuffle}}, {Source: "__system", Stream: "__tick", Grouping: dag.Grouping{Kind: dag.All}}},
			Impl:   dag.Impl{Kind: dag.ImplShell, Command: []string{"streamparse_run", "-s msgpack bolts.X"}, Env: map[string]string{"A": "1"}, KeepDir: true}},
		{Name: "count", Kind: dag.Bolt, Inputs: []dag.Input{{Source: "me", Stream: "default", Grouping: dag.Grouping{Kind: dag.Fields, Fields: []string{"word"}}}}},
		{Name: "total", Kind: dag.Bolt, Inputs: []dag.Input{{Source: "me", Stream: "default", Grouping: dag.Grouping{Kind: dag.Global}}, {Source: "me", Stream: "none", Grouping: dag.Grouping{Kind: dag.PartialKey}}}},
		{Name: "__acker", Kind: dag.Acker, Inputs: []dag.Input{{Source: "me", Stream: "default", Grouping: dag.Grouping{Kind: dag.All}}}},
	}}
	slices.SortFunc(g.Processors, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	return g
}

const wantHello = `{
 "pidDir": "PIDS",
 "conf": {"a": 1, "b": [null, "<é>"], "topology.name": "top"},
 "context": {
  "taskid": 3, "componentid": "me",
  "task->component": {"1": "__acker", "2": "src", "3": "me", "4": "me"},
  "streams": ["default", "none"],
  "stream->outputfields": {"default": ["word"], "none": []},
  "stream->target->grouping": {
    "default": {"count": {"type": "FIELDS", "fields": ["word"]}, "total": {"type": "FIELDS", "fields": []}},
    "none": {"total": {"type": "CUSTOM_SERIALIZED"}}},
  "source->stream->grouping": {"src": {"default": {"type": "SHUFFLE"}}},
  "source->stream->fields": {"src": {"default": ["sentence"], "side": ["a", "b"]}}
 }
}`

func TestHandshake(t *testing.T) {
	g := testGraph()
	spec := FromGraph(g, g.Processor("me"))
	if !spec.KeepDir || spec.Env["A"] != "1" || !UsesMsgpack(spec.Command, nil) {
		t.Errorf("spec %+v", spec)
	}
	e := newEngine(t, map[string]any{"a": 1, "b": []any{nil, "<é>"}, "topology.name": "top"})
	text, err := helloJSON(e.ctx, &spec.Wiring, "PIDS", true)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "\n") {
		t.Error("the handshake is not one line")
	}
	var want any
	if err := json.Unmarshal([]byte(wantHello), &want); err != nil {
		t.Fatal(err)
	}
	framed, err := format{}.hello(nil, text)
	if err != nil || !strings.HasSuffix(string(framed), "}\nend\n") {
		t.Errorf("framed %q, %v", framed, err)
	}
	packed, err := format{msgpack: true}.hello(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	var fromPack any
	if err := msgpack.Unmarshal(packed, &fromPack); err != nil {
		t.Fatal(err)
	}
	back, err := json.Marshal(fromPack)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"json": text, "msgpack": back} {
		var got any
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s handshake (-want +got):\n%s", name, d)
		}
	}
}

func TestUsesMsgpack(t *testing.T) {
	for _, c := range []struct {
		command []string
		class   any
		want    bool
	}{
		{[]string{"streamparse_run", "-s msgpack bolts.X"}, nil, true},
		{[]string{"streamparse_run", "--serializer", "msgpack", "bolts.X"}, nil, true},
		{[]string{"streamparse_run", "-s json bolts.X"}, "com.yelp.pyleus.serializer.MessagePackSerializer", false},
		{[]string{"python", "bolt.py"}, "com.yelp.pyleus.serializer.MessagePackSerializer", true},
		{[]string{"python", "msgpack_bolt.py"}, "org.apache.storm.multilang.JsonSerializer", false},
		{[]string{"python", "-s"}, nil, false},
	} {
		if got := UsesMsgpack(c.command, map[string]any{"topology.multilang.serializer": c.class}); got != c.want {
			t.Errorf("%q with %v: %v", c.command, c.class, got)
		}
	}
}

func TestChildEnvironment(t *testing.T) {
	env := childEnv([]string{"PATH=/bin", "A=1"}, map[string]string{"PATH": "/opt/x", "A": "2"})
	if getenv(env, "PATH") != "/bin:/opt/x" || getenv(env, "A") != "2" {
		t.Errorf("environment %q", env)
	}
	if p, err := lookPath("sh", env); err != nil || p != "/bin/sh" {
		t.Errorf("sh is at %q, %v", p, err)
	}
	if p, err := lookPath("./run", env); err != nil || p != "./run" {
		t.Errorf("./run is at %q, %v", p, err)
	}
}

// A process starts where the resources of its version are by then, unless it has a directory of its own.
func TestWhereAProcessStarts(t *testing.T) {
	ctx := &gearcore.Context{CodeDir: "/code", CodeDirNow: func() string { return "/code/moved" }}
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{Command: []string{"x"}}, "/code/moved"},
		{Spec{Command: []string{"x"}, Dir: "/own"}, "/own"},
		{Spec{Command: []string{"x"}, KeepDir: true}, ""},
	} {
		spec, err := c.spec.resolved(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&child{spec: spec, ctx: ctx}).dir(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.spec, got, c.want)
		}
	}
}

package gearstorm

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/supervisor/localizer"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// words is a program whose topology emits its arguments.
func words(show func(string)) Program {
	return Program{Name: "words", Define: func(b *storm.TopologyBuilder, args []string) error {
		if len(args) == 0 {
			return errors.New("no words")
		}
		b.SetSpout("words", storm.SpoutFunc(func(c *storm.Collector) error {
			if len(args) == 0 {
				return storm.ErrIdle
			}
			c.EmitID(storm.Str(args[0]), args[0])
			args = args[1:]
			return nil
		}), 1).Fields("word")
		b.SetBolt("show", storm.BoltFunc(func(t storm.Tuple, _ storm.Emitter) error {
			show(t.String(0))
			return nil
		}), 1).ShuffleGrouping("words")
		b.AddConfig("topology.debug", false).AddConfig("mine", 1)
		return nil
	}}
}

func ignore(string) {}

func TestRunLocal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []string
	p := words(func(w string) {
		if got = append(got, w); len(got) == 3 {
			cancel()
		}
	})
	if err := RunLocal(ctx, p, Options{Args: []string{"a", "b", "c"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a", "b", "c"}, got); d != "" {
		t.Error(d)
	}
}

// byLength sends long words to the last task, short ones to the first.
type byLength struct{ targets []storm.TaskID }

func (g *byLength) Prepare(_ *storm.Context, targets []storm.TaskID) error {
	g.targets = targets
	return nil
}

func (g *byLength) Choose(_ storm.TaskID, values []storm.Value) []storm.TaskID {
	if len(values[0].Str()) > 3 {
		return g.targets[len(g.targets)-1:]
	}
	return g.targets[:1]
}

func TestRunLocalWithACustomGrouping(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var mu sync.Mutex
	got := map[string]int{}
	p := words(ignore)
	define := p.Define
	p.Define = func(b *storm.TopologyBuilder, args []string) error {
		b.SetBolt("where", storm.BoltFactory(func() storm.Bolt {
			return &where{seen: func(word string, index int) {
				mu.Lock()
				defer mu.Unlock()
				if got[word] = index; len(got) == 4 {
					cancel()
				}
			}}
		}), 3).CustomGrouping("words", func() storm.CustomGrouping { return &byLength{} })
		return define(b, args)
	}
	if err := RunLocal(ctx, p, Options{Args: []string{"a", "long", "bc", "longer"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]int{"a": 0, "bc": 0, "long": 2, "longer": 2}, got); d != "" {
		t.Error(d)
	}
}

// where tells which of its tasks got a word.
type where struct {
	ctx  *storm.Context
	seen func(word string, index int)
}

func (w *where) Prepare(ctx *storm.Context, _ *storm.Collector) error {
	w.ctx = ctx
	return nil
}

func (w *where) Execute(t storm.Tuple, c *storm.Collector) error {
	w.seen(t.String(0), w.ctx.Index)
	c.Ack(t)
	return nil
}

func TestRunLocalWithPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	script := "import gearstorm\nclass Upper(gearstorm.BasicBolt):\n  def process(self, t):\n    self.emit([t['word'].upper()])\nUpper().run()\n"
	got := ""
	p := words(ignore)
	p.Resources = fstest.MapFS{"resources/lib/upper.py": {Data: []byte(script)}}
	define := p.Define
	p.Define = func(b *storm.TopologyBuilder, args []string) error {
		b.SetBolt("upper", storm.ShellBolt("python3", "lib/upper.py").Env("PYTHONPATH", "."), 1).ShuffleGrouping("words").Fields("word")
		b.SetBolt("end", storm.BoltFunc(func(t storm.Tuple, _ storm.Emitter) error {
			got = t.String(0)
			cancel()
			return nil
		}), 1).ShuffleGrouping("upper")
		return define(b, args)
	}
	if err := RunLocal(ctx, p, Options{Args: []string{"été"}}); err != nil || got != "ÉTÉ" {
		t.Errorf("got %q, %v", got, err)
	}
}

type badBolt struct{}

func (badBolt) Prepare(*storm.Context, *storm.Collector) error { return errors.New("no table") }
func (badBolt) Execute(storm.Tuple, *storm.Collector) error    { return nil }

func TestWhatCannotRun(t *testing.T) {
	spout := storm.SpoutFunc(func(*storm.Collector) error { return storm.ErrIdle })
	for _, c := range []struct {
		name string
		p    Program
		o    Options
		want string
	}{
		{"no name", Program{Define: words(ignore).Define}, Options{Args: []string{"a"}}, `topology name ""`},
		{"bad name", words(ignore), Options{Name: "a/b"}, `topology name "a/b"`},
		{"no topology", Program{Name: "x"}, Options{}, "defines no topology"},
		{"refused arguments", words(ignore), Options{}, "no words"},
		{"no spout", Program{Name: "x", Define: func(*storm.TopologyBuilder, []string) error { return nil }}, Options{}, "at least one spout"},
		{"wrong setting", words(ignore), Options{Args: []string{"a"}, Conf: conf.Conf{"topology.workers": "many"}}, "TOPOLOGY_WORKERS"},
		{"bolt that does not open", Program{Name: "x", Define: func(b *storm.TopologyBuilder, _ []string) error {
			b.SetSpout("in", spout, 1).Fields("f")
			b.SetBolt("bad", storm.BoltFactory(func() storm.Bolt { return badBolt{} }), 1).ShuffleGrouping("in")
			return nil
		}}, Options{}, "no table"},
		{"bolt that is nil", Program{Name: "x", Define: func(b *storm.TopologyBuilder, _ []string) error {
			b.SetSpout("in", spout, 1).Fields("f")
			b.SetBolt("bad", storm.BoltFactory(func() storm.Bolt { return nil }), 1).ShuffleGrouping("in")
			return nil
		}}, Options{}, "make bolt bad: the factory returned nil"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := RunLocal(ctx, c.p, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestWorkerGetsTheArguments checks that the topology which a worker builds from the stored configuration is the one
// that was submitted.
func TestWorkerGetsTheArguments(t *testing.T) {
	p := words(ignore)
	_, top, err := p.build(Options{Args: []string{"-a", "b c"}, Conf: conf.Conf{"mine": int64(2)}})
	if err != nil {
		t.Fatal(err)
	}
	if top.Conf["mine"] != int64(2) {
		t.Errorf("the option did not win: %v", top.Conf)
	}
	var args []string
	define := p.Define
	p.Define = func(b *storm.TopologyBuilder, a []string) error {
		args = a
		return define(b, a)
	}
	r, err := p.components(top.Conf)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"-a", "b c"}, args); d != "" {
		t.Error(d)
	}
	if _, err := r.Source("words"); err != nil {
		t.Error(err)
	}
}

func TestPack(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(exe, bytes.Repeat([]byte("program "), 1000), 0o755); err != nil {
		t.Fatal(err)
	}
	resources := fstest.MapFS{
		"resources/split.py": {Data: []byte("split"), Mode: 0o644}, "resources/lib/tool": {Data: []byte("tool"), Mode: 0o755},
		"resources/gearstorm.js": {Data: []byte("own"), Mode: 0o644}, "README.md": {Data: []byte("not a resource")},
	}
	var a, b bytes.Buffer
	for _, w := range []io.Writer{&a, &b} {
		if err := pack(w, exe, "", resources); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two packs of the same program differ")
	}
	files := unzip(t, a.Bytes())
	want := []string{"bin/" + platform + " 755", "gearstorm/manifest.json 644", "resources/gearstorm.js 644", "resources/gearstorm.py 644",
		"resources/gearstorm_state.js 644", "resources/gearstorm_state.py 644", "resources/lib/tool 755", "resources/split.py 644"}
	if d := cmp.Diff(want, slices.Sorted(maps.Keys(files))); d != "" {
		t.Error(d)
	}
	if got := files["resources/gearstorm.js 644"]; string(got) != "own" {
		t.Errorf("the program's own module was replaced by %.20q", got)
	}
	var m localizer.Manifest
	if err := json.Unmarshal(files["gearstorm/manifest.json 644"], &m); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(files["bin/"+platform+" 755"])
	if bin := m.Binaries[platform]; m.Format != localizer.ManifestFormat || bin.Size != 8000 || bin.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("manifest: %+v", m)
	}
	if err := pack(io.Discard, filepath.Join(t.TempDir(), "gone"), "", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}

// unzip returns the files by name and permissions.
func unzip(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[fmt.Sprintf("%s %o", f.Name, f.Mode().Perm())] = content
	}
	return out
}

// fakeNimbus takes one upload and one submit.
type fakeNimbus struct {
	stormrpc.Nimbus
	addr string

	mu       sync.Mutex
	jar      bytes.Buffer
	finished bool
	name     string
	conf     conf.Conf
	topology *stormrpc.StormTopology
	status   stormrpc.TopologyInitialStatus
	refuse   error
}

func (n *fakeNimbus) GetLeader(context.Context) (*stormrpc.NimbusSummary, error) {
	host, port, _ := net.SplitHostPort(n.addr)
	p, err := strconv.Atoi(port)
	return &stormrpc.NimbusSummary{Host: host, Port: int32(p), Version: "2.8.3", IsLeader: true}, err
}

func (n *fakeNimbus) IsTopologyNameAllowed(_ context.Context, name string) (bool, error) {
	return name != "taken" && !strings.Contains(name, "$"), nil
}

func (n *fakeNimbus) BeginFileUpload(context.Context) (string, error) { return "inbox/1", nil }

func (n *fakeNimbus) UploadChunk(_ context.Context, _ string, chunk []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.jar.Write(chunk)
	return nil
}

func (n *fakeNimbus) FinishFileUpload(_ context.Context, location string) error {
	n.finished = location == "inbox/1"
	return nil
}

func (n *fakeNimbus) SubmitTopologyWithOpts(_ context.Context, name, jar, jsonConf string, t *stormrpc.StormTopology, o *stormrpc.SubmitOptions) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuse != nil {
		return n.refuse
	}
	var err error
	n.name, n.topology, n.status = name, t, o.InitialStatus
	n.conf, err = conf.ParseJSON([]byte(jsonConf))
	return err
}

func (n *fakeNimbus) GetTopologySummaryByName(_ context.Context, name string) (*stormrpc.TopologySummary, error) {
	if strings.Contains(name, "$") {
		return nil, &stormrpc.NotAliveException{Msg: name + " is not alive"}
	}
	return &stormrpc.TopologySummary{ID: name + "-1-7", Name: name, Status: "ACTIVE"}, nil
}

func serve(t *testing.T) *fakeNimbus {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &fakeNimbus{addr: ln.Addr().String()}
	srv, err := wire.NewServer(wire.Options{}, stormrpc.NewNimbusProcessor(n))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-done
	})
	return n
}

func TestSubmit(t *testing.T) {
	n := serve(t)
	var sent, total int64
	id, err := Submit(t.Context(), words(ignore), Options{
		Args: []string{"a"}, Conf: conf.Conf{"topology.workers": int64(2)}, Nimbus: []string{n.addr}, Inactive: true,
		Progress: func(s, of int64) { sent, total = s, of },
	})
	if err != nil || id != "words-1-7" {
		t.Fatal(id, err)
	}
	if n.name != "words" || !n.finished || n.status != stormrpc.TopologyInitialStatus_INACTIVE {
		t.Errorf("name %q, upload finished %v, status %v", n.name, n.finished, n.status)
	}
	want := conf.Conf{"topology.workers": int64(2), "topology.debug": false, "mine": int64(1), KeyArgs: []any{"a"}}
	if d := cmp.Diff(want, n.conf); d != "" {
		t.Errorf("conf: %s", d)
	}
	if sent == 0 || sent != total || int(total) != n.jar.Len() {
		t.Errorf("progress %d of %d, uploaded %d bytes", sent, total, n.jar.Len())
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(unzip(t, n.jar.Bytes())["bin/"+platform+" 755"], self) {
		t.Error("what was uploaded is not this program")
	}
	if o := n.topology.Bolts["show"].BoltObject.JavaObject; o.FullClassName != storm.GoComponentClass {
		t.Errorf("bolt: %v", o)
	}
}

func TestSubmitRefused(t *testing.T) {
	n := serve(t)
	_, err := Submit(t.Context(), words(ignore), Options{Name: "taken", Args: []string{"a"}, Nimbus: []string{n.addr}})
	if client.KindOf(err) != client.AlreadyAlive || n.jar.Len() != 0 {
		t.Errorf("taken name: %v after %d bytes", err, n.jar.Len())
	}
	_, err = Submit(t.Context(), words(ignore), Options{Args: []string{"a"}, Nimbus: []string{n.addr}, Conf: map[string]any{"gearstorm.checkpoint.interval.ms": 1000}})
	if err == nil || !strings.Contains(err.Error(), "Component: [words]: its spout has no Freeze and Restore") || n.jar.Len() != 0 {
		t.Errorf("a spout without a position: %v after %d bytes", err, n.jar.Len())
	}
	for what, change := range map[string]func(context.Context, Program, Options) (*Change, error){"plan": PlanChange, "apply": Apply} {
		_, err := change(t.Context(), words(ignore), Options{Args: []string{"a"}, Nimbus: []string{n.addr}, Conf: map[string]any{"gearstorm.checkpoint.interval.ms": 1000}})
		if err == nil || !strings.Contains(err.Error(), "Component: [words]: its spout has no Freeze and Restore") || n.jar.Len() != 0 {
			t.Errorf("%s of a spout without a position: %v after %d bytes", what, err, n.jar.Len())
		}
	}
	n.refuse = &stormrpc.InvalidTopologyException{Msg: "too big"}
	_, err = Submit(t.Context(), words(ignore), Options{Args: []string{"a"}, Nimbus: []string{n.addr}})
	if client.KindOf(err) != client.InvalidTopology || !strings.Contains(err.Error(), "submit words") {
		t.Errorf("refused: %v", err)
	}
}

func TestCommand(t *testing.T) {
	n := serve(t)
	t.Setenv(seeds.Env, n.addr)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // what they contain; "" for nothing
	}{
		{"", 2, "", "usage: prog run"},
		{"help", 0, "usage: prog run", ""},
		{"--help", 0, "usage: prog run", ""},
		{"submit -h", 0, "usage: prog run", ""},
		{"fly", 2, "", `prog: command line: no command "fly"; "prog help" tells more`},
		{"run -x", 2, "", "-x"},
		{"run -nimbus h:1 a", 2, "", "-nimbus"},
		{"run -c x a", 2, "", "key=value"},
		{"apply -base 0 a", 2, "", `prog: command line: invalid value "0" for flag -base: versions begin with 1;`},
		{"plan -base -1 a", 2, "", "versions begin with 1"},
		{"run", 1, "", "prog: no words\n"},
		{"submit -c topology.workers=many a", 1, "", "TOPOLOGY_WORKERS"},
		{"submit -name taken a", 1, "", `taken is already alive; kill it first ("gearstorm kill NAME")`},
		{"submit -name $x a", 1, "", `topology name "$x": Nimbus takes letters`},
		{"submit -nimbus " + closed.Addr().String() + " a", 1, "", "gearstorm dev"},
		{"submit -name other -- -a b", 0, "topology other runs as other-1-7;", ""},
	} {
		t.Run(c.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := command(t.Context(), words(ignore), append([]string{"/bin/prog"}, strings.Fields(c.args)...), &stdout, &stderr)
			if code != c.code || !has(stdout.String(), c.stdout) || !has(stderr.String(), c.stderr) {
				t.Errorf("exit %d\nstdout %q\nstderr %q", code, stdout.String(), stderr.String())
			}
			if c.code == 1 && strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("not one line: %q", stderr.String())
			}
		})
	}
	if d := cmp.Diff([]any{"-a", "b"}, n.conf[KeyArgs]); d != "" {
		t.Errorf("arguments of the last submit: %s", d)
	}
}

func has(s, part string) bool {
	return part == "" && s == "" || part != "" && strings.Contains(s, part)
}

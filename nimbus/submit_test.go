package nimbus

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// answer gives an error of a call in one line: the exception's kind and its text.
func answer(err error) string {
	var alive *stormrpc.AlreadyAliveException
	var dead *stormrpc.NotAliveException
	var bad *stormrpc.InvalidTopologyException
	var auth *stormrpc.AuthorizationException
	code, app := wire.ApplicationError(err)
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &alive):
		return "AlreadyAlive " + alive.Msg
	case errors.As(err, &dead):
		return "NotAlive " + dead.Msg
	case errors.As(err, &bad):
		return "Invalid " + bad.Msg
	case errors.As(err, &auth):
		return "Authorization " + auth.Msg
	case app:
		return fmt.Sprintf("application %d", code)
	}
	return "other: " + err.Error()
}

// faults are what can be wrong with a submission, in the order in which Nimbus finds it.
var faults = []struct {
	name   string
	spoil  func(*submission)
	answer string
}{
	{"options", func(s *submission) { s.options = nil }, "Invalid Cannot submitTopologyWithOpts: SubmitOptions parameter value is null"},
	{"name", func(s *submission) { s.name = "a.b" }, `Invalid Topology name 'a.b' is not valid. It can't be null and it must match ^[^/.:\\]+$`},
	{"alive", func(s *submission) { s.name = "alive" }, "AlreadyAlive alive is already alive"},
	{"conf", func(s *submission) {
		s.jsonConf = `{"topology.workers": -1, "topology.blobstore.map": {"nokey": {}}, "topology.worker.max.heap.size.mb": 1}`
	},
		"Invalid Field TOPOLOGY_WORKERS must be a Positive Number (topology.workers: -1)"},
	{"conf of a component", func(s *submission) {
		s.jsonConf = `{"topology.worker.max.heap.size.mb": 1, "topology.blobstore.map": {"nokey": {}}}`
		s.code.Bolts["count"].Common.JSONConf = ref(`{"gearstorm.fusoin": false, "fusoin": 1}`)
	},
		"Invalid configuration of component count: unknown key gearstorm.fusoin: did you mean gearstorm.fusion? (gearstorm.fusoin: false)"},
	{"heap", func(s *submission) {
		s.jsonConf = `{"topology.worker.max.heap.size.mb": 1, "topology.blobstore.map": {"nokey": {}}}`
	},
		"Invalid Topology will not be able to be successfully scheduled: Config TOPOLOGY_WORKER_MAX_HEAP_SIZE_MB=1.0 < 128.0 (Largest memory requirement of a component in the topology). Perhaps set TOPOLOGY_WORKER_MAX_HEAP_SIZE_MB to a larger amount"},
	{"blob map", func(s *submission) { s.jsonConf = `{"topology.blobstore.map": {"nokey": {}}}` }, "Invalid Key not found: nokey"},
	{"version", func(s *submission) { s.code.StormVersion = ref("3.0.0") },
		"Invalid Topology submitted with storm version 3.0.0 but could not find a configured compatible version to use [2.8.3]"},
	{"structure", func(s *submission) { s.code.Bolts["count"].Common.Inputs[0].Key.ComponentId = "nobody" },
		"Invalid Component: [count] subscribes from non-existent component [nobody]"},
	{"size", func(s *submission) {
		if s.jsonConf == "{}" {
			s.jsonConf = `{"topology.workers": 5}`
		}
	}, "Invalid Failed to submit topology. Topology requests more than 4 workers."},
	{"jar", func(s *submission) { s.location = "/etc/passwd" }, `Invalid topology jar "/etc/passwd" is not a finished upload of this nimbus`},
}

// TestSubmitOrder spoils a submission from every fault on: the answer is about the first.
func TestSubmitOrder(t *testing.T) {
	c := start(t, func(cfg *Config) {
		cfg.Conf = conf.Merge(cfg.Conf, conf.Conf{"nimbus.slots.perTopology": int64(4)})
	})
	c.submitWords("alive", "{}")
	location := c.upload(jar(t, "resources/script.py"))
	before := fileCount(t, c.cfg.BlobDir)
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			s := submission{name: "fresh", location: location, jsonConf: "{}", code: words(),
				options: &stormrpc.SubmitOptions{InitialStatus: stormrpc.TopologyInitialStatus_ACTIVE}}
			for j := len(faults) - 1; j >= i; j-- {
				faults[j].spoil(&s)
			}
			// Called without the wire, which does not carry a missing options struct.
			if diff := cmp.Diff(f.answer, answer(c.submit(t.Context(), s))); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := fileCount(t, c.cfg.BlobDir); got != before {
		t.Fatalf("%d files after refused submissions, were %d", got, before)
	}
}

func TestRefusedSubmissions(t *testing.T) {
	c := start(t, func(cfg *Config) {
		cfg.Conf = conf.Merge(cfg.Conf, conf.Conf{"storm.disable.symlinks": true, "nimbus.executors.perTopology": int64(20)})
	})
	good := c.upload(jar(t, "resources/script.py"))
	unfinished, err := c.client.BeginFileUpload(t.Context())
	must(t, err)
	for name, f := range map[string]struct {
		spoil func(*submission)
		want  string
	}{
		"no spout":          {func(s *submission) { s.code.Spouts = nil; s.code.Bolts["count"].Common.Inputs = nil }, "Invalid There must be at least one spout"},
		"unknown key":       {func(s *submission) { s.jsonConf = `{"gearstorm.hash": "value", "hash": 1}` }, "Invalid unknown key gearstorm.hash: did you mean gearstorm.hash.mode?"},
		"no jar":            {func(s *submission) { s.location = "" }, `Invalid topology jar "" is not a finished upload of this nimbus`},
		"unfinished jar":    {func(s *submission) { s.location = unfinished }, `Invalid topology jar "` + unfinished + `" is not a finished upload of this nimbus`},
		"not json":          {func(s *submission) { s.jsonConf = "{" }, "Invalid topology configuration: "},
		"json of no object": {func(s *submission) { s.jsonConf = "[]" }, "Invalid topology configuration: "},
		"symlinks":          {func(s *submission) { s.jsonConf = `{"topology.blobstore.map": {"k": {}}}` }, "Invalid symlinks are disabled so blobs are not supported but topology.blobstore.map = [k]"},
		"too many executors": {func(s *submission) { s.code.Bolts["count"].Common.ParallelismHint = ref(int32(30)) },
			"Invalid Failed to submit topology. Topology requests more than 20 executors."},
		"system id": {func(s *submission) { s.code.Bolts["__x"] = s.code.Bolts["count"] }, "Invalid __x is not a valid component id."},
		"metrics consumer": {func(s *submission) {
			s.jsonConf = `{"topology.metrics.consumer.register": [{"class": "org.example.Metrics", "parallelism.hint": 1}]}`
		}, "Invalid Metrics consumers are not supported without a component in Java: org.example.Metrics"},
		"dependency that is not there": {func(s *submission) { s.code.DependencyJars = []string{"dep.jar"} }, "Invalid Key not found: dep.jar"},
		"initial status":               {func(s *submission) { s.options.InitialStatus = 7 }, "application 6"},
		"name with a control":          {func(s *submission) { s.name = "a\nb" }, "Invalid Topology name 'a\nb' is not valid."},
		"name that is too long":        {func(s *submission) { s.name = strings.Repeat("n", 300) }, "Invalid Topology name"},
		"empty name":                   {func(s *submission) { s.name = "" }, "Invalid Topology name '' is not valid."},
	} {
		t.Run(name, func(t *testing.T) {
			s := submission{name: "fresh", location: good, jsonConf: "{}", code: words(),
				options: &stormrpc.SubmitOptions{InitialStatus: stormrpc.TopologyInitialStatus_ACTIVE}}
			f.spoil(&s)
			got := answer(c.client.SubmitTopologyWithOpts(t.Context(), s.name, s.location, s.jsonConf, s.code, s.options))
			if !strings.HasPrefix(got, f.want) {
				t.Fatalf("got  %s\nwant %s", got, f.want)
			}
		})
	}
	if got, err := c.client.GetTopologySummaries(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("topologies after refused submissions: %v, %v", got, err)
	}
}

func TestSubmitStoresWhatStormStores(t *testing.T) {
	c := start(t, nil)
	ctx := t.Context()
	must(t, c.client.SubmitTopologyWithOpts(ctx, "my words", c.upload(jar(t, "resources/script.py")),
		`{"topology.workers": 2, "own.key": {"a": [1, 2.0]}, "topology.version": "7"}`, words(),
		&stormrpc.SubmitOptions{InitialStatus: stormrpc.TopologyInitialStatus_INACTIVE, Creds: &stormrpc.Credentials{Creds: map[string]string{"k": "v"}}}))
	s, err := c.client.GetTopologySummaryByName(ctx, "my words")
	must(t, err)
	if s.Status != "INACTIVE" || !strings.HasPrefix(s.ID, "my words-1-") || s.GetOwner() != "tester" || s.GetTopologyVersion() != "7" {
		t.Fatalf("summary %+v", s)
	}
	text, err := c.client.GetTopologyConf(ctx, s.ID)
	must(t, err)
	got := mustJSON(t, text)
	for key, want := range map[string]any{
		"topology.workers": int64(2), "storm.id": s.ID, "topology.name": "my words", "topology.submitter.user": "tester",
		"topology.message.timeout.secs": int64(30), "topology.worker.max.heap.size.mb": 768.0, "topology.acker.executors": nil,
		"own.key": map[string]any{"a": []any{int64(1), 2.0}},
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	user, err := c.client.GetUserTopology(ctx, s.ID)
	must(t, err)
	if len(user.Bolts) != 1 || !strings.Contains(user.Spouts["words"].Common.GetJSONConf(), `"topology.tasks":2`) {
		t.Errorf("user topology: %d bolts, spout conf %s", len(user.Bolts), user.Spouts["words"].Common.GetJSONConf())
	}
	system, err := c.client.GetTopology(ctx, s.ID)
	must(t, err)
	if system.Bolts["__acker"] == nil || system.Bolts["__system"] == nil || system.Spouts["words"].Common.Streams["__ack_init"] == nil {
		t.Errorf("system topology has bolts %v", componentIDs(system))
	}
	// The blobs are what a node reads.
	raw, err := c.blobs.ReadFile(client.ConfKey(s.ID), 1<<20)
	must(t, err)
	stored, err := client.DecodeConf(raw)
	must(t, err)
	stored["nimbus.thrift.port"] = got["nimbus.thrift.port"] // which answers with the one that is served
	if diff := cmp.Diff(got, stored); diff != "" {
		t.Errorf("stored configuration (-answer +stored):\n%s", diff)
	}
	raw, err = c.blobs.ReadFile(client.CodeKey(s.ID), 1<<20)
	must(t, err)
	code, err := client.DecodeTopology(raw)
	must(t, err)
	if !user.Equals(code) {
		t.Error("stored topology differs from the answer")
	}
}

func TestNamesAndSecondSubmission(t *testing.T) {
	c := start(t, nil)
	ctx := t.Context()
	for name, want := range map[string]bool{"words": true, "two words": true, "wörter": true, "a/b": false, "a.b": false, "a:b": false, `a\b`: false, "": false} {
		if got, err := c.client.IsTopologyNameAllowed(ctx, name); err != nil || got != want {
			t.Errorf("name %q allowed: %v, %v; want %v", name, got, err, want)
		}
	}
	c.submitWords("words", "{}")
	if got, err := c.client.IsTopologyNameAllowed(ctx, "words"); err != nil || got {
		t.Errorf("a name in use is allowed: %v, %v", got, err)
	}
	got := answer(c.client.SubmitTopology(ctx, "words", c.upload(jar(t, "x")), "{}", words()))
	if want := "AlreadyAlive words is already alive"; got != want {
		t.Errorf("second submission: got %s, want %s", got, want)
	}
}

func TestSecretsOfTheDaemonStayWithIt(t *testing.T) {
	const key, password = "nimbus.thrift.tls.server.keystore.password", "hush"
	c := start(t, func(cfg *Config) { cfg.Conf = conf.Merge(cfg.Conf, conf.Conf{key: password}) })
	own, err := c.client.GetNimbusConf(t.Context())
	must(t, err)
	topo, err := c.client.GetTopologyConf(t.Context(), c.submitWords("words", "{}"))
	must(t, err)
	if strings.Contains(own, password) || strings.Contains(topo, password) {
		t.Fatal("a password of the daemon is told to clients")
	}
	if !strings.Contains(own, `"nimbus.thrift.port":6627`) {
		t.Fatalf("nimbus configuration lacks its port: %s", own)
	}
}

func TestDependencies(t *testing.T) {
	c := start(t, nil)
	c.putBlob("good.jar", jar(t, "org/example/A.class"), true)
	c.putBlob("bad.jar", []byte("no zip"), true)
	code := words()
	code.DependencyJars, code.DependencyArtifacts = []string{"good.jar"}, []string{"bad.jar"}
	location := c.upload(jar(t, "resources/script.py"))
	if got := answer(c.client.SubmitTopology(t.Context(), "words", location, "{}", code)); !strings.HasPrefix(got, "Invalid dependency bad.jar: not a zip file") {
		t.Fatalf("a dependency that is no jar: %s", got)
	}
	code.DependencyArtifacts = nil
	must(t, c.client.SubmitTopology(t.Context(), "words", location, "{}", code))
}

// TestConcurrentSubmissions races many submissions of one name: one wins, and nothing of the others is left.
func TestConcurrentSubmissions(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.Store = openEmbedded(t, t.TempDir()) })
	location := c.upload(jar(t, "resources/script.py"))
	before := fileCount(t, c.cfg.BlobDir)
	const rivals = 8
	answers := make(chan string, rivals)
	for range rivals {
		client := stormrpc.NewNimbusClient(c.dial())
		go func() { answers <- answer(client.SubmitTopology(t.Context(), "words", location, "{}", words())) }()
	}
	count := make(map[string]int)
	for range rivals {
		count[<-answers]++
	}
	if diff := cmp.Diff(map[string]int{"ok": 1, "AlreadyAlive words is already alive": rivals - 1}, count); diff != "" {
		t.Fatalf("answers (-want +got):\n%s", diff)
	}
	if got := fileCount(t, c.cfg.BlobDir); got != before+6 {
		t.Fatalf("%d files more than before, want three blobs of two", got-before)
	}
}

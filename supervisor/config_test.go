package supervisor

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
)

func TestFromConf(t *testing.T) {
	c := conf.Merge(conf.Defaults(), conf.Conf{
		"storm.log.dir": "logs", "storm.local.hostname": "node1", "supervisor.resources.map": map[string]any{"gpu.count": int64(2)},
		"supervisor.scheduler.meta": map[string]any{"rack": "r1"}, "storm.health.check.fail.on.timeouts": false,
	})
	got, err := FromConf(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, err = got.checked(); err != nil {
		t.Fatal(err)
	}
	type facts struct {
		LocalDir, Artifacts, Hostname, Listen string
		Thrift, Nimbus                        int
		Ports                                 []int
		Seeds                                 []string
		Times                                 []time.Duration
		Resources                             map[string]float64
		Meta                                  map[string]string
	}
	abs := func(p string) string { p, _ = filepath.Abs(p); return p }
	want := facts{abs("storm-local"), abs("logs/workers-artifacts"), "node1", "127.0.0.1", 6628, 6627, []int{6700, 6701, 6702, 6703},
		[]string{"localhost"}, []time.Duration{time.Second, 2 * time.Minute, 30 * time.Second, 10 * time.Minute, 3 * time.Second},
		map[string]float64{"cpu.pcore.percent": 400, "memory.mb": 4096, "gpu.count": 2}, map[string]string{"rack": "r1"}}
	have := facts{got.LocalDir, got.ArtifactsDir, got.Hostname, got.Listen, got.ThriftPort, got.Nimbus.Port, got.Ports, got.Nimbus.Seeds,
		[]time.Duration{got.ReportInterval, got.StartTimeout, got.WorkerTimeout, got.MaxWorkerTimeout, got.Grace}, got.Resources, got.SchedulerMeta}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	type upkeep struct {
		HealthDir                   string
		HealthTimeout, Blobs, Clean time.Duration
		Ignore                      bool
		CacheBytes                  int64
		Retries, Threads            int
	}
	if diff := cmp.Diff(upkeep{abs("storm-local/healthchecks"), 5 * time.Second, 30 * time.Second, 30 * time.Second, true, 10 << 30, 3, 5},
		upkeep{got.HealthDir, got.HealthTimeout, got.BlobInterval, got.CleanInterval, got.HealthIgnoreTimeout, got.CacheBytes,
			got.DownloadRetries, got.DownloadThreads}); diff != "" {
		t.Error(diff)
	}
	c["supervisor.blobstore.download.max_retries"] = int64(0)
	if got, err = FromConf(c); err != nil || got.DownloadRetries != -1 {
		t.Errorf("no retries: %d, %v", got.DownloadRetries, err)
	}
}

func TestRackIsTold(t *testing.T) {
	got, err := FromConf(conf.Conf{"gearstorm.rack": "r2"})
	if err != nil || got.SchedulerMeta["rack"] != "r2" {
		t.Errorf("%v, %v", got.SchedulerMeta, err)
	}
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	good := conf.Conf{"storm.local.dir": "l", "storm.log.dir": "g"}
	for key, value := range map[string]any{
		"storm.local.dir": nil, "storm.log.dir": []any{}, "supervisor.thrift.port": int64(70000), "supervisor.slots.ports": []any{int64(5), int64(5)},
		"supervisor.worker.timeout.secs": "soon", "supervisor.worker.start.timeout.secs": int64(-1), "supervisor.cpu.capacity": "much",
		"supervisor.resources.map": []any{}, "supervisor.scheduler.meta": "x", "gearstorm.rack": []any{}, "nimbus.seeds": int64(3), "nimbus.thrift.port": "x",
		"storm.health.check.timeout.ms": int64(-1), "storm.health.check.fail.on.timeouts": "perhaps",
		"supervisor.localizer.update.blob.interval.secs": int64(-1), "supervisor.localizer.cleanup.interval.ms": "x",
		"supervisor.localizer.cache.target.size.mb": "x", "supervisor.blobstore.download.thread.count": "x",
		"supervisor.blobstore.download.max_retries": "x",
	} {
		t.Run(key, func(t *testing.T) {
			c := maps.Clone(good)
			c[key] = value
			cfg, err := FromConf(c)
			if err == nil {
				_, err = cfg.checked()
			}
			if err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestHostname(t *testing.T) {
	for listen, want := range map[string]string{"": "localhost", "127.0.0.1": "localhost", "::1": "localhost", "localhost": "localhost"} {
		c, err := Config{LocalDir: "l", LogDir: "g", Listen: listen}.checked()
		if err != nil || c.Hostname != want {
			t.Errorf("%q: %q, %v", listen, c.Hostname, err)
		}
	}
	if c, err := (Config{LocalDir: "l", LogDir: "g", Listen: "0.0.0.0"}).checked(); err != nil || c.Hostname == "localhost" {
		t.Errorf("every interface: %q, %v", c.Hostname, err)
	}
	for host, want := range map[string]string{"0.0.0.0": "127.0.0.1", "::": "::1", "10.0.0.1": "10.0.0.1", "node1": "node1"} {
		if got := dialHost(host); got != want {
			t.Errorf("workers of %s dial %s", host, got)
		}
	}
}

func TestSilenceOfATopology(t *testing.T) {
	c, err := Config{LocalDir: "l", LogDir: "g"}.checked()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		own  any
		want time.Duration
	}{{nil, 30 * time.Second}, {int64(10), 30 * time.Second}, {int64(90), 90 * time.Second}, {int64(9000), 10 * time.Minute}} {
		if got, err := c.silence(conf.Conf{"topology.worker.timeout.secs": tt.own}); got != tt.want || err != nil {
			t.Errorf("%v: %v, %v", tt.own, got, err)
		}
	}
	if _, err := c.silence(conf.Conf{"topology.worker.timeout.secs": "x"}); err == nil {
		t.Error("text is taken for a time")
	}
}

func TestEnvironment(t *testing.T) {
	env := func(v any) conf.Conf { return conf.Conf{"topology.environment": v} }
	got, err := environment(env(map[string]any{"B": "2", "A": int64(1), "C": nil}))
	if err != nil || !slices.Equal(got, []string{"A=1", "B=2", "C="}) {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := environment(conf.Conf{}); len(got) != 0 || err != nil {
		t.Errorf("none: %q, %v", got, err)
	}
	for name, c := range map[string]conf.Conf{
		"list": env([]any{}), "no name": env(map[string]any{"": "x"}), "equals sign": env(map[string]any{"A=B": "x"}),
		"nul in name": env(map[string]any{"A\x00": "x"}), "nul in value": env(map[string]any{"A": "x\x00"}), "nested": env(map[string]any{"A": []any{}}),
	} {
		if got, err := environment(c); err == nil || !strings.Contains(err.Error(), "topology.environment") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

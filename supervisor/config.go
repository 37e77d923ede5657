package supervisor

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/supervisor/localizer"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// Config says what a supervisor is and how patient it is. FromConf fills it from Storm's keys; New checks it.
type Config struct {
	// LocalDir holds all state (storm.local.dir). Two supervisors cannot share one. Made if missing, for this user only.
	LocalDir string
	// LogDir holds workers-artifacts/<topology>/<port>/worker.log (storm.log.dir).
	LogDir string
	// ArtifactsDir is that subdirectory of LogDir, or an absolute path (storm.workers.artifacts.dir). Default
	// "workers-artifacts".
	ArtifactsDir string
	// Binary is the executable that is started as "<binary> worker ..."; Go topologies bring their own. Default: this one.
	Binary string

	// Hostname is what other nodes reach this one by (storm.local.hostname). Default: "localhost" if Listen is a loopback
	// address, else the machine's name.
	Hostname string
	// Listen is the host to listen on for Thrift. Default 127.0.0.1.
	Listen string
	// ThriftPort is the port (supervisor.thrift.port); 0 takes a free one, after a restart the same if it is still free.
	ThriftPort int
	// Ports are the slots (supervisor.slots.ports); a 0 becomes a free port, after a restart the same.
	Ports []int
	// Nimbus finds the leader.
	Nimbus client.Options
	// Lifeline has the workers end with Run and with this process, however that ends. Without it they live on.
	Lifeline bool
	// Isolator limits workers. Default: what Conf says (gearstorm.isolation) and this machine has, see docs/isolation.md.
	Isolator isolate.Isolator
	// Shim is a program, with its first arguments, that runs package isolate/shim, as isolate.Self. Without one workers are
	// plain processes, without limits and sandbox.
	Shim []string
	// Processes starts and finds workers. Default: package isolate.
	Processes Processes
	// Bind makes listeners. Default net.Listen.
	Bind func(network, addr string) (net.Listener, error)

	// Resources are what the node offers, in Storm's normalized names ("cpu.pcore.percent", "memory.mb").
	Resources map[string]float64
	// SchedulerMeta goes to the scheduler as it is (supervisor.scheduler.meta); its "rack" is gearstorm.rack, if that is set.
	SchedulerMeta map[string]string
	// Version is told to Nimbus. Default "2.8.3".
	Version string
	// Conf goes to the workers, passwords masked. It is not changed.
	Conf conf.Conf

	// ReportInterval is how often Nimbus hears from this node when nothing changes; changes of the plan arrive at once
	// all the same. Default 1 s (worker.heartbeat.frequency.secs).
	ReportInterval time.Duration
	// StartTimeout is how long a worker may take to its first report. Default 120 s (supervisor.worker.start.timeout.secs).
	StartTimeout time.Duration
	// WorkerTimeout is how long a worker may be silent. Default 30 s (supervisor.worker.timeout.secs). A topology may ask
	// for more (topology.worker.timeout.secs), up to MaxWorkerTimeout. Default 600 s (worker.max.timeout.secs).
	WorkerTimeout, MaxWorkerTimeout time.Duration
	// Grace is what a worker may take from SIGTERM to its end; a second later comes SIGKILL. Default 3 s
	// (supervisor.worker.shutdown.sleep.secs).
	Grace time.Duration
	// RetryWait is the pause after the second failure in a row of a slot (there is none after the first); it doubles up to
	// RetryCeiling. A worker that ran for GoodRun, or five times as long as its pause would be, makes up for failures before it.
	// Defaults 1 s, 1 min, 1 min.
	RetryWait, RetryCeiling, GoodRun time.Duration

	// HealthDir holds the health checks, run every HealthInterval (storm.health.check.dir). Default: none. HealthTimeout is
	// how long one may take (storm.health.check.timeout.ms), default 5 s; one that takes longer is a sign of ill health, unless
	// HealthIgnoreTimeout is set (storm.health.check.fail.on.timeouts false). HealthInterval is 30 s by default.
	HealthDir                     string
	HealthTimeout, HealthInterval time.Duration
	HealthIgnoreTimeout           bool

	// BlobInterval is how often the user blobs of topologies are compared with the master's
	// (supervisor.localizer.update.blob.interval.secs). Default 30 s.
	BlobInterval time.Duration
	// CleanInterval is how often blobs that nobody uses are removed beyond CacheBytes
	// (supervisor.localizer.cleanup.interval.ms, supervisor.localizer.cache.target.size.mb). Defaults 30 s and 10 GiB.
	CleanInterval time.Duration
	CacheBytes    int64
	// DownloadRetries is how often a blob is asked for again after a download that failed
	// (supervisor.blobstore.download.max_retries), default 3, negative for never. DownloadThreads is how many are loaded at
	// once (supervisor.blobstore.download.thread.count), default 5.
	DownloadRetries, DownloadThreads int

	// Limits bound what topologies put on the disk.
	Limits localizer.Limits
	// Log is the daemon's. Default slog.Default().
	Log *slog.Logger
}

// FromConf reads the keys named at the fields of Config. Everything not in c keeps its default. Errors name the key.
func FromConf(c conf.Conf) (Config, error) {
	cfg := Config{Conf: c, Resources: map[string]float64{}}
	r := reader{c: c}
	r.text("storm.local.dir", &cfg.LocalDir)
	r.text("storm.log.dir", &cfg.LogDir)
	r.text("storm.workers.artifacts.dir", &cfg.ArtifactsDir)
	r.text("storm.local.hostname", &cfg.Hostname)
	r.number("supervisor.thrift.port", &cfg.ThriftPort)
	r.number("nimbus.thrift.port", &cfg.Nimbus.Port)
	r.number("nimbus.thrift.max_buffer_size", &cfg.Nimbus.Dial.MaxFrameBytes)
	if c.Has("supervisor.slots.ports") {
		r.keep(assign(&cfg.Ports)(c.Ports("supervisor.slots.ports")))
	}
	if c.Has("nimbus.seeds") {
		r.keep(assign(&cfg.Nimbus.Seeds)(c.StringList("nimbus.seeds")))
	}
	for key, to := range map[string]*time.Duration{
		"worker.heartbeat.frequency.secs": &cfg.ReportInterval, "supervisor.worker.start.timeout.secs": &cfg.StartTimeout,
		"supervisor.worker.timeout.secs": &cfg.WorkerTimeout, "worker.max.timeout.secs": &cfg.MaxWorkerTimeout,
		"supervisor.worker.shutdown.sleep.secs": &cfg.Grace,
	} {
		r.keep(assign(to)(c.SecsOr(key, 0)))
	}
	r.upkeep(&cfg)
	r.resource("supervisor.cpu.capacity", "cpu.pcore.percent", cfg.Resources)
	r.resource("supervisor.memory.capacity.mb", "memory.mb", cfg.Resources)
	r.resources(cfg.Resources)
	cfg.SchedulerMeta = r.texts("supervisor.scheduler.meta")
	var rack string
	if r.text("gearstorm.rack", &rack); rack != "" {
		if cfg.SchedulerMeta == nil {
			cfg.SchedulerMeta = map[string]string{}
		}
		cfg.SchedulerMeta["rack"] = rack
	}
	return cfg, r.err
}

// reader keeps the first error.
type reader struct {
	c   conf.Conf
	err error
}

func (r *reader) keep(err error) {
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("supervisor configuration: %w", err)
	}
}

func assign[T any](to *T) func(T, error) error {
	return func(v T, err error) error {
		*to = v
		return err
	}
}

func (r *reader) text(key string, to *string) { r.keep(assign(to)(r.c.StringOr(key, ""))) }

func (r *reader) number(key string, to *int) {
	n, err := r.c.IntOr(key, 0)
	*to = int(n)
	r.keep(err)
}

func (r *reader) resource(key, name string, to map[string]float64) {
	if !r.c.Has(key) {
		return
	}
	v, err := r.c.Float(key)
	to[name] = v
	r.keep(err)
}

func (r *reader) resources(to map[string]float64) {
	const key = "supervisor.resources.map"
	m, ok := r.c[key].(map[string]any)
	if !ok && r.c.Has(key) {
		r.keep(fmt.Errorf("%s is not a map of numbers", key))
	}
	for name := range m {
		v, err := conf.Conf(m).Float(name)
		if err != nil {
			r.keep(fmt.Errorf("%s: %w", key, err))
		}
		to[name] = v
	}
}

func (r *reader) texts(key string) map[string]string {
	m, ok := r.c[key].(map[string]any)
	if !ok {
		if r.c.Has(key) {
			r.keep(fmt.Errorf("%s is not a map of texts", key))
		}
		return nil
	}
	out := map[string]string{}
	for name := range m {
		v, err := conf.Conf(m).StringOr(name, "")
		if err != nil {
			r.keep(fmt.Errorf("%s: %w", key, err))
		}
		out[name] = v
	}
	return out
}

// checked fills defaults in and names the first field that is wrong.
func (c Config) checked() (Config, error) {
	var err error
	if c.LocalDir == "" || c.LogDir == "" {
		return c, errors.New("storm.local.dir and storm.log.dir are needed")
	}
	if c.LocalDir, err = filepath.Abs(c.LocalDir); err != nil {
		return c, fmt.Errorf("storm.local.dir: %w", err)
	}
	if c.LogDir, err = filepath.Abs(c.LogDir); err != nil {
		return c, fmt.Errorf("storm.log.dir: %w", err)
	}
	if c.ArtifactsDir == "" {
		c.ArtifactsDir = "workers-artifacts"
	}
	if !filepath.IsAbs(c.ArtifactsDir) {
		c.ArtifactsDir = filepath.Join(c.LogDir, c.ArtifactsDir)
	}
	if c.HealthDir != "" && !filepath.IsAbs(c.HealthDir) {
		c.HealthDir = filepath.Join(c.LocalDir, c.HealthDir)
	}
	if c.Binary == "" {
		if c.Binary, err = os.Executable(); err != nil {
			return c, fmt.Errorf("find worker binary: %w", err)
		}
	}
	if c, err = c.named(); err != nil {
		return c, err
	}
	if err := c.checkPorts(); err != nil {
		return c, err
	}
	if c.Nimbus.Dial.MaxFrameBytes == 0 {
		c.Nimbus.Dial.MaxFrameBytes = wire.DefaultMaxFrameBytes
	}
	if c.Nimbus.Retries == 0 {
		c.Nimbus.Retries = -1 // followNimbus and the localizer ask again themselves
	}
	if c.Processes == nil {
		c.Processes = systemProcesses{}
	}
	if c.Bind == nil {
		c.Bind = net.Listen
	}
	if c.Version == "" {
		c.Version = "2.8.3"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c.timed()
}

// named settles where the node listens and what it is called.
func (c Config) named() (Config, error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1"
	}
	if c.Hostname != "" {
		return c, nil
	}
	if ip := net.ParseIP(c.Listen); c.Listen == "localhost" || ip != nil && ip.IsLoopback() {
		c.Hostname = "localhost"
		return c, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return c, fmt.Errorf("storm.local.hostname is not set: %w", err)
	}
	c.Hostname = name
	return c, nil
}

func (c Config) checkPorts() error {
	if c.ThriftPort < 0 || c.ThriftPort > 65535 {
		return fmt.Errorf("supervisor.thrift.port is %d", c.ThriftPort)
	}
	seen := map[int]bool{}
	for _, p := range c.Ports {
		if p < 0 || p > 65535 || p != 0 && seen[p] {
			return fmt.Errorf("supervisor.slots.ports: %d is out of range or there twice", p)
		}
		seen[p] = true
	}
	return nil
}

func (c Config) timed() (Config, error) {
	for _, f := range []struct {
		name   string
		field  *time.Duration
		preset time.Duration
	}{
		{"worker.heartbeat.frequency.secs", &c.ReportInterval, time.Second},
		{"supervisor.worker.start.timeout.secs", &c.StartTimeout, 2 * time.Minute},
		{"supervisor.worker.timeout.secs", &c.WorkerTimeout, 30 * time.Second},
		{"worker.max.timeout.secs", &c.MaxWorkerTimeout, 10 * time.Minute},
		{"supervisor.worker.shutdown.sleep.secs", &c.Grace, 3 * time.Second},
		{"storm.health.check.timeout.ms", &c.HealthTimeout, 5 * time.Second},
		{"supervisor.localizer.update.blob.interval.secs", &c.BlobInterval, 30 * time.Second},
		{"supervisor.localizer.cleanup.interval.ms", &c.CleanInterval, 30 * time.Second},
		{"HealthInterval", &c.HealthInterval, healthInterval},
		{"RetryWait", &c.RetryWait, time.Second},
		{"RetryCeiling", &c.RetryCeiling, time.Minute},
		{"GoodRun", &c.GoodRun, time.Minute},
	} {
		if *f.field < 0 {
			return c, fmt.Errorf("%s is negative: %v", f.name, *f.field)
		}
		if *f.field == 0 {
			*f.field = f.preset
		}
	}
	return c, nil
}

// silence is how long a worker of a topology may go without a report.
func (c Config) silence(topology conf.Conf) (time.Duration, error) {
	own, err := topology.SecsOr("topology.worker.timeout.secs", 0)
	if err != nil {
		return 0, err
	}
	return max(c.WorkerTimeout, min(own, c.MaxWorkerTimeout)), nil
}

// environment is topology.environment as "key=value", in order of keys.
func environment(topology conf.Conf) ([]string, error) {
	const key = "topology.environment"
	m, ok := topology[key].(map[string]any)
	if !ok && topology.Has(key) {
		return nil, fmt.Errorf("%s is not a map", key)
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value, err := conf.Conf(m).StringOr(name, "")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return nil, fmt.Errorf("%s: %q cannot be a variable", key, name)
		}
		env = append(env, name+"="+value)
	}
	return env, nil
}

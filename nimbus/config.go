package nimbus

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
)

// Config is what a master needs. Store and BlobDir must be set; Conf should be a loaded daemon configuration.
type Config struct {
	// Conf is the daemon's configuration with all defaults. nil takes Storm's defaults. It is kept and not changed.
	Conf conf.Conf
	// Store is what the cluster agrees on. Open it before New: its lock keeps two masters from the same BlobDir. The
	// master uses it from Run on and does not close it.
	Store cluster.Store
	// BlobDir is where blobs are kept; nothing else may use it.
	BlobDir string
	// Listen is the address to serve on. Default is loopback with nimbus.thrift.port; port 0 takes a free one.
	Listen string
	// Listener is served instead of one on Listen, which then says only what Host defaults to. The master closes it.
	Listener net.Listener
	// Host is the name that clients are told to dial. Default is storm.local.hostname, else the host in Listen, else (when
	// that is every address) the name of this machine.
	Host string
	// Version is what clients are told. It must look like a Storm version, since clients parse it. Default 2.8.3.
	Version string
	// MaxJarBytes bounds an uploaded jar and any other blob. Default 2 GiB.
	MaxJarBytes int64
	// MaxJarEntries bounds the files in a jar. Default 65,536.
	MaxJarEntries int
	// MaxUnpackedBytes bounds the contents of a jar by the sizes it declares. Default 8 GiB.
	MaxUnpackedBytes int64
	// MaxNodes bounds the supervisors that may register. Default 4,096.
	MaxNodes int
	// User owns topologies of callers who are not known. Default is the user of this process.
	User string
	// Log takes what the operator should know. Default slog.Default().
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// DefaultVersion is the Storm release whose clients and answers this master follows.
const DefaultVersion = "2.8.3"

func (c *Config) setDefaults() error {
	if c.Conf == nil {
		c.Conf = conf.Defaults()
	}
	if c.Listen == "" {
		port, err := c.Conf.IntOr("nimbus.thrift.port", 6627)
		if err != nil {
			return err
		}
		c.Listen = net.JoinHostPort("127.0.0.1", strconv.FormatInt(port, 10))
	}
	if c.Host == "" {
		host, _, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return fmt.Errorf("nimbus Listen %q: %w", c.Listen, err)
		}
		if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
			if host, err = os.Hostname(); err != nil {
				return fmt.Errorf("nimbus Host is not set: %w", err)
			}
		}
		if c.Host, err = c.Conf.StringOr("storm.local.hostname", host); err != nil {
			return err
		}
	}
	setDefault(&c.Version, DefaultVersion)
	setDefault(&c.MaxJarBytes, 2<<30)
	setDefault(&c.MaxJarEntries, 65_536)
	setDefault(&c.MaxUnpackedBytes, 8<<30)
	setDefault(&c.MaxNodes, 4096)
	if c.User == "" {
		if u, err := user.Current(); err == nil {
			c.User = u.Username
		}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) validate() error {
	switch {
	case c.Store == nil:
		return errors.New("nimbus: Store is not set")
	case c.BlobDir == "":
		return errors.New("nimbus: BlobDir is empty, it must name a directory")
	case c.MaxJarBytes < 0 || c.MaxJarEntries < 0 || c.MaxUnpackedBytes < 0 || c.MaxNodes < 0:
		return errors.New("nimbus: a limit is negative, it must be above 0 (0 takes the default)")
	}
	return nil
}

// settings are the figures of the daemon's configuration that the master uses, read once.
type settings struct {
	supervisorTimeout time.Duration // nimbus.supervisor.timeout.secs
	taskTimeout       time.Duration // nimbus.task.timeout.secs
	launchGrace       time.Duration // nimbus.task.launch.secs
	maxWorkerTimeout  time.Duration // worker.max.timeout.secs
	monitorPeriod     time.Duration // nimbus.monitor.freq.secs
	sweepPeriod       time.Duration // nimbus.cleanup.inbox.freq.secs
	blobIdle          time.Duration // nimbus.blobstore.expiration.secs
	inboxKeep         time.Duration // nimbus.inbox.jar.expiration.secs
	historyAge        time.Duration // logviewer.cleanup.age.mins
	frameBytes        int64         // nimbus.thrift.max_buffer_size
	threads           int64         // nimbus.thrift.threads
	downloadBytes     int64         // storm.blobstore.inputstream.buffer.size.bytes
	aclEnforced       bool          // storm.blobstore.acl.validation.enabled
}

func readSettings(c conf.Conf) (settings, error) {
	var s settings
	var errs []error
	secs := func(key string, def int64) time.Duration {
		d, err := c.SecsOr(key, time.Duration(def)*time.Second)
		if err == nil && d <= 0 {
			err = fmt.Errorf("%s is %v, it must be above 0", key, d)
		}
		errs = append(errs, err)
		return d
	}
	number := func(key string, def int64) int64 {
		n, err := c.IntOr(key, def)
		if err == nil && n <= 0 {
			err = fmt.Errorf("%s is %d, it must be above 0", key, n)
		}
		errs = append(errs, err)
		return n
	}
	s.supervisorTimeout = secs("nimbus.supervisor.timeout.secs", 60)
	s.taskTimeout = secs("nimbus.task.timeout.secs", 30)
	s.launchGrace = secs("nimbus.task.launch.secs", 120)
	s.maxWorkerTimeout = secs("worker.max.timeout.secs", 600)
	s.monitorPeriod = secs("nimbus.monitor.freq.secs", 10)
	s.sweepPeriod = secs("nimbus.cleanup.inbox.freq.secs", 600)
	s.blobIdle = secs("nimbus.blobstore.expiration.secs", 600)
	s.inboxKeep = secs("nimbus.inbox.jar.expiration.secs", 3600)
	s.historyAge = time.Duration(number("logviewer.cleanup.age.mins", 10080)) * time.Minute
	s.frameBytes = number("nimbus.thrift.max_buffer_size", 1<<20)
	s.threads = number("nimbus.thrift.threads", 64)
	s.downloadBytes = number("storm.blobstore.inputstream.buffer.size.bytes", 65536)
	enforced, err := c.BoolOr("storm.blobstore.acl.validation.enabled", false)
	s.aclEnforced, errs = enforced, append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return settings{}, fmt.Errorf("nimbus configuration: %w", err)
	}
	return s, nil
}

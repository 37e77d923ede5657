package drpc

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// Keys by which clients and topologies find a server.
const (
	KeyServers         = "drpc.servers"
	KeyPort            = "drpc.port"
	KeyInvocationsPort = "drpc.invocations.port"
	KeyHTTPPort        = "drpc.http.port"
)

// Config says where a server listens and what it takes.
type Config struct {
	// Host is the address that all ports are bound on. Default 127.0.0.1.
	Host string
	// Ports are those to bind; 0 takes a free one. A negative HTTP port is none. That of HTTPS counts if HTTPS is set.
	Ports Ports
	// HTTPS has callers served over HTTPS too. Default: they are not.
	HTTPS *HTTPS
	// MaxFrameBytes is the largest request or result (drpc.max_buffer_size). Default 1 MiB.
	MaxFrameBytes int
	// Threads bounds the calls of topologies that are worked on at a time (drpc.invocations.threads). Default 64.
	Threads int
	Limits  Limits
	Log     *slog.Logger // default slog.Default()
}

// Ports are those of a server.
type Ports struct{ Execute, Invocations, HTTP, HTTPS int }

func (c Config) withDefaults() Config {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.MaxFrameBytes <= 0 {
		c.MaxFrameBytes = wire.DefaultMaxFrameBytes
	}
	if c.Threads <= 0 {
		c.Threads = 64
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Limits = c.Limits.withDefaults()
	return c
}

// FromConf reads Storm's keys. Errors name the key; what Storm's server could do and ours cannot is refused.
func FromConf(c conf.Conf) (Config, error) {
	r := reader{c: c}
	out := Config{
		Ports:         Ports{r.int(KeyPort, 3772, 0), r.int(KeyInvocationsPort, 3773, 0), r.int(KeyHTTPPort, 3774, math.MinInt32), r.int(KeyHTTPSPort, -1, math.MinInt32)},
		HTTPS:         r.https(),
		MaxFrameBytes: r.int("drpc.max_buffer_size", wire.DefaultMaxFrameBytes, 1),
		Threads:       r.int("drpc.invocations.threads", 64, 1),
		Limits: Limits{
			Timeout:  time.Duration(r.int("drpc.request.timeout.secs", 600, 1)) * time.Second,
			Requests: r.int("gearstorm.drpc.max.requests", 4096, 1),
		},
	}
	for _, port := range []struct {
		key string
		n   int
	}{{KeyPort, out.Ports.Execute}, {KeyInvocationsPort, out.Ports.Invocations}, {KeyHTTPPort, out.Ports.HTTP}, {KeyHTTPSPort, out.Ports.HTTPS}} {
		if port.n > math.MaxUint16 {
			r.fail(fmt.Errorf("%s is %d, which is no port", port.key, port.n))
		}
	}
	if out.HTTPS != nil && r.is(keyHTTPBinding, true) {
		out.Ports.HTTP = -1 // as Storm does
	}
	if most := 1 << 18; out.Limits.Requests > most {
		r.fail(fmt.Errorf("gearstorm.drpc.max.requests is %d, more than %d", out.Limits.Requests, most))
	}
	switch class, err := c.StringOr("drpc.authorizer", ""); {
	case err != nil:
		r.fail(err)
	case class != "" && !strings.HasSuffix("."+class, ".NoopAuthorizer"):
		r.fail(fmt.Errorf("drpc.authorizer %q is not supported: callers cannot prove who they are; allowed is NoopAuthorizer", class))
	}
	if r.err != nil {
		return Config{}, fmt.Errorf("drpc configuration: %w", r.err)
	}
	return out, nil
}

// reader reads numbers and keeps what is wrong.
type reader struct {
	c   conf.Conf
	err error
}

func (r *reader) fail(err error) { r.err = errors.Join(r.err, err) }

func (r *reader) int(key string, preset, least int64) int {
	n, err := r.c.IntOr(key, preset)
	if err == nil && (n < least || n > math.MaxInt32) {
		err = fmt.Errorf("%s is %d, it must be at least %d", key, n, least)
	}
	if err != nil {
		r.fail(err)
	}
	return int(n)
}

// text and is read the other kinds of values.
func (r *reader) text(key string) string {
	s, err := r.c.StringOr(key, "")
	if err != nil {
		r.fail(err)
	}
	return s
}

func (r *reader) is(key string, preset bool) bool {
	b, err := r.c.BoolOr(key, preset)
	if err != nil {
		r.fail(err)
	}
	return b
}

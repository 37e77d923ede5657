package client

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/thrift/wire"
)

// Options say where Nimbus is. A zero field means its default, Seeds has none.
type Options struct {
	// Seeds are the hosts to ask for the leader, in order (nimbus.seeds). A seed may carry its own port ("host:6627").
	Seeds []string
	// Port is that of seeds without one (nimbus.thrift.port). Default 6627.
	Port int
	// Dial holds timeouts, size limits and the handshake of every connection.
	Dial wire.DialOptions

	// Retries is how often all seeds are asked again when no leader was found (storm.nimbus.retry.times). Default 5,
	// negative for never.
	Retries int
	// RetryInterval is the wait before the first retry (storm.nimbus.retry.interval.millis); it doubles each time up to
	// RetryCeiling (storm.nimbus.retry.intervalceiling.millis). Defaults 250 ms and 5 s, shorter than Storm's.
	RetryInterval, RetryCeiling time.Duration
	// LeaderPatience is how long to go on asking when Nimbus answers but nobody leads, as during a change of leader. Default
	// 15 s, negative for none; Retries bound all other failures, and below 0 this one too.
	LeaderPatience time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if len(o.Seeds) == 0 {
		return o, errors.New("nimbus.seeds is empty")
	}
	if o.Port == 0 {
		o.Port = 6627
	}
	if o.Retries == 0 {
		o.Retries = 5
	}
	if o.RetryInterval <= 0 {
		o.RetryInterval = 250 * time.Millisecond
	}
	if o.LeaderPatience == 0 {
		o.LeaderPatience = 15 * time.Second
	}
	if o.RetryCeiling <= 0 {
		o.RetryCeiling = 5 * time.Second
	}
	for _, seed := range o.Seeds {
		if _, err := o.endpoint(seed); err != nil {
			return o, err
		}
	}
	return o, nil
}

// endpoint is a host and port in the form in which they are compared.
type endpoint struct {
	host string
	port int
}

func (e endpoint) String() string { return net.JoinHostPort(e.host, strconv.Itoa(e.port)) }

func (e endpoint) validate() error {
	if strings.TrimSpace(e.host) == "" || e.port < 1 || e.port > 65535 {
		return fmt.Errorf("%q is no host and port", e)
	}
	return nil
}

// endpoint reads a seed: a host, an IPv6 address, or one of both with a port.
func (o Options) endpoint(seed string) (endpoint, error) {
	e := endpoint{strings.Trim(seed, "[]"), o.Port}
	if host, port, err := net.SplitHostPort(seed); err == nil {
		n, err := strconv.Atoi(port)
		if err != nil {
			return e, fmt.Errorf("nimbus.seeds: port of %q: %w", seed, err)
		}
		e = endpoint{host, n}
	}
	if err := e.validate(); err != nil {
		return e, fmt.Errorf("nimbus.seeds, nimbus.thrift.port: %w", err)
	}
	return e, nil
}

// backoff returns the wait before retry n (from 0).
func (o Options) backoff(n int) time.Duration {
	wait := o.RetryInterval
	for ; n > 0 && wait < o.RetryCeiling; n-- {
		wait *= 2
	}
	return min(wait, o.RetryCeiling)
}

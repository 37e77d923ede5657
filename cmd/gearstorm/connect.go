package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// session is the leading Nimbus as a command sees it.
type session struct {
	*client.Client
	rpc *stormrpc.NimbusClient
}

// withNimbus runs do with a connection to the leading Nimbus.
func withNimbus(c *cli.Context, do func(*session) error) error {
	cf, err := loadConf(c)
	if err != nil {
		return err
	}
	at, err := seeds(c, cf)
	if err != nil {
		return err
	}
	nc, err := client.New(client.Options{Seeds: at, Retries: 2, RetryInterval: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	defer nc.Close()
	return do(&session{nc, nc.Nimbus()})
}

// explain says what went wrong and, where it is known, what to do next.
func explain(err error) string {
	msg := client.Message(err)
	switch client.KindOf(err) {
	case client.NotAlive:
		return msg + "; `list` shows the topologies that run"
	case client.AlreadyAlive:
		return msg + "; kill it first or choose another name"
	case client.NoLeader:
		return msg + "; is it running? `gearstorm dev` starts a cluster here, --nimbus HOST:PORT names another"
	case client.NotImplemented:
		return msg + "; this Nimbus does not do that, see docs/storm-differences.md"
	case client.Internal:
		return msg + "; the log of Nimbus says why"
	}
	return strings.TrimSpace(fmt.Sprint(msg))
}

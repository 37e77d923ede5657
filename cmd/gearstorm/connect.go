package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// session is the leading Nimbus as a command sees it.
type session struct {
	*client.Client
	rpc  *stormrpc.NimbusClient
	opts client.Options
}

// findNimbus is nimbusAt for commands that need nothing else of the configuration.
func findNimbus(c *cli.Context) ([]string, error) {
	cf, err := loadConf(c)
	if err != nil {
		return nil, err
	}
	return nimbusAt(c, cf)
}

// withNimbus runs do with a connection to the leading Nimbus.
func withNimbus(c *cli.Context, do func(*session) error) error {
	at, err := findNimbus(c)
	if err != nil {
		return err
	}
	opts := client.Options{Seeds: at, Retries: 2, RetryInterval: 200 * time.Millisecond}
	nc, err := client.New(opts)
	if err != nil {
		return err
	}
	defer nc.Close()
	return nobody(at, do(&session{nc, nc.Nimbus(), opts}))
}

// nobody shortens an error that says that no Nimbus answers at the addresses.
func nobody(at []string, err error) error {
	if client.KindOf(err) != client.NoLeader {
		return err
	}
	if client.Leaderless(err) {
		return fmt.Errorf("nobody leads the cluster of %s now; `gearstorm nimbuses` shows who is there", strings.Join(at, ", "))
	}
	why := err.Error() // the last part is the cause: connection refused, no such host
	why = why[strings.LastIndex(why, ": ")+1:]
	return fmt.Errorf("no Nimbus answers at %s (%s); is it running? `gearstorm dev` starts a cluster here, --nimbus HOST:PORT names another", strings.Join(at, ", "), strings.TrimSpace(why))
}

// explain says what went wrong and, where it is known, what to do next.
func explain(err error) string {
	msg := client.Message(err)
	switch client.KindOf(err) {
	case client.NotAlive:
		if !strings.HasSuffix(msg, "alive") { // of an id Storm tells no more than that
			msg += " is not alive"
		}
		return msg + "; `list` shows the topologies that run"
	case client.AlreadyAlive:
		return msg + "; kill it first or choose another name with --name"
	case client.KeyNotFound:
		return "no blob " + msg + "; `blobstore list` shows those that are there"
	case client.KeyExists:
		return "there is a blob " + msg + "; `blobstore update` changes it"
	case client.NotImplemented:
		return msg + "; this Nimbus does not do that, see docs/storm-differences.md"
	case client.Internal:
		return msg + "; the log of Nimbus says why"
	case client.Disconnected:
		return msg + "; Nimbus ended or is not one, try again"
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, syscall.EADDRINUSE):
		return msg + "; end what listens there or choose another port"
	}
	return strings.TrimSpace(msg)
}

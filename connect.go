package gearstorm

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// connect returns a client of the first of at that answers; without any it looks for some.
func connect(at []string) (*client.Client, error) {
	if len(at) == 0 {
		found, err := findSeeds()
		if err != nil {
			return nil, err
		}
		at = found
	}
	return client.New(client.Options{Seeds: at, Retries: 2, RetryInterval: 200 * time.Millisecond})
}

func findSeeds() ([]string, error) {
	loaded, err := conf.Load(conf.Sources{})
	if err != nil {
		return nil, fmt.Errorf("look for a nimbus: %w", err)
	}
	return seeds.Find("", loaded.Conf, false)
}

// explain turns an error into one line that says what to do next, where that is known.
func explain(err error) string {
	msg := client.Message(err)
	switch client.KindOf(err) {
	case client.AlreadyAlive:
		return msg + `; kill it first ("gearstorm kill NAME") or take another name (-name)`
	case client.NoLeader, client.Disconnected:
		return msg + `; is it running? "gearstorm dev" starts a cluster here, -nimbus host:port names another`
	case client.Internal:
		return msg + "; the log of Nimbus says why"
	}
	return msg
}

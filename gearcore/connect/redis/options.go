package redis

import (
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
)

// SinkOptions says what to write where. Zero fields mean the defaults.
type SinkOptions struct {
	// Redis says how to reach the server. Required: Addrs.
	Redis redis.UniversalOptions
	// Commands adds the commands of a tuple to c; what it adds is copied. Required.
	Commands func(t gearcore.Tuple, c *Commands) error
	// ID begins the names of the hashes that keep the numbers; "-" and the task's index follow. Two topologies that write to one
	// database need different ones. Default "gearstorm:<topology>:<component>".
	ID string
	// ChunkCommands is how many commands one script executes at most; the server does nothing else meanwhile. Default 500.
	ChunkCommands int
	// Outbox bounds what is held back.
	Outbox outbox.Options
}

func (o SinkOptions) withDefaults() SinkOptions {
	if o.ChunkCommands == 0 {
		o.ChunkCommands = 500
	}
	return o
}

// Validate returns what is wrong with o, all of it.
func (o SinkOptions) Validate() error {
	o = o.withDefaults()
	var errs []error
	if len(o.Redis.Addrs) == 0 {
		errs = append(errs, errors.New("redis sink: Redis.Addrs is empty"))
	}
	if o.Commands == nil {
		errs = append(errs, errors.New("redis sink: Commands is missing"))
	}
	if o.ChunkCommands < 1 || o.ChunkCommands > 10_000 {
		errs = append(errs, fmt.Errorf("redis sink: ChunkCommands %d is not between 1 and 10000", o.ChunkCommands))
	}
	return errors.Join(append(errs, o.Outbox.Validate())...)
}

package nimbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// maxLoggers bounds the loggers of a topology whose levels may be changed at a time.
const maxLoggers = 1000

// SetLogConfig implements stormrpc.Nimbus: what is set goes into what was set, whose entries become UNCHANGED.
func (n *Nimbus) SetLogConfig(ctx context.Context, id string, c *stormrpc.LogConfig) error {
	t, err := n.read(ctx, "setLogConfig", id)
	if err != nil {
		return err
	}
	if c == nil {
		c = &stormrpc.LogConfig{}
	}
	return n.order(ctx, t.ID, func(o *orders) (cluster.Op, error) {
		next, err := n.merged(o.levels, c)
		if err != nil {
			return cluster.Op{}, fmt.Errorf("log levels of %s: %w", t.ID, err)
		}
		o.levels = next
		return cluster.PutLogConfig(t.ID, next), nil
	})
}

// merged is what was set with what is set now.
func (n *Nimbus) merged(old cluster.LogConfig, c *stormrpc.LogConfig) (cluster.LogConfig, error) {
	next := cluster.LogConfig{Levels: make(map[string]cluster.LogLevel)}
	for name, l := range old.Levels {
		l.Action = int64(stormrpc.LogLevelAction_UNCHANGED)
		next.Levels[name] = l
	}
	for name, l := range c.NamedLoggerLevel {
		switch {
		case name == "":
			return next, errors.New("named loggers need a valid name, ROOT is the root logger")
		case !validName(name):
			return next, fmt.Errorf("logger name of %d bytes: wanted are 1 to %d bytes of text", len(name), maxNameBytes)
		case l == nil:
			continue
		}
		switch l.Action {
		case stormrpc.LogLevelAction_UPDATE:
			if _, ok := compat.LogLevel(l.GetTargetLogLevel()); !ok {
				return next, fmt.Errorf("level %.20q of logger %s, allowed are %s", l.GetTargetLogLevel(), name, compat.LogLevelNames)
			}
			next.Levels[name] = n.logLevel(l)
		case stormrpc.LogLevelAction_REMOVE:
			delete(next.Levels, name)
		}
	}
	if len(next.Levels) > maxLoggers {
		return next, fmt.Errorf("levels of %d loggers, allowed are %d", len(next.Levels), maxLoggers)
	}
	return next, nil
}

// logLevel is a level that was just set. What a caller says of the end of its time is overwritten, and so is the level after
// that, which is the logger's own.
func (n *Nimbus) logLevel(l *stormrpc.LogLevel) cluster.LogLevel {
	out := cluster.LogLevel{Action: int64(l.Action), Target: l.GetTargetLogLevel(), ResetSecs: l.GetResetLogLevelTimeoutSecs()}
	if _, ok := compat.LogLevel(l.GetResetLogLevel()); ok {
		out.Reset = l.GetResetLogLevel()
	}
	if out.ResetSecs > 0 {
		out.ResetAt = n.cfg.Now().Add(time.Duration(out.ResetSecs) * time.Second).UTC()
	}
	return out
}

// GetLogConfig implements stormrpc.Nimbus.
func (n *Nimbus) GetLogConfig(ctx context.Context, id string) (*stormrpc.LogConfig, error) {
	t, err := n.read(ctx, "getLogConfig", id)
	if err != nil {
		return nil, err
	}
	if c := thriftLevels(t.orders.levels); c != nil {
		return c, nil
	}
	return &stormrpc.LogConfig{NamedLoggerLevel: map[string]*stormrpc.LogLevel{}}, nil
}

// thriftLevels gives levels in Storm's form, nil when none was changed.
func thriftLevels(c cluster.LogConfig) *stormrpc.LogConfig {
	if len(c.Levels) == 0 {
		return nil
	}
	out := &stormrpc.LogConfig{NamedLoggerLevel: make(map[string]*stormrpc.LogLevel)}
	for name, l := range c.Levels {
		level := &stormrpc.LogLevel{Action: stormrpc.LogLevelAction(l.Action), TargetLogLevel: text(l.Target),
			ResetLogLevel: text(l.Reset), ResetLogLevelTimeoutSecs: ref(l.ResetSecs)}
		if !l.ResetAt.IsZero() {
			level.ResetLogLevelTimeoutEpoch = ref(l.ResetAt.UnixMilli())
		}
		out.NamedLoggerLevel[name] = level
	}
	return out
}

package nimbus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// SubmitTopology implements stormrpc.Nimbus.
func (n *Nimbus) SubmitTopology(ctx context.Context, name, location, jsonConf string, t *stormrpc.StormTopology) error {
	return n.submit(ctx, submission{name: name, location: location, jsonConf: jsonConf, code: t,
		options: &stormrpc.SubmitOptions{InitialStatus: stormrpc.TopologyInitialStatus_ACTIVE}})
}

// SubmitTopologyWithOpts implements stormrpc.Nimbus.
func (n *Nimbus) SubmitTopologyWithOpts(ctx context.Context, name, location, jsonConf string, t *stormrpc.StormTopology, o *stormrpc.SubmitOptions) error {
	return n.submit(ctx, submission{name: name, location: location, jsonConf: jsonConf, code: t, options: o})
}

// IsTopologyNameAllowed implements stormrpc.Nimbus.
func (n *Nimbus) IsTopologyNameAllowed(ctx context.Context, name string) (bool, error) {
	if err := n.may(ctx, "isTopologyNameAllowed", name, nil); err != nil {
		return false, err
	}
	_, alive := n.named(name)
	return checkName(name) == nil && !alive, nil
}

// command finds the topology of a name for a command of a caller who may give it.
func (n *Nimbus) command(ctx context.Context, operation, name string) (*topology, error) {
	if err := n.lead(); err != nil {
		return nil, err
	}
	t, ok := n.named(name)
	if !ok {
		return nil, notAlive(name)
	}
	return t, n.may(ctx, operation, name, t.conf)
}

// KillTopology implements stormrpc.Nimbus.
func (n *Nimbus) KillTopology(ctx context.Context, name string) error {
	return n.KillTopologyWithOpts(ctx, name, nil)
}

// KillTopologyWithOpts implements stormrpc.Nimbus.
func (n *Nimbus) KillTopologyWithOpts(ctx context.Context, name string, o *stormrpc.KillOptions) error {
	t, err := n.command(ctx, "killTopology", name)
	if err != nil {
		return err
	}
	wait := t.messageTimeout()
	if o != nil && o.WaitSecs != nil {
		if wait, err = waitOf(*o.WaitSecs); err != nil {
			return err
		}
	}
	if err := n.transition(ctx, t.ID, event{kind: evKill, wait: wait}); err != nil {
		return err
	}
	// The topology is being killed, whatever becomes of the history.
	if err := n.remember(ctx, t); err != nil {
		n.cfg.Log.Error("killed topology is missing in the history", "topology", t.ID, "err", err)
	}
	return nil
}

func waitOf(secs int32) (time.Duration, error) {
	if secs < 0 {
		return 0, fmt.Errorf("wait of %d seconds is below 0", secs)
	}
	return time.Duration(secs) * time.Second, nil
}

// historyKept bounds the topologies that are remembered after they were killed.
const historyKept = 1000

// remember adds a topology to the history.
func (n *Nimbus) remember(ctx context.Context, t *topology) error {
	users, _ := t.conf.StringList("logs.users")
	own, _ := t.conf.StringList("topology.users")
	groups, _ := t.conf.StringList("logs.groups")
	now := n.cfg.Now().UTC()
	n.change.Lock()
	defer n.change.Unlock()
	h, err := cluster.ReadHistory(ctx, n.cfg.Store)
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	h.Entries = slices.DeleteFunc(h.Entries, func(e cluster.HistoryEntry) bool {
		return e.Topology == t.ID || now.Sub(e.Time) > n.set.historyAge
	})
	h.Entries = append(h.Entries, cluster.HistoryEntry{Topology: t.ID, Time: now, Users: append(users, own...), Groups: groups})
	h.Entries = h.Entries[max(0, len(h.Entries)-historyKept):]
	return n.txn(ctx, cluster.PutHistory(h))
}

// Activate implements stormrpc.Nimbus.
func (n *Nimbus) Activate(ctx context.Context, name string) error {
	t, err := n.command(ctx, "activate", name)
	if err != nil {
		return err
	}
	return n.transition(ctx, t.ID, event{kind: evActivate})
}

// Deactivate implements stormrpc.Nimbus.
func (n *Nimbus) Deactivate(ctx context.Context, name string) error {
	t, err := n.command(ctx, "deactivate", name)
	if err != nil {
		return err
	}
	return n.transition(ctx, t.ID, event{kind: evDeactivate})
}

// notOverridable are keys that a rebalance may not change; they are left out without a word, as in Storm.
var notOverridable = []string{"topology.submitter.principal", "topology.submitter.user", "storm.zookeeper.superACL",
	"storm.zookeeper.topology.auth.scheme", "storm.zookeeper.topology.auth.payload", "storm.local.hostname",
	"topology.classpath.beginning", "storm.id", "topology.name"}

// Rebalance implements stormrpc.Nimbus.
func (n *Nimbus) Rebalance(ctx context.Context, name string, o *stormrpc.RebalanceOptions) error {
	t, err := n.command(ctx, "rebalance", name)
	if err != nil {
		return err
	}
	if o == nil {
		o = &stormrpc.RebalanceOptions{}
	}
	r, err := rebalanceOf(t, o)
	if err != nil {
		return err
	}
	wait := t.messageTimeout()
	if o.WaitSecs != nil {
		if wait, err = waitOf(*o.WaitSecs); err != nil {
			return err
		}
	}
	if err := n.checkRebalance(t, r); err != nil {
		return err
	}
	return n.transition(ctx, t.ID, event{kind: evRebalance, wait: wait, rebalance: &r})
}

// rebalanceOf checks the options of a rebalance.
func rebalanceOf(t *topology, o *stormrpc.RebalanceOptions) (cluster.Rebalance, error) {
	r := cluster.Rebalance{Resources: o.TopologyResourcesOverrides}
	if t.code == nil {
		return r, t.brokenError()
	}
	if o.NumWorkers != nil {
		if *o.NumWorkers <= 0 {
			return r, invalid("Number of workers must be greater than 0")
		}
		r.Workers = int(*o.NumWorkers)
	}
	if len(o.NumExecutors) > 0 {
		r.Executors = make(map[string]int)
	}
	for _, id := range slices.Sorted(maps.Keys(o.NumExecutors)) {
		if _, ok := findComponent(t.code, id); !ok && !isSystem(id) {
			return r, invalid("Invalid component %s for topology %s, valid values are %s", id, t.Name, strings.Join(componentIDs(t.code), ","))
		}
		if o.NumExecutors[id] <= 0 {
			return r, invalid("Number of executors must be greater than 0")
		}
		r.Executors[id] = int(o.NumExecutors[id])
	}
	for id, resources := range o.TopologyResourcesOverrides {
		for res, v := range resources {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				return r, invalid("resource %s of component %s is %v, it must be a number from 0 up", res, id, v)
			}
		}
	}
	var err error
	r.Conf, err = overridesOf(o.GetTopologyConfOverrides())
	return r, err
}

// overridesOf checks the configuration of a rebalance and leaves out what may not be changed.
func overridesOf(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	c, err := parseConf(text)
	if err != nil {
		return "", err
	}
	if c.Has("topology.tasks") {
		return "", invalid("topology.tasks cannot change: a topology keeps the tasks it was submitted with")
	}
	for _, key := range notOverridable {
		delete(c, key)
	}
	if len(c) == 0 {
		return "", nil
	}
	raw, err := c.JSON()
	if err != nil {
		return "", asInvalid(err)
	}
	if len(raw) > cluster.MaxValueBytes/2 {
		return "", invalid("configuration overrides of %d bytes, allowed are %d", len(raw), cluster.MaxValueBytes/2)
	}
	return string(raw), nil
}

func componentIDs(t *stormrpc.StormTopology) []string {
	var out []string
	for _, c := range components(t) {
		out = append(out, c.id)
	}
	return out
}

// UploadNewCredentials implements stormrpc.Nimbus: new values go over the old ones.
func (n *Nimbus) UploadNewCredentials(ctx context.Context, name string, creds *stormrpc.Credentials) error {
	t, err := n.command(ctx, "uploadNewCredentials", name)
	if err != nil {
		return err
	}
	if creds == nil {
		creds = &stormrpc.Credentials{}
	}
	if want, user := creds.GetTopoOwner(), callerOf(ctx); want != "" && want != t.Owner {
		return unauthorized("%s is expected to be owned by %s but is actually owned by %s", t.ID, want, t.Owner)
	} else if want == "" && user != "" && user != t.Owner && user != t.Principal {
		return unauthorized("%s is expected to be owned by %s but is actually owned by %s", t.ID, user, t.Owner)
	}
	n.change.Lock()
	defer n.change.Unlock()
	old, err := cluster.ReadCredentials(ctx, n.cfg.Store, t.ID)
	if err != nil {
		return fmt.Errorf("read credentials of %s: %w", t.ID, err)
	}
	if old.Values == nil {
		old.Values = make(map[string]string)
	}
	maps.Copy(old.Values, creds.Creds)
	return n.txn(ctx, cluster.PutCredentials(t.ID, old))
}

// Debug implements stormrpc.Nimbus. An empty component means the whole topology. The percentage is kept when debugging
// is switched off.
func (n *Nimbus) Debug(ctx context.Context, name, component string, enable bool, percent float64) error {
	t, err := n.command(ctx, "debug", name)
	if err != nil {
		return err
	}
	if math.IsNaN(percent) {
		return errors.New("sampling percentage is not a number")
	}
	key := component
	if key == "" {
		key = t.ID
	} else if t.system != nil {
		if _, ok := findComponent(t.system, key); !ok {
			return fmt.Errorf("topology %s has no component %s", name, component)
		}
	}
	n.change.Lock()
	defer n.change.Unlock()
	t, ok := n.byID(t.ID)
	if !ok {
		return notAlive(name)
	}
	d := t.Topology.Debug[key]
	d.Enable = enable
	if enable {
		d.Sampling = max(0, min(100, percent))
	}
	all := maps.Clone(t.Topology.Debug)
	if all == nil {
		all = make(map[string]cluster.Debug)
	}
	all[key] = d
	return n.save(ctx, t.with(func(t *topology) { t.Topology.Debug = all }))
}

// read finds the topology of an id for a reader who may do an operation on it.
func (n *Nimbus) read(ctx context.Context, operation, id string) (*topology, error) {
	t, ok := n.byID(id)
	if !ok {
		return nil, notAliveID(id)
	}
	if err := n.may(ctx, operation, t.Name, t.conf); err != nil {
		return nil, err
	}
	return t, nil
}

// readWhole is read for what needs the topology's code.
func (n *Nimbus) readWhole(ctx context.Context, operation, id string) (*topology, error) {
	t, err := n.read(ctx, operation, id)
	if err == nil && t.broken != nil {
		err = t.brokenError()
	}
	return t, err
}

// GetTopologyConf implements stormrpc.Nimbus.
func (n *Nimbus) GetTopologyConf(ctx context.Context, id string) (string, error) {
	c, err := n.topologyConf(ctx, "getTopologyConf", id)
	if err != nil {
		return "", err
	}
	return confText(c)
}

func confText(c conf.Conf) (string, error) {
	raw, err := c.JSON()
	if err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}
	return string(raw), nil
}

// GetTopology implements stormrpc.Nimbus: the topology with system components.
func (n *Nimbus) GetTopology(ctx context.Context, id string) (*stormrpc.StormTopology, error) {
	return n.topologyCode(ctx, "getTopology", id, true)
}

// GetUserTopology implements stormrpc.Nimbus: the topology as submitted, normalized.
func (n *Nimbus) GetUserTopology(ctx context.Context, id string) (*stormrpc.StormTopology, error) {
	return n.topologyCode(ctx, "getUserTopology", id, false)
}

// SetLogConfig implements stormrpc.Nimbus: what is set goes into what was set, whose entries become UNCHANGED.
func (n *Nimbus) SetLogConfig(ctx context.Context, id string, c *stormrpc.LogConfig) error {
	t, err := n.read(ctx, "setLogConfig", id)
	if err != nil {
		return err
	}
	if err := n.lead(); err != nil {
		return err
	}
	n.change.Lock()
	defer n.change.Unlock()
	stored, err := cluster.ReadLogConfig(ctx, n.cfg.Store, t.ID)
	if err != nil {
		return fmt.Errorf("read log levels of %s: %w", t.ID, err)
	}
	next := cluster.LogConfig{Levels: make(map[string]cluster.LogLevel)}
	for name, l := range stored.Levels {
		l.Action = int64(stormrpc.LogLevelAction_UNCHANGED)
		next.Levels[name] = l
	}
	for name, l := range c.GetNamedLoggerLevel() {
		if name == "" {
			return errors.New("named loggers need a valid name, ROOT is the root logger")
		}
		if l == nil {
			continue
		}
		switch l.Action {
		case stormrpc.LogLevelAction_UPDATE:
			next.Levels[name] = n.logLevel(l)
		case stormrpc.LogLevelAction_REMOVE:
			delete(next.Levels, name)
		}
	}
	return n.txn(ctx, cluster.PutLogConfig(t.ID, next))
}

func (n *Nimbus) logLevel(l *stormrpc.LogLevel) cluster.LogLevel {
	out := cluster.LogLevel{Action: int64(l.Action), Target: l.GetTargetLogLevel(), Reset: l.GetResetLogLevel(),
		ResetSecs: l.GetResetLogLevelTimeoutSecs()}
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
	stored, err := cluster.ReadLogConfig(ctx, n.cfg.Store, t.ID)
	if err != nil {
		return nil, fmt.Errorf("read log levels of %s: %w", t.ID, err)
	}
	out := &stormrpc.LogConfig{NamedLoggerLevel: make(map[string]*stormrpc.LogLevel)}
	for name, l := range stored.Levels {
		level := &stormrpc.LogLevel{Action: stormrpc.LogLevelAction(l.Action)}
		if l.Target != "" {
			level.TargetLogLevel = &l.Target
		}
		if l.Reset != "" {
			level.ResetLogLevel = &l.Reset
		}
		secs := l.ResetSecs
		level.ResetLogLevelTimeoutSecs = &secs
		if !l.ResetAt.IsZero() {
			at := l.ResetAt.UnixMilli()
			level.ResetLogLevelTimeoutEpoch = &at
		}
		out.NamedLoggerLevel[name] = level
	}
	return out, nil
}

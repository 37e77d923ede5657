package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gearstorm/gearstorm/internal/freeport"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// Config says which cluster to make.
type Config struct {
	// Dir gets a folder for each daemon, with its storm.yaml, state and log. It must exist and be absolute.
	Dir string
	// Binary is gearstorm.
	Binary string
	// Network is where the daemons run; the cluster closes it. Default Loopback.
	Network func(mark string) (Network, error)
	// Slots of each supervisor. Default 4.
	Slots int
	// Conf goes over the configuration of every daemon.
	Conf map[string]any
}

// Cluster is a set of daemons, each a process. Make it with New, add to it with StartNimbus, StartSupervisors and Use, and Close
// it. Its methods are for one goroutine at a time.
type Cluster struct {
	cfg    Config
	mark   string
	net    Network
	reaper *reaper

	nimbusPort, supervisorPort int
	slots                      []int

	nimbuses, supervisors []*Node
	ids                   map[string]bool // of supervisors, as Nimbus knows them
	conf                  map[string]any  // of all nodes, beside Config.Conf
	client                *client.Client
}

// Node is a daemon with its site and its folder.
type Node struct {
	// Name is nimbus1, supervisor2, ...
	Name string
	// Dir holds the daemon's storm.yaml, its log and storm.local.dir, Local.
	Dir, Local string
	Site
	role  string
	conf  map[string]any // of this node alone
	enter func() error   // of the site, and perhaps of a mount namespace
	proc  *process
	// binary replaces Config.Binary, env goes over this process's environment.
	binary string
	env    []string
	hidden bool // storm.local.dir is on a disk that only the daemon sees
}

// patience are timeouts with which a cluster notices what dies within some 6 seconds. Storm's defaults are 30 to 120.
var patience = map[string]any{
	"nimbus.supervisor.timeout.secs": 6, "nimbus.task.timeout.secs": 6, "nimbus.task.launch.secs": 20, "nimbus.monitor.freq.secs": 2,
	"supervisor.worker.timeout.secs": 6, "supervisor.worker.start.timeout.secs": 20,
	"storm.zookeeper.session.timeout": 6000, "storm.zookeeper.connection.timeout": 3000,
}

// New makes an empty cluster and the process that cleans up after it.
func New(cfg Config) (c *Cluster, err error) {
	setDefault(&cfg.Slots, 4)
	if !filepath.IsAbs(cfg.Dir) || !filepath.IsAbs(cfg.Binary) {
		return nil, fmt.Errorf("folder %q and binary %q of a cluster must be absolute", cfg.Dir, cfg.Binary)
	}
	c = &Cluster{cfg: cfg, mark: fmt.Sprintf("%08x", rand.Uint32()), conf: map[string]any{}}
	maps.Copy(c.conf, patience)
	if c.reaper, err = startReaper(cfg.Binary, c.mark); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.net = Loopback(); cfg.Network != nil {
		if c.net, err = cfg.Network(c.mark); err != nil {
			return nil, err
		}
	}
	ports, err := freeport.Find(c.net.Outside(), cfg.Slots+2)
	if err != nil {
		return nil, err
	}
	c.nimbusPort, c.supervisorPort, c.slots = ports[0], ports[1], ports[2:]
	return c, nil
}

// Close ends everything that runs for the cluster and waits for it.
func (c *Cluster) Close() error {
	if c.client != nil {
		c.client.Close()
	}
	var errs []error
	for _, n := range append(c.supervisors, c.nimbuses...) {
		if n.Running() {
			errs = append(errs, n.Signal(kill9))
		}
	}
	errs = append(errs, c.reaper.finish())
	c.removeGroups()
	if c.net != nil {
		errs = append(errs, c.net.Close())
	}
	return errors.Join(errs...)
}

// Outside is the address at which the daemons reach this process.
func (c *Cluster) Outside() string { return c.net.Outside() }

// Use adds keys to the configuration of the daemons that are started from then on, such as where ZooKeeper is.
func (c *Cluster) Use(conf map[string]any) { maps.Copy(c.conf, conf) }

// StartNimbus starts n masters and waits until one leads. conf, if not nil, gives each one keys of its own. With the
// embedded store there can be one only.
func (c *Cluster) StartNimbus(ctx context.Context, n int, conf func(i int) map[string]any) error {
	for i := range n {
		node, err := c.AddNimbus()
		if err != nil {
			return err
		}
		if conf != nil {
			node.conf = conf(i)
		}
	}
	return c.LeadingNimbus(ctx)
}

// AddNimbus makes another master and does not start it.
func (c *Cluster) AddNimbus() (*Node, error) {
	node, err := c.add("nimbus", len(c.nimbuses))
	if err != nil {
		return nil, err
	}
	c.nimbuses = append(c.nimbuses, node)
	seeds, _ := c.conf["nimbus.seeds"].([]string)
	c.conf["nimbus.seeds"] = append(seeds, node.Addr())
	return node, nil
}

// LeadingNimbus starts the masters that do not run and waits until one leads.
func (c *Cluster) LeadingNimbus(ctx context.Context) error {
	for _, node := range c.nimbuses {
		if node.Running() {
			continue
		}
		if err := c.Start(node); err != nil {
			return err
		}
	}
	return until(ctx, "a leading Nimbus", func() error {
		for _, node := range c.nimbuses {
			if err := node.alive(); err != nil {
				return fatal{err}
			}
		}
		_, err := c.Leader(ctx)
		return err
	})
}

// StartSupervisors starts n more supervisors and waits until Nimbus knows all that run.
func (c *Cluster) StartSupervisors(ctx context.Context, n int) error {
	for range n {
		node, err := c.AddSupervisor()
		if err == nil {
			err = c.Start(node)
		}
		if err != nil {
			return err
		}
	}
	return c.Registered(ctx)
}

// AddSupervisor makes another supervisor and does not start it.
func (c *Cluster) AddSupervisor() (*Node, error) {
	node, err := c.add("supervisor", len(c.supervisors))
	if err == nil {
		c.supervisors = append(c.supervisors, node)
	}
	return node, err
}

// Registered waits until Nimbus knows all supervisors that run.
func (c *Cluster) Registered(ctx context.Context) error {
	return until(ctx, "all supervisors at Nimbus", func() error {
		want := 0
		for _, s := range c.supervisors {
			if s.Running() {
				want++
			}
		}
		if _, err := c.Leader(ctx); err != nil {
			return err
		}
		sum, err := c.client.Nimbus().GetClusterInfo(ctx)
		if err == nil {
			c.note(sum.Supervisors)
		}
		if err == nil && len(sum.Supervisors) < want {
			err = fmt.Errorf("%d of %d are there", len(sum.Supervisors), want)
		}
		return err
	})
}

func (c *Cluster) add(role string, i int) (*Node, error) {
	site, err := c.net.Attach()
	if err != nil {
		return nil, err
	}
	n := &Node{Name: role + strconv.Itoa(i+1), Site: site, role: role, enter: site.enter}
	n.Dir = filepath.Join(c.cfg.Dir, n.Name)
	n.Local = filepath.Join(n.Dir, "local")
	return n, os.MkdirAll(n.Dir, 0o700)
}

// Start starts a daemon that does not run.
func (c *Cluster) Start(n *Node) error {
	conf := map[string]any{
		"nimbus.thrift.port": c.nimbusPort, "supervisor.thrift.port": c.supervisorPort, "supervisor.slots.ports": c.slots,
		"storm.local.dir": n.Local, "storm.local.hostname": n.Addr(),
	}
	for _, over := range []map[string]any{c.conf, c.cfg.Conf, n.conf} {
		maps.Copy(conf, over)
	}
	text, err := json.MarshalIndent(conf, "", "  ") // JSON is YAML
	if err != nil {
		return err
	}
	file := filepath.Join(n.Dir, "storm.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	binary := c.cfg.Binary
	if n.binary != "" {
		binary = n.binary
	}
	return n.start(binary, c.mark, "--config", file, n.role, "--host", n.Addr())
}

// SetBinary has a daemon that does not run started from another binary, with more in its environment.
func (n *Node) SetBinary(path string, env ...string) { n.binary, n.env = path, env }

// Client is a client of the Nimbus that led when it was last looked for. It is closed by the next Leader, StartNimbus or View.
func (c *Cluster) Client() *client.Client { return c.client }

// Seeds are the addresses of all masters.
func (c *Cluster) Seeds() (seeds []string) {
	for _, n := range c.nimbuses {
		seeds = append(seeds, net.JoinHostPort(n.Addr(), strconv.Itoa(c.nimbusPort)))
	}
	return seeds
}

// Nimbuses and Supervisors are the daemons in the order in which they were added.
func (c *Cluster) Nimbuses() []*Node    { return c.nimbuses }
func (c *Cluster) Supervisors() []*Node { return c.supervisors }

// Leader is the master that leads, as the masters themselves say. Client is a new one after it: an older one may still hold a
// connection to a master that has ended, or that was cut off from the others.
func (c *Cluster) Leader(ctx context.Context) (*Node, error) {
	nc, err := client.New(client.Options{Seeds: c.Seeds(), Retries: -1})
	if err != nil {
		return nil, err
	}
	addr, err := nc.Leader(ctx)
	if err != nil {
		nc.Close()
		return nil, err
	}
	if c.client != nil {
		c.client.Close()
	}
	c.client = nc
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	for _, n := range c.nimbuses {
		if n.Addr() == host {
			return n, nil
		}
	}
	return nil, fmt.Errorf("the leader is %s, which is none of ours", host)
}

// fatal is an error that waiting does not help against.
type fatal struct{ error }

// until calls ok until it returns nil.
func until(ctx context.Context, what string, ok func() error) error {
	for {
		err := ok()
		if err == nil {
			return nil
		}
		if f, is := errors.AsType[fatal](err); is {
			return fmt.Errorf("wait for %s: %w", what, f.error)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (%w)", what, ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/supervisor/localizer"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

const (
	// killSlack is what a worker that used all of its grace gets to leave.
	killSlack = time.Second
	// killPatience is how long the end of a worker may take beyond its grace when the supervisor ends.
	killPatience = 10 * time.Second
	// firstPlan is how long a supervisor that starts waits for Nimbus before it launches what was planned when it ended: that may
	// run elsewhere by now. Workers that live go on at once.
	firstPlan = 3 * time.Second
	// drainPatience is how long calls in progress may take then.
	drainPatience = 5 * time.Second
	// maxReportBytes bounds what a worker may send: its report with the statistics of all its executors.
	maxReportBytes = 16 << 20
)

// Supervisor runs one node. Make it with New.
type Supervisor struct {
	cfg        Config
	node       string
	started    time.Time
	disk       *disk
	nimbus     *client.Client
	cache      *localizer.Cache
	plans      *plans
	reports    *reports
	questions  questions
	listener   net.Listener
	server     *wire.Server
	workerAddr string // where workers find this supervisor
	workerConf []byte
	ports      []int
	isolation  isolation
	slots      map[int]*runner
	planned    time.Time     // when the plan came; owned by followNimbus
	poke       chan struct{} // ends the pause after a failed call to Nimbus
	answers    atomic.Bool   // Nimbus answered the last call
	back       chan struct{} // it does again
	confirmed  chan struct{} // closed when the plan on disk may be carried out: Nimbus has answered, or does not for firstPlan
	confirm    func()        // closes it

	healthRefused string // what was last told of checks that are not run; watchHealth's

	ran   sync.Once
	close func() error
}

// New checks the configuration, takes the local directory over and listens; it starts nothing. Run or Close it.
func New(cfg Config) (*Supervisor, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, fmt.Errorf("supervisor configuration: %w", err)
	}
	s := &Supervisor{cfg: cfg, started: time.Now(), slots: map[int]*runner{}, poke: make(chan struct{}, 1), back: make(chan struct{}, 1), reports: newReports(time.Now)}
	s.close = sync.OnceValue(s.closeAll)
	s.confirmed = make(chan struct{})
	s.confirm = sync.OnceFunc(func() { close(s.confirmed) })
	if err := s.open(); err != nil {
		s.close()
		return nil, fmt.Errorf("open supervisor: %w", err)
	}
	return s, nil
}

func (s *Supervisor) open() error {
	if err := s.openDirs(); err != nil {
		return err
	}
	for _, dir := range []string{s.cfg.LocalDir, s.workersDir(), s.cfg.ArtifactsDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	var err error
	if s.disk, err = openDisk(s.cfg.LocalDir); err != nil {
		return err
	}
	if s.node, err = s.disk.nodeID(); err != nil {
		return err
	}
	s.cfg.Log = s.cfg.Log.With("supervisor", s.node)
	if s.isolation, err = s.openIsolation(); err != nil {
		return err
	}
	s.plans = newPlans(s.node)
	if s.workerConf, err = s.cfg.Conf.Masked().JSON(); err != nil {
		return err
	}
	if err := s.listen(); err != nil {
		return err
	}
	if s.nimbus, err = client.New(s.cfg.Nimbus); err != nil {
		return err
	}
	asOwner, err := s.cfg.Conf.BoolOr("supervisor.run.worker.as.user", false)
	if err != nil {
		return err
	}
	s.cache, err = localizer.Open(localizer.Config{
		Dir: filepath.Join(s.disk.dir, "stormdist"), BlobDir: filepath.Join(s.disk.dir, "usercache"),
		From: localizer.FromNimbus(s.nimbus), Limits: s.cfg.Limits, CacheBytes: s.cfg.CacheBytes, Retries: s.cfg.DownloadRetries,
		Threads: s.cfg.DownloadThreads, Reachable: s.answers.Load,
		OpenToAll: asOwner, Admit: s.letRead, Log: s.cfg.Log,
	})
	if err != nil {
		return err
	}
	for _, port := range s.ports {
		s.slots[port] = newRunner(s, port)
	}
	service := service{s}
	s.server, err = wire.NewServer(wire.Options{
		MaxFrameBytes: maxReportBytes, Held: []string{"syncWorker"}, Log: s.cfg.Log,
		Wide: map[string]int16{"sendSupervisorWorkerHeartbeat": 3}, // time_secs is an i32 in Storm 2.8
	}, stormrpc.NewSupervisorProcessor(service), stormrpc.NewGearstormProcessor(service))
	return err
}

// listen opens the Thrift port and settles which ports are the slots.
func (s *Supervisor) listen() error {
	saved, err := s.disk.ports()
	if err != nil {
		s.cfg.Log.Warn("ports of the last time are lost, free ones are chosen anew", "err", err)
	}
	if s.listener, err = s.listenAgain(s.cfg.Listen, s.cfg.ThriftPort, saved.Thrift); err != nil {
		return err
	}
	port := s.listener.Addr().(*net.TCPAddr).Port
	s.workerAddr = net.JoinHostPort(dialHost(s.cfg.Listen), strconv.Itoa(port))
	if s.ports, err = s.slotPorts(saved.Slots, port); err != nil {
		return err
	}
	if saved.Thrift == port && slices.Equal(saved.Slots, s.ports) {
		return nil // a full disk does not keep a supervisor from its workers
	}
	return s.disk.keepPorts(chosenPorts{Thrift: port, Slots: s.ports})
}

// listenAgain listens on port, or, for 0, on the port that was free the last time if it still is: workers that live know it.
func (s *Supervisor) listenAgain(host string, port, last int) (net.Listener, error) {
	if port == 0 && last != 0 {
		if ln, err := s.cfg.Bind("tcp", net.JoinHostPort(host, strconv.Itoa(last))); err == nil {
			return ln, nil
		}
	}
	return s.cfg.Bind("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

// dialHost is where this host reaches something that listens on host.
func dialHost(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if ip.To4() == nil {
			return "::1"
		}
		return "127.0.0.1"
	}
	return host
}

// slotPorts replaces every 0 by a port that is free, or by the one that was free the last time if it still is or if the
// worker of an earlier supervisor runs there. thrift is taken.
func (s *Supervisor) slotPorts(last []int, thrift int) ([]int, error) {
	records, _ := s.disk.workers() // an unreadable record is told of by restore
	taken := map[int]bool{thrift: true}
	for _, p := range s.cfg.Ports {
		taken[p] = true
	}
	ports := make([]int, len(s.cfg.Ports))
	for i, p := range s.cfg.Ports {
		if p == 0 && i < len(last) && !taken[last[i]] {
			if _, lives := records[last[i]]; lives || s.isFree(s.cfg.Listen, last[i]) {
				p = last[i]
			}
		}
		for p == 0 || p != s.cfg.Ports[i] && taken[p] {
			var err error
			if p, err = s.freePort(s.cfg.Listen); err != nil {
				return nil, err
			}
		}
		ports[i], taken[p] = p, true
	}
	return ports, nil
}

func (s *Supervisor) isFree(host string, port int) bool {
	ln, err := s.cfg.Bind("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err == nil {
		ln.Close()
	}
	return err == nil
}

func (s *Supervisor) freePort(host string) (int, error) {
	ln, err := s.cfg.Bind("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// NodeID is this node's id, the same for the life of its local directory.
func (s *Supervisor) NodeID() string { return s.node }

// Addr is where the Thrift service listens.
func (s *Supervisor) Addr() net.Addr { return s.listener.Addr() }

// Ports are the slots, with free ports in place of zeros. The slice is the caller's.
func (s *Supervisor) Ports() []int { return append([]int(nil), s.ports...) }

// Close gives everything back that New took. After Run there is nothing left to close.
func (s *Supervisor) Close() error {
	s.ran.Do(func() {})
	return s.close()
}

func (s *Supervisor) closeAll() error {
	var errs []error
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.nimbus != nil {
		errs = append(errs, s.nimbus.Close())
	}
	if s.disk != nil {
		errs = append(errs, s.disk.close())
	}
	return errors.Join(errs...)
}

// Run goes on from what is on disk and runs the node until ctx ends, which is no error, or it cannot serve. Call it once.
func (s *Supervisor) Run(ctx context.Context) error {
	err := errors.New("supervisor was run or closed before")
	s.ran.Do(func() { err = s.run(ctx) })
	return errors.Join(err, s.close())
}

func (s *Supervisor) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := s.restore(ctx); err != nil {
		return fmt.Errorf("go on from %s: %w", s.cfg.LocalDir, err)
	}
	s.cfg.Log.Info("supervisor runs", "address", s.Addr().String(), "ports", s.ports, "lifeline", s.cfg.Lifeline)
	var group, slots sync.WaitGroup
	for _, r := range s.slots {
		slots.Go(func() { r.run(ctx) })
	}
	defer time.AfterFunc(firstPlan, s.confirm).Stop()
	group.Go(func() { s.followNimbus(ctx) })
	group.Go(func() { s.watchHealth(ctx) })
	group.Go(func() {
		w := renewals{Supervisor: s, rolling: map[string]bool{}, codeSeen: map[string]int64{}, rests: map[string]rest{}}
		w.run(ctx)
	})
	var served error
	group.Go(func() {
		if served = s.server.Serve(s.listener); served != nil {
			cancel(served)
		}
	})
	<-ctx.Done()
	slots.Wait() // before the server, so that workers that end with it do not find it gone
	drain, stop := context.WithTimeout(context.WithoutCancel(ctx), drainPatience)
	defer stop()
	err := s.server.Shutdown(drain)
	group.Wait()
	return errors.Join(served, err)
}

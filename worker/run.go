package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// Config says which worker Run is.
type Config struct {
	Spec isolate.WorkerSpec
	// Components makes the registry of Go components for a topology of that conf; nil if this program has none.
	Components func(conf.Conf) (Registry, error)
	// Host is what the slot's port is bound on. Default Spec.Hostname.
	Host string
	Log  *slog.Logger // default: none
	// Loops is the number of run loops; default GOMAXPROCS.
	Loops int
	// Dial is how the supervisor is called.
	Dial wire.DialOptions
	// Transport changes the link settings before the transport is made; may be nil.
	Transport func(*transport.Config)
	// BornWithin is how long a version of the graph that the worker has taken over may need until it is in force, which takes all workers of a
	// topology with checkpoints. Then the worker ends, to start again with it. Default 30 s.
	BornWithin time.Duration
}

// worker is one life of a worker process.
type worker struct {
	cfg     Config
	spec    isolate.WorkerSpec
	self    slot
	log     *slog.Logger
	started time.Time
	host    *host
	links   *transport.Transport
	gate    gate
	former  map[gearcore.TaskID]bool // tasks that were here once
	gone    map[gearcore.TaskID]goneTask

	levels      levels // of the log
	credentials gearcore.Credentials
	profiler    profiler
	timed       *timed // nil where the topology has no clock
	looks       looks

	// Owned by the goroutine that reports, after start.
	plan      *stormrpc.TopologyPlan
	planned   time.Time       // since when it has that
	startJava func(*javaSide) // has it run as long as the worker
	javas     javaSides
	refused   int64 // epoch whose refusal was logged last
	turn      int   // of fit

	statsDue     time.Time // when a report has statistics again
	unknown      bool      // the supervisor knows the topology no longer
	told         int       // executors whose statistics have gone up since they were due
	ownStoreTold bool
}

// Run is a worker from start to end. It returns nil when it ended in order: ctx ended, or the worker has no task here
// any more. Another error is the reason why it cannot go on. It may leave user code behind that does not return within
// supervisor.worker.shutdown.sleep.secs; the process is expected to exit.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.BornWithin == 0 {
		cfg.BornWithin = defaultBornWithin
	}
	w := &worker{
		cfg: cfg, spec: cfg.Spec, self: slot{cfg.Spec.Node, cfg.Spec.Port}, started: time.Now(),
	}
	w.planned = w.started
	w.log = slog.New(w.levels.handler(cfg.Log.Handler())).With(slog.String("topology", cfg.Spec.Topology), slog.String("worker", cfg.Spec.Worker))
	defer w.levels.close()
	w.profiler.dir, w.profiler.log = filepath.Dir(cfg.Spec.LogPath), w.log
	if err := w.prepare(); err != nil {
		if errors.Is(err, errLeave) {
			w.log.Info("nothing to do", slog.Any("err", err))
			return nil
		}
		return fmt.Errorf("start worker %s of %s: %w", w.spec.Worker, w.spec.Topology, err)
	}
	return w.run(ctx)
}

// prepare makes all parts and starts none.
func (w *worker) prepare() error {
	if err := w.spec.Validate(); err != nil {
		return err
	}
	w.plan = stormrpc.NewTopologyPlan()
	if err := wire.Unmarshal(w.spec.Plan, w.plan); err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	placed, err := place(w.plan)
	if err != nil {
		return err
	}
	topo, own, err := readCode(w.spec.CodeDir, w.plan.CodeVersion)
	if err != nil {
		return err
	}
	node, err := nodeConf(w.spec.Conf)
	if err != nil {
		return err
	}
	plan, err := expandAs(topo, layered(node, own), w.plan)
	if err != nil {
		return err
	}
	local, err := executors(plan, placed.of(w.self))
	if err != nil {
		return err
	}
	if len(local) == 0 {
		return fmt.Errorf("%w: nothing is assigned to port %d", errLeave, w.spec.Port)
	}
	m := taskMaker{
		plan: plan, topologyID: w.spec.Topology, codeDir: w.spec.CodeDir, codeVersion: w.plan.CodeVersion, pidDir: w.spec.PidDir, port: w.spec.Port,
		log: w.log, onHost: placed.onHost(w.self), version: version(w.plan), credentials: &w.credentials,
	}
	if m.java, err = w.newJava(&javaCode{topo, plan, w.spec.CodeDir, w.plan.CodeVersion}); err != nil {
		return err
	}
	if w.cfg.Components != nil {
		if m.registry, err = w.cfg.Components(own); err != nil {
			return err
		}
	}
	w.credentials.Set(w.plan.Credentials) // the store of checkpoints may need them
	if m.timed, err = w.newTimed(plan, node); err != nil {
		return err
	}
	w.timed = m.timed
	remote := func(task gearcore.TaskID) engine.Outlet { return w.links.Outlet(task) }
	if err := w.obey(w.plan); err != nil {
		return err
	}
	if w.host, err = newHost(m, local, remote, w.cfg.Loops); err != nil {
		return err
	}
	w.gate.spouts, w.gate.active, w.gate.early = w.host.engine, w.plan.Status == stormrpc.TopologyStatus_ACTIVE, w.timed.checkpoints()
	w.former, w.gone = map[gearcore.TaskID]bool{}, map[gearcore.TaskID]goneTask{}
	return w.connect(placed)
}

// nodeKeys are figures of this node's supervisor, about which a topology's conf has no say.
var nodeKeys = []string{compat.JavaDirKey, compat.JavaLibKey, compat.JavaFilterKey, "supervisor.thrift.max_buffer_size", "supervisor.worker.shutdown.sleep.secs"}

// layered is the conf of a worker: the topology's over the node's, but for nodeKeys.
func layered(node, topology conf.Conf) conf.Conf {
	c := conf.Merge(node, topology)
	for _, k := range nodeKeys {
		if node.Has(k) {
			c[k] = node[k]
		}
	}
	return c
}

// nodeConf reads the node's configuration; none is fine.
func nodeConf(data []byte) (conf.Conf, error) {
	if len(data) == 0 {
		return conf.Conf{}, nil
	}
	c, err := conf.ParseJSON(data)
	if err != nil {
		return nil, fmt.Errorf("read node configuration: %w", err)
	}
	return c, nil
}

// frameSlack is what a frame with one tuple is larger than its strings and bytes, lists aside.
const frameSlack = 1 << 20

func (w *worker) connect(placed placement) error {
	host := w.cfg.Host
	if host == "" {
		host = w.spec.Hostname
	}
	tc := transport.Config{
		Secret: w.plan.Secret, TopologyID: w.spec.Topology, WorkerID: w.spec.Worker,
		Slot: w.self.String(), Assignment: w.linkAssignment(w.plan, placed), Listen: net.JoinHostPort(host, strconv.Itoa(w.spec.Port)),
		Layout: w.host.plan().Layout, Graph: w.plan.DagVersion, GraphFrom: w.plan.GetInPlaceFrom(), Deliver: w.host.engine.Deliver, Lost: w.lost, Log: w.log,
		Keeps: func(task gearcore.TaskID) transport.Keeps { return (*w.host.keeps.Load())[task] },
		Runs:  w.host.engine.Runs, TakeBack: w.host.engine.TakeBack,
		TCPOnly: w.host.set.tcpOnly, NoRing: w.host.set.noRing,
		Tracker: w.host.engine, MessageTimeout: w.host.set.messageTimeout,
	}
	if w.timed != nil {
		tc.Note = w.timed.note
	}
	tc.MaxFrameBytes = w.host.set.MaxTupleBytes + frameSlack
	if w.cfg.Transport != nil {
		w.cfg.Transport(&tc)
	}
	var err error
	if w.links, err = transport.New(tc); err != nil {
		return err
	}
	w.links.SetPeers(placed.peers(w.self, w.sentTo()))
	w.placeClock(w.plan, placed)
	return nil
}

// run starts the parts, waits for a reason to end, and ends them: engine first, so that what it still says gets out.
func (w *worker) run(ctx context.Context) error {
	background := context.Background()
	engineCtx, stopEngine := context.WithCancel(background)
	defer stopEngine()
	linksCtx, stopLinks := context.WithCancel(background)
	defer stopLinks()
	syncCtx, stopSync := context.WithCancel(background)
	defer stopSync()
	javaCtx, stopJava := context.WithCancel(background)
	defer stopJava()
	engineEnd, linksEnd, syncEnd := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	w.log.Info("worker is running", slog.Int("executors", len(w.host.local)), slog.String("addr", w.links.Addr().String()))
	var wg sync.WaitGroup
	w.startJava = func(j *javaSide) { // of sync, which wg waits for
		w.javas.add(j)
		wg.Go(func() { w.runJava(javaCtx, j) })
	}
	wg.Go(func() { linksEnd <- w.links.Run(linksCtx) })
	wg.Go(func() { w.gate.await(syncCtx, w.links.Ready) })
	wg.Go(func() { syncEnd <- w.sync(syncCtx) })
	wg.Go(func() { w.serveMetrics(syncCtx) })
	wg.Go(func() { w.profiler.run(syncCtx) })
	wg.Go(func() { w.timed.run(javaCtx) })
	if java := w.host.tasks.Load().java; java != nil {
		w.startJava(java)
	}
	go func() { engineEnd <- w.host.engine.Run(engineCtx) }()

	var err error
	stopped := false
	select {
	case <-ctx.Done():
		w.log.Info("worker is told to end")
		stopSync()
		why := <-syncEnd
		if why == nil { // the plan that is the reason may be on its way
			why = w.askWhy()
		}
		w.finish(why)
		w.tellKilled()
	case err = <-syncEnd:
		w.log.Info("worker leaves", slog.Any("err", err))
		w.finish(err)
		w.tellKilled()
		err = nil
	case err = <-linksEnd:
		err = fmt.Errorf("worker links ended: %w", err)
	case err = <-engineEnd:
		stopped = true
		if err == nil {
			err = errors.New("engine ended by itself")
		}
		hooks{w.host.table}.Errored(gearcore.SystemTask, err) // so that it is seen without reading logs
	}
	w.gate.close()
	w.javas.stop() // or the engine would wait for them
	stopEngine()
	if !stopped {
		select {
		case e := <-engineEnd:
			err = errors.Join(err, e)
		case <-time.After(w.host.set.shutdown):
			err = errors.Join(err, fmt.Errorf("close tasks: not done within %v", w.host.set.shutdown))
		}
	}
	stopSync()
	stopJava()
	stopLinks()
	wg.Wait()
	w.looks.wg.Wait()
	w.farewell()
	return err
}

// tellKilled has the checkpoints of a topology removed that was killed and that nobody knows any more. sync has ended.
func (w *worker) tellKilled() {
	if w.unknown && w.plan.Status == stormrpc.TopologyStatus_KILLED {
		w.timed.killed()
	}
}

const (
	lastPlan  = 500 * time.Millisecond // how long a worker that is told to end waits to hear why
	finishFor = time.Second            // how long a worker that has no part in the plan any more goes on with what it has begun
)

// finish lets a worker whose tasks are elsewhere by now (why is errNothingHere) execute what it has got, and its peers hear
// of it. They end their links to it when they are through, so this takes as long as they take to hear of the plan.
func (w *worker) finish(why error) {
	if !errors.Is(why, errNothingHere) {
		return
	}
	w.gate.close()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(min(finishFor, w.host.set.shutdown)); time.Now().Before(end) && !(w.host.engine.Quiet() && w.links.Quiet()); {
		<-tick.C
	}
}

// serveMetrics serves Prometheus if the conf says so. A port that is taken costs the metrics, not the worker.
func (w *worker) serveMetrics(ctx context.Context) {
	addr := w.host.set.metricsAddr(w.spec.Port)
	if addr == "" {
		return
	}
	ln, err := net.Listen("tcp", addr)
	if err == nil {
		w.log.Info("metrics are served", slog.String("addr", ln.Addr().String()))
		err = w.host.serveMetrics(ctx, ln)
	}
	if err != nil {
		w.log.Error("metrics are not served", slog.String("addr", addr), slog.Any("err", err))
	}
}

// runJava keeps the Java process running. If there cannot be one, that is an error of the worker, seen in the errors of the
// topology; what is not written in Java goes on.
func (w *worker) runJava(ctx context.Context, java *javaSide) {
	defer w.javas.remove(java)
	if err := java.run(ctx); err != nil {
		w.log.Error("no Java process", slog.Any("err", err))
		hooks{w.host.table}.Errored(gearcore.SystemTask, err)
	}
}

// lost is told by the transport which tuples will not arrive. Their trees fail by themselves. Rows that cannot be sent are
// an error of their component.
func (w *worker) lost(b *gearcore.Batch, err error) {
	w.timed.lost(b, err)
	if !errors.Is(err, transport.ErrPeerGone) && len(b.Rows) > 0 {
		hooks{w.host.table}.Errored(b.Rows[0].Source, err)
	}
}

package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Host;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.storm.Config;
import org.apache.storm.generated.Bolt;
import org.apache.storm.generated.ComponentCommon;
import org.apache.storm.generated.SpoutSpec;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.hooks.IWorkerHook;
import org.apache.storm.metric.api.IMetric;
import org.apache.storm.metrics2.StormMetricRegistry;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.task.WorkerTopologyContext;
import org.apache.storm.task.WorkerUserContext;
import org.apache.storm.tuple.Fields;
import org.apache.storm.utils.ObjectReader;
import org.apache.storm.utils.Utils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the tasks of the process share, in the shape that Storm's contexts want it. */
final class Worker {
    private static final Logger LOG = LoggerFactory.getLogger(Worker.class);
    private static final String CHECKPOINTS = "gearstorm.checkpoint.interval.ms";
    private static final int LONG_CALL_SECS = 60;
    private static final int LEAST_WAITING = 512, MOST_WAITING = 8192; // tuples for a task

    final Setup setup;
    final Credentials credentials;
    final WorkerTopologyContext context; // over the system topology
    final Graph graph;
    final List<SpoutWork> spouts = new CopyOnWriteArrayList<>();
    final ScheduledExecutorService ticks = timer("metrics"); // runs code of users
    final ScheduledExecutorService timeouts = timer("timeouts");
    private volatile List<Integer> tasks; // of this worker; see setTasks
    private final Map<String, List<Integer>> tasksOf = new HashMap<>();
    private final Map<String, Map<String, Fields>> fields = new HashMap<>();
    private final Map<String, Object> defaultResources = new HashMap<>();
    private final Map<String, Object> userResources = new ConcurrentHashMap<>();
    final StormMetricRegistry metrics = new StormMetricRegistry();
    private final List<IWorkerHook> hooks = new ArrayList<>();

    Worker(Setup setup, Credentials credentials) {
        this.setup = setup;
        this.credentials = credentials;
        tasks = setup.workerTasks();
        setup.tasks().forEach((id, component) -> tasksOf.computeIfAbsent(component, c -> new ArrayList<>()).add(id));
        tasksOf.values().forEach(Collections::sort);
        setup.system().get_spouts().forEach((name, s) -> declare(name, s.get_common()));
        setup.system().get_bolts().forEach((name, b) -> declare(name, b.get_common()));
        int threads = ObjectReader.getInt(setup.conf().get(Config.TOPOLOGY_WORKER_SHARED_THREAD_POOL_SIZE), 4);
        defaultResources.put(WorkerTopologyContext.SHARED_EXECUTOR, Executors.newFixedThreadPool(threads));
        context = userContext(setup.system());
        graph = new Graph(setup, context);
    }

    private static ScheduledExecutorService timer(String name) {
        return Executors.newSingleThreadScheduledExecutor(r -> {
            Thread t = new Thread(r, name);
            t.setDaemon(true);
            return t;
        });
    }

    /** Says how tasks of the process pass tuples to each other. */
    void shareTasks() {
        int buffer = ObjectReader.getInt(setup.conf().get(Config.TOPOLOGY_EXECUTOR_RECEIVE_BUFFER_SIZE), MOST_WAITING);
        Host.locals().configure(Math.max(LEAST_WAITING, Math.min(buffer, MOST_WAITING)), BoltWork::drop);
    }

    /** Says which tasks the worker has from now on, in whatever language. */
    void setTasks(List<Integer> ids) {
        tasks = ids;
    }

    /** The tasks of the worker: another list after every change. */
    List<Integer> tasks() {
        return tasks;
    }

    /** Lets spouts hear of trees that have ended. */
    void wakeSpouts() {
        for (SpoutWork s : spouts) {
            s.wake();
        }
    }

    private void declare(String component, ComponentCommon common) {
        tasksOf.putIfAbsent(component, new ArrayList<>());
        Map<String, Fields> streams = new HashMap<>();
        common.get_streams().forEach((stream, info) -> streams.put(stream, new Fields(info.get_output_fields())));
        fields.put(component, streams);
    }

    private WorkerUserContext userContext(StormTopology topology) {
        return new WorkerUserContext(topology, setup.conf(), setup.tasks(), tasksOf, fields, setup.topologyId(), setup.codeDir(),
            setup.pidDir(), setup.port(), setup.workerTasks(), defaultResources, userResources,
            new AtomicReference<>(new HashMap<>()), setup.assignmentId(), new AtomicReference<>(new HashMap<>())) {
            @Override
            public List<Integer> getThisWorkerTasks() {
                return tasks;
            }
        };
    }

    /** The context that a component gets. */
    TopologyContext taskContext(int task, Map<Integer, Map<Integer, Map<String, IMetric>>> registered, AtomicBoolean prepared) {
        return new TopologyContext(setup.user(), setup.conf(), setup.tasks(), tasksOf, fields, new HashMap<>(), setup.topologyId(),
            setup.codeDir(), setup.pidDir(), task, setup.port(), setup.workerTasks(), defaultResources, userResources,
            new ConcurrentHashMap<>(), registered, prepared, metrics) {
            @Override
            public List<Integer> getThisWorkerTasks() {
                return tasks;
            }
        };
    }

    /** The topology's conf with the component's own keys. */
    Map<String, Object> conf(String component) {
        Map<String, Object> c = new HashMap<>(setup.conf());
        c.putAll(setup.componentConf().getOrDefault(component, Map.of()));
        return c;
    }

    /** How long a call of a component may take before that is told as an error. */
    long callNanos() {
        int timeout = ObjectReader.getInt(setup.conf().get(Config.TOPOLOGY_MESSAGE_TIMEOUT_SECS), 30);
        return 1_000_000_000L * Math.max(timeout, LONG_CALL_SECS);
    }

    /** Whether the topology has checkpoints of the engine's. */
    boolean checkpoints() {
        return ObjectReader.getInt(setup.conf().get(CHECKPOINTS), 0) > 0;
    }

    SpoutSpec spout(String component) {
        return setup.system().get_spouts().get(component);
    }

    Bolt bolt(String component) {
        return setup.system().get_bolts().get(component);
    }

    Fields fields(String component, String stream) {
        return fields.get(component).get(stream);
    }

    /** Starts the reporters of metrics and runs the topology's worker hooks. */
    void begin() {
        try {
            metrics.start(setup.conf(), setup.port());
        } catch (RuntimeException e) { // a reporter that cannot start is no reason not to work
            LOG.error("reporters of metrics ({}) are not started", Config.TOPOLOGY_METRICS_REPORTERS, e);
        }
        if (!setup.user().is_set_worker_hooks()) {
            return;
        }
        for (ByteBuffer data : setup.user().get_worker_hooks()) {
            hooks.add(Utils.javaDeserialize(Utils.toByteArray(data), IWorkerHook.class));
        }
        for (IWorkerHook hook : hooks) {
            hook.start(setup.conf(), userContext(setup.user()));
        }
    }

    void end() {
        metrics.stop();
        for (IWorkerHook hook : hooks) {
            hook.shutdown();
        }
    }
}

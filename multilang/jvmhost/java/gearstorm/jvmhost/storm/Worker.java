package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Host;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.apache.storm.Config;
import org.apache.storm.hooks.IWorkerHook;
import org.apache.storm.metrics2.StormMetricRegistry;
import org.apache.storm.task.WorkerTopologyContext;
import org.apache.storm.utils.ObjectReader;
import org.apache.storm.utils.Utils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the tasks of the process share, of whatever version of the topology they are. */
final class Worker {
    private static final Logger LOG = LoggerFactory.getLogger(Worker.class);
    private static final String CHECKPOINTS = "gearstorm.checkpoint.interval.ms";
    private static final int LONG_CALL_SECS = 60;
    private static final int LEAST_WAITING = 512, MOST_WAITING = 8192; // tuples for a task

    final Setup setup; // of the version that it began with: what it says of the worker holds for all, and so does the topology's conf
    final Credentials credentials;
    final Versions versions = new Versions();
    final List<SpoutWork> spouts = new CopyOnWriteArrayList<>();
    final ScheduledExecutorService ticks = timer("metrics"); // runs code of users
    final ScheduledExecutorService timeouts = timer("timeouts");
    final Map<String, Object> defaultResources = new HashMap<>();
    final Map<String, Object> userResources = new ConcurrentHashMap<>();
    final StormMetricRegistry metrics = new StormMetricRegistry();
    private volatile List<Integer> tasks = List.of(); // of this worker; see setTasks
    private final List<IWorkerHook> hooks = new ArrayList<>();

    Worker(Setup setup, Credentials credentials) {
        this.setup = setup;
        this.credentials = credentials;
        int threads = ObjectReader.getInt(setup.conf().get(Config.TOPOLOGY_WORKER_SHARED_THREAD_POOL_SIZE), 4);
        defaultResources.put(WorkerTopologyContext.SHARED_EXECUTOR, Executors.newFixedThreadPool(threads));
    }

    /** Takes in a version of the topology. */
    void add(Setup version) {
        versions.add(new Version(this, version));
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

    /** How long a call of a component may take before that is told as an error. */
    long callNanos() {
        int timeout = ObjectReader.getInt(setup.conf().get(Config.TOPOLOGY_MESSAGE_TIMEOUT_SECS), 30);
        return 1_000_000_000L * Math.max(timeout, LONG_CALL_SECS);
    }

    /** Whether the topology has checkpoints of the engine's. */
    boolean checkpoints() {
        return ObjectReader.getInt(setup.conf().get(CHECKPOINTS), 0) > 0;
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
            hook.start(setup.conf(), versions.newest().userContext(setup.user()));
        }
    }

    void end() {
        metrics.stop();
        for (IWorkerHook hook : hooks) {
            hook.shutdown();
        }
    }
}

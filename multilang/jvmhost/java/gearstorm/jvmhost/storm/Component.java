package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Counts;
import gearstorm.jvmhost.Host;
import gearstorm.jvmhost.Watch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.storm.Config;
import org.apache.storm.ICredentialsListener;
import org.apache.storm.Thrift;
import org.apache.storm.generated.ComponentObject;
import org.apache.storm.generated.JavaObject;
import org.apache.storm.hooks.ITaskHook;
import org.apache.storm.metric.api.IMetric;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.utils.ObjectReader;
import org.apache.storm.utils.Utils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One task of a component: its object, its context, its groupings, its errors. */
final class Component {
    private static final Logger LOG = LoggerFactory.getLogger(Component.class);
    private static final int ERRORS = 20; // told in so many seconds, the rest is only logged
    private static final long ERROR_NANOS = 10_000_000_000L;

    final Worker worker;
    final Channel channel;
    final Watch watch;
    final int task;
    final String name;
    final Map<String, Object> conf;
    final TopologyContext context; // of the version that the task began with
    volatile Version version; // that it works by
    volatile Routes routes; // changes with the version; while it does, who holds the pen sees neither
    final Object object;
    final BuiltIns builtIns; // null: nobody hears of them
    final Counts counts;
    final Sender sender;
    final AtomicBoolean prepared = new AtomicBoolean();
    final Map<Integer, Map<Integer, Map<String, IMetric>>> registered = new HashMap<>(); // by interval, task, name
    private final Metrics metrics;
    private final Map<String, String> credentials; // at the start

    private Future<?> timeouts; // null: there are none
    private long errorsSince;
    private int errors;

    Component(Worker worker, Channel channel, Watch watch) throws Exception {
        this.watch = watch;
        this.worker = worker;
        this.channel = channel;
        task = channel.task();
        version = worker.versions.get(channel.graph());
        name = version.setup.tasks().get(task);
        if (name == null) {
            throw new IllegalStateException("task " + task + " is not in version " + version.setup.graph() + " of the topology");
        }
        conf = version.conf(name);
        channel.objects(new KryoObjects(conf, () -> version.context));
        context = version.taskContext(task, registered, prepared);
        routes = new Routes(worker, version, name, task, conf, channel.outputs(), null);
        object = load();
        Points.forget(worker.metrics, task); // of one that did not get as far as to be closed
        builtIns = BuiltIns.of(this);
        counts = channel.counts(builtIns);
        sender = new Sender(this, counts);
        addHooks();
        metrics = new Metrics(this);
        credentials = worker.credentials.get();
        if (object instanceof ICredentialsListener listener) {
            listener.setCredentials(credentials);
        }
    }

    /** Is called when the component's own prepare or open has returned. */
    void prepared() {
        prepared.set(true);
        if (object instanceof ICredentialsListener) {
            worker.credentials.listen(this, credentials);
        }
        metrics.begin();
    }

    /** Has r called by another thread once in every message timeout; never if there are none. */
    void everyTimeout(Runnable r) {
        int seconds = ObjectReader.getInt(worker.setup.conf().get(Config.TOPOLOGY_MESSAGE_TIMEOUT_SECS), 30);
        if (tracked() && ObjectReader.getBoolean(worker.setup.conf().get(Config.TOPOLOGY_ENABLE_MESSAGE_TIMEOUTS), true)) {
            timeouts = worker.timeouts.scheduleAtFixedRate(r, seconds, seconds, TimeUnit.SECONDS);
        }
    }

    boolean isSpout() {
        return version.isSpout(name);
    }

    /** Whether trees are tracked; no version changes that. */
    boolean tracked() {
        return version.graph.tracked;
    }

    /** Goes over to another version of the topology. Called by the channel's thread while no code of the component runs. */
    void follow(long graph) throws InterruptedException {
        Version next = worker.versions.get(graph);
        Routes to = new Routes(worker, next, name, task, conf, channel.outputs(), routes);
        channel.edges.pen.lock();
        try {
            sender.count();
            version = next;
            routes = to;
            sender.forget();
        } finally {
            channel.edges.pen.unlock();
        }
    }

    boolean hooked() {
        return !context.getHooks().isEmpty();
    }

    /** Who is told of what is emitted: the context with its hooks, or null without any. */
    TopologyContext told() {
        return hooked() ? context : null;
    }

    /** Hands over and writes what was emitted. */
    void flush() {
        channel.edges.flush();
        try {
            channel.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Object load() {
        ComponentObject o = version.object(name);
        try {
            Object made = Utils.getSetComponentObject(o);
            return made instanceof JavaObject j ? Thrift.instantiateJavaObject(j) : made;
        } catch (RuntimeException | LinkageError e) {
            throw new IllegalStateException("component " + name + " cannot be loaded: " + Why.of(e), e);
        }
    }

    private void addHooks() throws ReflectiveOperationException {
        if (conf.get(Config.TOPOLOGY_AUTO_TASK_HOOKS) instanceof List<?> classes) {
            for (Object c : classes) {
                context.addTaskHook((ITaskHook) Class.forName((String) c).getDeclaredConstructor().newInstance());
            }
        }
    }

    /** Closes what addHooks made. */
    void close() {
        worker.credentials.forget(this);
        metrics.end();
        Points.forget(worker.metrics, task);
        if (timeouts != null) {
            timeouts.cancel(false);
        }
        for (ITaskHook hook : context.getHooks()) {
            hook.cleanup();
        }
    }

    void reportError(Throwable error) {
        LOG.error("Error", error);
        if (builtIns != null) {
            builtIns.error();
        }
        synchronized (this) {
            long now = System.nanoTime();
            if (errors == 0 || now - errorsSince > ERROR_NANOS) {
                errorsSince = now;
                errors = 0;
            }
            if (++errors > ERRORS) {
                return;
            }
        }
        channel.error(Host.text(error));
    }
}

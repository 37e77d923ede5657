package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Counts;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.storm.Config;
import org.apache.storm.metrics2.RateCounter;
import org.apache.storm.metrics2.RollingAverageGauge;
import org.apache.storm.metrics2.StormMetricRegistry;
import org.apache.storm.utils.ObjectReader;

/**
 * Storm's own metrics of one task under Storm's names, which reporters and metrics consumers hear of. Every tuple is counted,
 * where Storm counts samples. Latencies are milliseconds. Any thread may add.
 */
final class BuiltIns implements Counts.Listener {
    private static final double MILLIS_A_NANO = 1e-6;

    private final Component c;
    private final StormMetricRegistry registry;
    private volatile String[] sources = {}; // by stream: what the names of metrics about it end in; replaced when there are more
    private final RateCounter errors;

    // By what comes before the stream in names, and by stream.
    private final Map<String, Map<String, RateCounter>> counters = new ConcurrentHashMap<>();
    private final Map<String, Map<String, RollingAverageGauge>> latencies = new ConcurrentHashMap<>();

    private BuiltIns(Component c) {
        this.c = c;
        registry = c.worker.metrics;
        errors = registry.rateCounter("__reported-error-count", c.name, c.task);
    }

    private Versions.Stream stream(int number) {
        return c.worker.versions.stream(number);
    }

    private String source(int stream) {
        String[] all = sources;
        return stream < all.length ? all[stream] : nameSources(stream + 1)[stream];
    }

    private synchronized String[] nameSources(int least) {
        String[] all = sources;
        int had = all.length;
        if (had >= least) {
            return all;
        }
        all = Arrays.copyOf(all, least);
        for (int i = had; i < least; i++) {
            Versions.Stream s = stream(i);
            all[i] = c.isSpout() ? s.stream() : s.component() + ":" + s.stream();
        }
        return sources = all;
    }

    /** The metrics of a task; null if nobody hears of them. */
    static BuiltIns of(Component c) {
        boolean consumed = c.routes.has(Metrics.STREAM)
            && ObjectReader.getBoolean(c.conf.get(Config.TOPOLOGY_ENABLE_V2_METRICS_TICK), false);
        boolean reported = c.conf.get(Config.TOPOLOGY_METRICS_REPORTERS) instanceof List<?> reporters && !reporters.isEmpty();
        return consumed || reported ? new BuiltIns(c) : null;
    }

    /** A tuple was emitted to so many tasks. */
    void emitted(String stream, int transferred) {
        emitted(stream, 1, transferred);
    }

    /** A tuple that came, or was emitted, so many nanoseconds ago was acked or failed. */
    void settled(int stream, boolean acked, long nanos) {
        if (acked) {
            acked(stream, 1);
            took(stream, nanos);
        } else {
            failed(stream, 1);
        }
    }

    void error() {
        errors.inc(1);
    }

    @Override
    public void emitted(int stream, int n, int transferred) {
        emitted(stream(stream).stream(), n, transferred);
    }

    private void emitted(String stream, int n, int transferred) {
        count("__emit-count-", stream, stream, n);
        count("__transfer-count-", stream, stream, transferred);
    }

    @Override
    public void executed(int stream, int n, long nanos) {
        count("__execute-count-", stream, n);
        latency("__execute-latency-", stream, nanos / (double) n);
    }

    @Override
    public void acked(int stream, int n) {
        count("__ack-count-", stream, n);
    }

    @Override
    public void failed(int stream, int n) {
        count("__fail-count-", stream, n);
    }

    @Override
    public void took(int stream, long nanos) {
        latency(c.isSpout() ? "__complete-latency-" : "__process-latency-", stream, nanos);
    }

    private void count(String what, int stream, long n) {
        count(what, source(stream), stream(stream).stream(), n);
    }

    private void count(String what, String source, String stream, long n) {
        counters.computeIfAbsent(what, w -> new ConcurrentHashMap<>())
            .computeIfAbsent(source, s -> counter(what + s, stream))
            .inc(n);
    }

    private RateCounter counter(String name, String stream) {
        return registry.rateCounter(name, c.worker.setup.topologyId(), c.name, c.task, c.worker.setup.port(), stream);
    }

    private void latency(String what, int stream, double nanos) {
        latencies.computeIfAbsent(what, w -> new ConcurrentHashMap<>())
            .computeIfAbsent(source(stream), s -> gauge(what + s, stream(stream).stream()))
            .addValue(nanos * MILLIS_A_NANO);
    }

    private RollingAverageGauge gauge(String name, String stream) {
        RollingAverageGauge g = new RollingAverageGauge();
        registry.gauge(name, g, c.worker.setup.topologyId(), c.name, stream, c.task, c.worker.setup.port());
        return g;
    }
}

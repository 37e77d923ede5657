package gearstorm.jvmhost.storm;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.Metered;
import com.codahale.metrics.Metric;
import com.codahale.metrics.Snapshot;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.storm.metric.api.IMetricsConsumer.DataPoint;
import org.apache.storm.metrics2.PerReporterGauge;
import org.apache.storm.metrics2.StormMetricRegistry;

/** The metrics of version 2 that a task has registered, as metrics consumers get them from Storm: same names, same units. */
final class Points {
    private static final double MILLIS_A_NANO = 1e-6;

    private final List<DataPoint> points = new ArrayList<>();

    private Points() {}

    static List<DataPoint> of(StormMetricRegistry registry, int task, Object reporter) {
        Points p = new Points();
        registry.getTaskGauges(task).forEach((name, g) -> p.add(name, value(g, reporter)));
        registry.getTaskCounters(task).forEach((name, c) -> p.add(name, c.getCount()));
        registry.getTaskHistograms(task).forEach((name, h) -> {
            p.snapshot(name, h.getSnapshot());
            p.add(name + ".count", h.getCount());
        });
        registry.getTaskMeters(task).forEach(p::meter);
        registry.getTaskTimers(task).forEach((name, t) -> {
            p.snapshot(name, t.getSnapshot());
            p.meter(name, t);
        });
        return p.points;
    }

    /** Removes the metrics of a task, so that it may register them again when it comes back. */
    static void forget(StormMetricRegistry registry, int task) {
        Set<Metric> all = new HashSet<>(registry.getTaskGauges(task).values());
        all.addAll(registry.getTaskCounters(task).values());
        all.addAll(registry.getTaskHistograms(task).values());
        all.addAll(registry.getTaskMeters(task).values());
        all.addAll(registry.getTaskTimers(task).values());
        registry.deregister(all);
    }

    private static Object value(Gauge<?> g, Object reporter) {
        return g instanceof PerReporterGauge<?> own ? own.getValueForReporter(reporter) : g.getValue();
    }

    private void add(String name, Object value) {
        if (value != null) {
            points.add(new DataPoint(name, value));
        }
    }

    private void meter(String name, Metered m) {
        add(name + ".count", m.getCount());
        add(name + ".m1_rate", m.getOneMinuteRate());
        add(name + ".m5_rate", m.getFiveMinuteRate());
        add(name + ".m15_rate", m.getFifteenMinuteRate());
        add(name + ".mean_rate", m.getMeanRate());
    }

    private void snapshot(String name, Snapshot s) {
        add(name + ".max", s.getMax() * MILLIS_A_NANO);
        add(name + ".mean", s.getMean() * MILLIS_A_NANO);
        add(name + ".min", s.getMin() * MILLIS_A_NANO);
        add(name + ".stddev", s.getStdDev() * MILLIS_A_NANO);
        add(name + ".p50", s.getMedian() * MILLIS_A_NANO);
        add(name + ".p75", s.get75thPercentile() * MILLIS_A_NANO);
        add(name + ".p95", s.get95thPercentile() * MILLIS_A_NANO);
        add(name + ".p98", s.get98thPercentile() * MILLIS_A_NANO);
        add(name + ".p99", s.get99thPercentile() * MILLIS_A_NANO);
        add(name + ".p999", s.get999thPercentile() * MILLIS_A_NANO);
    }
}

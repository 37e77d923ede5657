package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.storm.Config;
import org.apache.storm.metric.api.IMetric;
import org.apache.storm.metric.api.IMetricsConsumer.DataPoint;
import org.apache.storm.metric.api.IMetricsConsumer.TaskInfo;
import org.apache.storm.tuple.Values;
import org.apache.storm.utils.ObjectReader;

/**
 * Asks the metrics that a task has registered for their values, as often as each wants, and emits them on the stream that
 * metrics consumers listen to. Components that nobody listens to do not have the stream.
 */
final class Metrics {
    static final String STREAM = "__metrics";
    private static final int USUAL_SECONDS = 60;

    private final Component c;
    private final Channel channel;
    private final List<Future<?>> timers = new ArrayList<>();

    Metrics(Component c) {
        this.c = c;
        this.channel = c.channel;
    }

    /** Begins, once the component has registered its metrics. */
    void begin() {
        if (!c.routes.has(STREAM)) {
            return;
        }
        c.registered.forEach((seconds, byTask) -> {
            Map<String, IMetric> metrics = byTask.get(c.task);
            if (metrics != null) {
                every(seconds, () -> values(metrics));
            }
        });
        if (ObjectReader.getBoolean(c.conf.get(Config.TOPOLOGY_ENABLE_V2_METRICS_TICK), false)) {
            every(ObjectReader.getInt(c.conf.get(Config.TOPOLOGY_V2_METRICS_TICK_INTERVAL_SECONDS), USUAL_SECONDS),
                () -> Points.of(c.worker.metrics, c.task, this));
        }
    }

    private void every(int seconds, Supplier<List<DataPoint>> points) {
        Runnable tick = () -> channel.aside(() -> tick(seconds, points));
        timers.add(c.worker.ticks.scheduleAtFixedRate(tick, seconds, seconds, TimeUnit.SECONDS));
    }

    private static List<DataPoint> values(Map<String, IMetric> metrics) {
        List<DataPoint> points = new ArrayList<>();
        metrics.forEach((name, metric) -> {
            Object value = metric.getValueAndReset();
            if (value != null) {
                points.add(new DataPoint(name, value));
            }
        });
        return points;
    }

    void end() {
        timers.forEach(t -> t.cancel(false));
    }

    /** Runs while no other code of the component does. */
    private void tick(int seconds, Supplier<List<DataPoint>> asked) {
        try {
            List<DataPoint> points = asked.get();
            if (points.isEmpty()) {
                return;
            }
            TaskInfo from = new TaskInfo(c.worker.setup.host(), c.worker.setup.port(), c.name, c.task, System.currentTimeMillis() / 1000, seconds);
            List<Object> values = new Values(from, points);
            Routes routes = c.routes;
            Routes.Stream s = routes.stream(STREAM);
            int[] to = routes.ids(routes.choose(s, values, null));
            channel.emit(s.output, to, values);
            if (c.builtIns != null) {
                c.builtIns.emitted(STREAM, to.length);
            }
        } catch (Exception e) {
            c.reportError(e);
        }
    }
}

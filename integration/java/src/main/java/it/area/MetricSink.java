package it.area;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import org.apache.storm.metric.api.IMetricsConsumer;
import org.apache.storm.task.IErrorReporter;
import org.apache.storm.task.TopologyContext;

/** Adds up the metrics that {@link MetricSums} registers, as far as they are numbers. Storm wants it to be no nested class. */
public class MetricSink implements IMetricsConsumer {
    private final Map<String, Long> sums = new HashMap<>();
    private final TreeSet<String> seen = new TreeSet<>();
    private Map<String, Object> conf;

    @Override
    public void prepare(Map<String, Object> conf, Object argument, TopologyContext context, IErrorReporter errors) {
        this.conf = conf;
        Results.add(conf, "argument", argument, "of", context.getThisComponentId());
    }

    @Override
    public void handleDataPoints(TaskInfo from, Collection<DataPoint> points) {
        for (DataPoint p : points) {
            if (!p.name.startsWith(MetricSums.OURS)) {
                continue;
            }
            String name = from.srcComponentId + " " + p.name + " every " + from.updateIntervalSecs + " s";
            if (p.value instanceof Long n) {
                add(name, n);
            } else if (p.value instanceof Map<?, ?> scopes) {
                scopes.forEach((scope, n) -> add(name + " of " + scope, (Long) n));
            } else if (p.value != null && seen.add(name)) {
                Results.add(conf, name, "is", p.value);
            }
        }
    }

    private void add(String name, long n) {
        if (n != 0) {
            Results.set(conf, name, sums.merge(name, n, Long::sum));
        }
    }

    @Override
    public void cleanup() {
        Results.add(conf, Areas.END, "the consumer is cleaned up");
    }
}

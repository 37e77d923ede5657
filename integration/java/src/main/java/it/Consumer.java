package it;

import java.util.Collection;
import java.util.Map;
import org.apache.storm.metric.api.IMetricsConsumer;
import org.apache.storm.task.IErrorReporter;
import org.apache.storm.task.TopologyContext;

/** Keeps the metrics that components have registered. */
public class Consumer implements IMetricsConsumer {
    private Map<String, Object> conf;

    @Override
    public void prepare(Map<String, Object> conf, Object argument, TopologyContext context, IErrorReporter errors) {
        this.conf = conf;
    }

    @Override
    public void handleDataPoints(TaskInfo from, Collection<DataPoint> points) {
        for (DataPoint p : points) {
            Lines.append(conf, "metrics", from.srcComponentId + " " + from.updateIntervalSecs + " " + p.name + " " + p.value);
        }
    }

    @Override
    public void cleanup() {
    }
}

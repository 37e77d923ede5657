package it.area;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.metric.LoggingMetricsConsumer;
import org.apache.storm.metric.api.AssignableMetric;
import org.apache.storm.metric.api.CombinedMetric;
import org.apache.storm.metric.api.CountMetric;
import org.apache.storm.metric.api.ICombiner;
import org.apache.storm.metric.api.MultiCountMetric;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Metrics of components and a consumer of them: how they are cut into intervals is left to chance, their sums are not. */
class MetricSums implements Area {
    private static final int NUMBERS = 150;
    private static final int PAUSE_MILLIS = 15;
    static final String OURS = "ours.";

    /** Adds up strings' lengths. */
    static class Lengths implements ICombiner<Long> {
        @Override
        public Long identity() {
            return 0L;
        }

        @Override
        public Long combine(Long a, Long b) {
            return a + b;
        }
    }

    /** A bolt that is measured in each way. */
    static class Measured extends BaseRichBolt {
        private transient CountMetric count;
        private transient MultiCountMetric byKey;
        private transient CombinedMetric lengths;
        private transient AssignableMetric last;
        private OutputCollector collector;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.collector = collector;
            count = context.registerMetric(OURS + "count", new CountMetric(), 1);
            byKey = context.registerMetric(OURS + "by-key", new MultiCountMetric(), 1);
            lengths = context.registerMetric(OURS + "lengths", new Lengths(), 2);
            last = context.registerMetric(OURS + "constant", new AssignableMetric(null), 1);
        }

        @Override
        public void execute(Tuple t) {
            count.incr();
            byKey.scope(t.getString(0)).incrBy(2);
            lengths.update((long) t.getString(0).length());
            last.setValue("text");
            collector.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    @Override
    public StormTopology build(Config conf) {
        conf.registerMetricsConsumer(MetricSink.class, Map.of("a", 1, "b", List.of("x", "y")), 1);
        conf.registerMetricsConsumer(LoggingMetricsConsumer.class, 1);
        List<Values> rows = new ArrayList<>();
        for (int n = 0; n < NUMBERS; n++) {
            rows.add(new Values("k" + n * n % 17));
        }
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("keys", new Feed(new Fields("key"), rows, PAUSE_MILLIS));
        b.setBolt("measured", new Measured(), 2).fieldsGrouping("keys", new Fields("key"));
        return b.createTopology();
    }
}

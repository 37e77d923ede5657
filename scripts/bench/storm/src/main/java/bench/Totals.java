package bench;

import java.util.Map;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Tuple;

/** Adds up counts, so that its figures are of events that were counted. The twin of totals in scripts/bench. */
final class Totals extends BaseRichBolt {
    private final Shape shape;
    private transient OutputCollector collector;
    private transient Probe.Tally tally;
    private long events;

    Totals(Shape shape) {
        this.shape = shape;
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
    }

    @Override
    public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
        this.collector = collector;
        tally = Probe.join(shape.listener, context.getThisComponentId());
    }

    @Override
    public void execute(Tuple t) {
        events += t.getLong(1);
        tally.arrived(events, 0);
        collector.ack(t);
    }
}

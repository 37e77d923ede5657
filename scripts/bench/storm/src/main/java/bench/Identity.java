package bench;

import java.util.Map;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Emits what it gets. The twin of identity in scripts/bench. */
final class Identity extends BaseRichBolt {
    private final String listener;
    private transient OutputCollector collector;

    Identity(String listener) {
        this.listener = listener;
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(new Fields("text"));
    }

    @Override
    public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
        this.collector = collector;
        Probe.join(listener, context.getThisComponentId());
    }

    @Override
    public void execute(Tuple t) {
        collector.emit(t, new Values(t.getValue(0)));
        collector.ack(t);
    }
}

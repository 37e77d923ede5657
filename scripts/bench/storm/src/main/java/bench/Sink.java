package bench;

import java.util.Map;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Tuple;

/** Counts what it gets and, if the shape says read, adds up every byte of it. The twin of sink in scripts/bench. */
final class Sink extends BaseRichBolt {
    private final Shape shape;
    private transient OutputCollector collector;
    private transient Probe.Tally tally;
    private long n;
    private long sum;

    Sink(Shape shape) {
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
        if (shape.read) {
            String s = t.getString(0);
            long total = sum;
            for (int i = 0; i < s.length(); i++) {
                total += s.charAt(i);
            }
            sum = total;
        }
        n++;
        if ((n & (Probe.PUBLISH_EVERY - 1)) == 1) {
            tally.arrived(n, sum);
        }
        collector.ack(t);
    }
}

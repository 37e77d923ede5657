package bench;

import java.util.Map;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;

/** Emits keys with event times that are out of order by less than a second, at full speed. The twin of events in scripts/bench. */
final class Events extends BaseRichSpout {
    /** Event time begins here; TICKS events happen in each of its milliseconds. */
    static final long BEGIN = 1_700_000_000_000L;
    static final int KEYS = 1000;
    static final int TICKS = 10;
    static final int JITTER = 1000;

    private final Shape shape;
    private transient SpoutOutputCollector collector;
    private transient Probe.Tally tally;
    private transient String[] keys;
    private long n;

    Events(Shape shape) {
        this.shape = shape;
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(new Fields("key", "time"));
    }

    @Override
    public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
        this.collector = collector;
        tally = Probe.join(shape.listener, context.getThisComponentId());
        keys = new String[KEYS];
        for (int i = 0; i < KEYS; i++) {
            keys[i] = String.format("key%04d", i);
        }
    }

    @Override
    public void nextTuple() {
        long i = n++;
        collector.emit(new Values(keys[(int) (i * 7919 % KEYS)], BEGIN + i / TICKS - i * 31 % JITTER));
        if ((n & (Probe.PUBLISH_EVERY - 1)) == 0) {
            tally.emitted = n;
        }
    }

    @Override
    public void deactivate() {
        tally.emitted = n;
    }
}

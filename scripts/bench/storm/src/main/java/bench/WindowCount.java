package bench;

import java.util.HashMap;
import java.util.Map;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseWindowedBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;
import org.apache.storm.windowing.TupleWindow;

/** Counts the events of a window by key. */
final class WindowCount extends BaseWindowedBolt {
    /** Of event time; events come later than they happened by at most LAG. */
    static final Duration LENGTH = Duration.seconds(10);
    static final Duration LAG = Duration.seconds(1);

    private transient OutputCollector collector;

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(new Fields("key", "count", "end"));
    }

    @Override
    public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
        this.collector = collector;
    }

    @Override
    public void execute(TupleWindow window) {
        Map<String, Long> counts = new HashMap<>();
        for (Tuple t : window.get()) {
            counts.merge(t.getString(0), 1L, Long::sum);
        }
        Long end = window.getEndTimestamp();
        counts.forEach((key, count) -> collector.emit(new Values(key, count, end)));
    }
}

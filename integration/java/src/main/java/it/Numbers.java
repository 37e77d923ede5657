package it;

import java.util.ArrayDeque;
import java.util.Map;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;

/** Emits 0 to limit-1, each with the key k0 to k4 and an object of a class of its own, and again what failed. */
public class Numbers extends BaseRichSpout {
    private final int limit;
    private final boolean tracked;
    private Map<String, Object> conf;
    private SpoutOutputCollector collector;
    private int next;
    private final ArrayDeque<Integer> again = new ArrayDeque<>();

    public Numbers(int limit) {
        this(limit, true);
    }

    public Numbers(int limit, boolean tracked) {
        this.limit = limit;
        this.tracked = tracked;
    }

    @Override
    public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
        this.conf = conf;
        this.collector = collector;
    }

    @Override
    public void nextTuple() {
        Integer n = again.poll();
        if (n == null && next < limit) {
            n = next++;
        }
        if (n != null) {
            collector.emit(new Values(n, "k" + n % 5, new Point(n, -n)), tracked ? "id" + n : null);
        }
    }

    @Override
    public void ack(Object id) {
        Lines.append(conf, "acked", id.toString());
    }

    @Override
    public void fail(Object id) {
        Lines.append(conf, "failed", id.toString());
        again.add(Integer.valueOf(id.toString().substring(2)));
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(new Fields("n", "key", "point"));
    }
}

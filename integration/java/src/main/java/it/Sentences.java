package it;

import java.util.ArrayDeque;
import java.util.Map;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;

/** Emits numbered sentences of six words with message ids, and again what failed. What was acked in this life is kept in a file. */
public class Sentences extends BaseRichSpout {
    static final String WORDS = "the cow jumped over the moon";

    private final int limit;
    private Map<String, Object> conf;
    private SpoutOutputCollector collector;
    private int next;
    private final ArrayDeque<Integer> again = new ArrayDeque<>();

    public Sentences(int limit) {
        this.limit = limit;
    }

    @Override
    public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
        this.conf = conf;
        this.collector = collector;
        Lines.append(conf, "life", "opened");
    }

    @Override
    public void nextTuple() {
        Integer n = again.poll();
        if (n == null && next < limit) {
            n = next++;
        }
        if (n != null) {
            collector.emit(new Values(n, WORDS), n);
        }
    }

    @Override
    public void activate() {
        Lines.append(conf, "life", "activated");
    }

    @Override
    public void deactivate() {
        Lines.append(conf, "life", "deactivated");
    }

    @Override
    public void ack(Object id) {
        Lines.append(conf, "acked", id.toString());
    }

    @Override
    public void fail(Object id) {
        Lines.append(conf, "failed", id.toString());
        again.add((Integer) id);
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(new Fields("n", "sentence"));
    }
}

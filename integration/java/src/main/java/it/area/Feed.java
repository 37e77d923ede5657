package it.area;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;
import org.apache.storm.utils.Utils;

/** Emits rows in order, once each, with the number of the row as message id. How many were acked and failed is a result. */
class Feed extends BaseRichSpout {
    private final Fields fields;
    private final List<Values> rows;
    private final int pauseMillis;
    private Map<String, Object> conf;
    private SpoutOutputCollector collector;
    private String name;
    private int next;
    private int acked;

    Feed(Fields fields, List<Values> rows) {
        this(fields, rows, 0);
    }

    /** With pauses between the rows. */
    Feed(Fields fields, List<Values> rows, int pauseMillis) {
        this.fields = fields;
        this.rows = new ArrayList<>(rows);
        this.pauseMillis = pauseMillis;
    }

    @Override
    public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
        this.conf = conf;
        this.collector = collector;
        name = context.getThisComponentId();
    }

    @Override
    public void nextTuple() {
        if (next == rows.size()) {
            return;
        }
        collector.emit(rows.get(next), next);
        next++;
        if (pauseMillis > 0) {
            Utils.sleep(pauseMillis);
        }
    }

    @Override
    public void ack(Object id) {
        Results.set(conf, name + " acked", ++acked);
    }

    @Override
    public void fail(Object id) {
        Results.add(conf, name, "failed", id);
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(fields);
    }
}

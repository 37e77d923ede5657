package it.area;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.state.KeyValueState;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseStatefulBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Counts in states with checkpoints: two bolts with state, and one without between them, which checkpoints pass through. */
class Counts implements Area {
    private static final int NUMBERS = 200;

    /** Counts keys and adds up numbers in a state, and emits both. */
    static class Sums extends BaseStatefulBolt<KeyValueState<String, Long>> {
        private Map<String, Object> conf;
        private OutputCollector collector;
        private KeyValueState<String, Long> state;
        private String name;
        private long firstTx = -1;
        private boolean prepared;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.collector = collector;
            name = context.getThisComponentId() + " " + context.getThisTaskIndex();
        }

        @Override
        public void initState(KeyValueState<String, Long> state) {
            this.state = state;
            int entries = 0;
            for (Map.Entry<String, Long> e : state) {
                entries++;
            }
            Results.add(conf, name, "begins with", entries, "entries");
        }

        @Override
        public void execute(Tuple t) {
            String key = t.getStringByField("key");
            long sum = state.get(key, 0L) + t.getLongByField("n");
            state.put(key, sum);
            if (state.get("gone") == null) {
                state.put("gone", 0L);
            } else {
                state.delete("gone");
            }
            collector.emit(t, new Values(key, sum));
            collector.ack(t);
        }

        @Override
        public void prePrepare(long txid) {
            prepared = true;
        }

        @Override
        public void preCommit(long txid) {
            if (firstTx < 0) {
                firstTx = txid;
                Results.add(conf, name, "prepared before it committed", prepared);
            } else if (firstTx != Long.MAX_VALUE) {
                Results.add(conf, name, "next transaction is later", txid > firstTx);
                firstTx = Long.MAX_VALUE;
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("key", "n"));
        }
    }

    /** Halves a sum. */
    static class Half extends BaseBasicBolt {
        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            collector.emit(new Values(t.getString(0), t.getLong(1) / 2));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("key", "n"));
        }
    }

    static List<Values> rows() {
        List<Values> rows = new ArrayList<>();
        for (int n = 0; n < NUMBERS; n++) {
            rows.add(new Values("k" + n % 6, (long) n));
        }
        return rows;
    }

    @Override
    public StormTopology build(Config conf) {
        conf.put(Config.TOPOLOGY_STATE_CHECKPOINT_INTERVAL, 300);
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Feed(new Fields("key", "n"), rows()));
        b.setBolt("sums", new Sums(), 2).fieldsGrouping("numbers", new Fields("key"));
        b.setBolt("half", new Half()).fieldsGrouping("sums", new Fields("key"));
        b.setBolt("sums of halves", new Sums(), 2).fieldsGrouping("half", new Fields("key"));
        b.setBolt("sink", new Sink()).globalGrouping("sums of halves");
        return b.createTopology();
    }
}

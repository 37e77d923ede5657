package it;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;
import org.apache.storm.utils.TupleUtils;

/**
 * Tuples that bolts of two workers hold for many message timeouts of 3 s, and reset each second meanwhile. Arguments: name, folder for
 * results, seconds.
 */
public final class Resets {
    private Resets() {}

    /** Passes tuples on. */
    public static class Relay extends BaseRichBolt {
        private OutputCollector out;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
        }

        @Override
        public void execute(Tuple t) {
            out.emit(t, new Values(t.getInteger(0)));
            out.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n"));
        }
    }

    /** Holds what it gets for so many ticks. */
    public static class Hold extends BaseRichBolt {
        private final int most;
        private final List<Tuple> held = new ArrayList<>();
        private Map<String, Object> conf;
        private OutputCollector out;
        private int ticks;

        public Hold(int most) {
            this.most = most;
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            out = collector;
        }

        @Override
        public void execute(Tuple t) {
            if (!TupleUtils.isTick(t)) {
                held.add(t);
                return;
            }
            if (held.isEmpty()) {
                return;
            }
            if (++ticks < most) {
                held.forEach(out::resetTimeout);
                return;
            }
            held.forEach(out::ack);
            Lines.append(conf, "held", "" + held.size());
            held.clear();
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return Map.of(Config.TOPOLOGY_TICK_TUPLE_FREQ_SECS, 1);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Numbers(3), 1);
        b.setBolt("relay", new Relay(), 4).allGrouping("numbers");
        b.setBolt("hold", new Hold(Integer.parseInt(args[2])), 4).allGrouping("relay").allGrouping("numbers");
        Config conf = new Config();
        conf.setNumWorkers(2);
        conf.setMessageTimeoutSecs(3);
        conf.put("it.dir", args[1]);
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

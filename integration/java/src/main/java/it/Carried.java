package it;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;
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

/**
 * Sentences of a spout in Python that one bolt passes on as values and another one settles: it fails each the first time.
 * Arguments: name, folder for results.
 */
public final class Carried {
    private Carried() {}

    /** Passes its input on as a value and leaves it open. */
    public static class Carry extends BaseRichBolt {
        private OutputCollector out;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
        }

        @Override
        public void execute(Tuple t) {
            out.emit(new Values(t));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("tuple"));
        }
    }

    /** Settles what comes as a value. */
    public static class Settle extends BaseRichBolt {
        private final Set<Object> seen = new HashSet<>();
        private Map<String, Object> conf;
        private OutputCollector out;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            out = collector;
            Lines.append(conf, "life", "prepared");
        }

        @Override
        public void execute(Tuple t) {
            Tuple carried = (Tuple) t.getValue(0);
            if (seen.add(carried.getValue(0))) {
                out.fail(carried);
            } else {
                out.emit(carried, new Values(carried.getValue(0)));
                out.ack(carried);
            }
            out.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n"));
        }
    }

    /** Writes down what comes. */
    public static class Last extends BaseRichBolt {
        private Map<String, Object> conf;
        private OutputCollector out;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            out = collector;
        }

        @Override
        public void execute(Tuple t) {
            Lines.append(conf, "last", t.getValue(0).toString());
            out.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {}
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("sentences", new ShellTopology.Sentences(), 1);
        b.setBolt("carry", new Carry(), 1).shuffleGrouping("sentences");
        b.setBolt("settle", new Settle(), 1).globalGrouping("carry");
        b.setBolt("last", new Last(), 1).globalGrouping("settle");
        Config conf = new Config();
        conf.setNumWorkers(1);
        conf.put("it.dir", args[1]);
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

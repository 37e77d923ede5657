package it;

import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.grouping.PartialKeyGrouping;
import org.apache.storm.spout.ShellSpout;
import org.apache.storm.task.ShellBolt;
import org.apache.storm.topology.IRichBolt;
import org.apache.storm.topology.IRichSpout;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;

/**
 * What a Storm user ships who writes components in Python and Node: subclasses of ShellSpout and ShellBolt, joined by
 * stock groupings. Arguments: name, output file of the last bolt, workers.
 */
public class ShellTopology {

    /** Emits numbered sentences with message ids; unmodified storm.py. */
    public static class Sentences extends ShellSpout implements IRichSpout {
        public Sentences() {
            super("python3", "sentences.py");
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n", "sentence"));
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return null;
        }
    }

    /** Splits sentences; unmodified storm.py. */
    public static class Split extends ShellBolt implements IRichBolt {
        public Split() {
            super("python3", "split.py");
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("word"));
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return null;
        }
    }

    /** Upper-cases words; unmodified storm.js. */
    public static class Upper extends ShellBolt implements IRichBolt {
        public Upper() {
            super("node", "upper.js");
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("word", "upper"));
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return null;
        }
    }

    /** Appends what it gets to the file named by it.out. */
    public static class Write extends ShellBolt implements IRichBolt {
        public Write() {
            super("python3", "write.py");
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return null;
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("sentences", new Sentences(), 1);
        b.setBolt("split", new Split(), 2).shuffleGrouping("sentences");
        b.setBolt("upper", new Upper(), 2).customGrouping("split", new PartialKeyGrouping(new Fields("word")));
        b.setBolt("write", new Write(), 2)
            .fieldsGrouping("upper", new Fields("word"))
            .allGrouping("sentences");
        Config conf = new Config();
        conf.setNumWorkers(Integer.parseInt(args[2]));
        conf.setMaxSpoutPending(50);
        conf.put("it.out", args[1]);
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

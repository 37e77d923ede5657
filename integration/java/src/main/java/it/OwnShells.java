package it;

import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.spout.ShellSpout;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.ShellBolt;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.IRichBolt;
import org.apache.storm.topology.IRichSpout;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;

/** Subclasses of ShellSpout and ShellBolt that do more than those. Arguments: name, folder for results. */
public class OwnShells {

    /** Keeps what was acked. */
    public static class Sentences extends ShellSpout implements IRichSpout {
        private Map<String, Object> conf;

        public Sentences() {
            super("python3", "sentences.py");
        }

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, org.apache.storm.spout.SpoutOutputCollector collector) {
            this.conf = conf;
            super.open(conf, context, collector);
        }

        @Override
        public void ack(Object id) {
            Lines.append(conf, "acked", id.toString());
            super.ack(id);
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

    /** Keeps what it executes; its child ends once. */
    public static class Split extends ShellBolt implements IRichBolt {
        private Map<String, Object> conf;

        public Split() {
            super("python3", "splitonce.py");
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            super.prepare(conf, context, collector);
        }

        @Override
        public void execute(Tuple t) {
            Lines.append(conf, "executed", t.getValue(0).toString());
            super.execute(t);
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

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("sentences", new Sentences(), 1);
        b.setBolt("split", new Split(), 1).shuffleGrouping("sentences");
        b.setBolt("words", new Bolts.Keep(), 1).shuffleGrouping("split");
        Config conf = new Config();
        conf.setNumWorkers(1);
        conf.setMaxSpoutPending(1); // so that no execute finds the child gone before ShellBolt's reader does, which ends the process
        conf.put("it.dir", args[1]);
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

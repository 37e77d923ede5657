package it;

import java.util.HashMap;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.ShellBolt;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.IRichBolt;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/**
 * The topology that everybody writes first, in Java alone but for a bolt in Python that listens to the counts. Arguments:
 * name, folder for results, workers, sentences, tuples in flight.
 */
public class WordCount {

    /** Emits the words of a sentence. */
    public static class Split extends BaseBasicBolt {
        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            int i = 0;
            for (String word : t.getStringByField("sentence").split(" ")) {
                collector.emit(new Values(t.getIntegerByField("n"), i++, word));
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n", "i", "word"));
        }
    }

    /** Counts words, and keeps every single one in a file. */
    public static class Count extends BaseRichBolt {
        private final Map<String, Integer> counts = new HashMap<>();
        private Map<String, Object> conf;
        private int task;
        private OutputCollector collector;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.task = context.getThisTaskId();
            this.collector = collector;
        }

        @Override
        public void execute(Tuple t) {
            String word = t.getString(2);
            int n = counts.merge(word, 1, Integer::sum);
            Lines.append(conf, "counts", t.getInteger(0) + " " + t.getInteger(1) + " " + word + " " + task + " " + n);
            collector.emit(t, new Values(word, n));
            collector.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("word", "count"));
        }
    }

    /** Appends what it gets to the file named by it.out; unmodified storm.py. */
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
        b.setSpout("sentences", new Sentences(Integer.parseInt(args[3])), 1);
        b.setBolt("split", new Split(), 2).shuffleGrouping("sentences");
        b.setBolt("count", new Count(), 2).fieldsGrouping("split", new Fields("word"));
        b.setBolt("listen", new Write(), 1).shuffleGrouping("count");
        Config conf = new Config();
        conf.setNumWorkers(Integer.parseInt(args[2]));
        conf.setMaxSpoutPending(Integer.parseInt(args[4]));
        conf.put("it.dir", args[1]);
        conf.put("it.out", args[1] + "/python");
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

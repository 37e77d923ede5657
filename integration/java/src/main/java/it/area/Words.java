package it.area;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** The word count, on two workers. */
class Words implements Area {
    private static final String[] SENTENCES = {"the cow jumped over the moon", "an apple a day keeps the doctor away",
        "four score and seven years ago", "snow white and the seven dwarfs", "i am at two with nature"};
    private static final int ROUNDS = 20;

    static List<Values> sentences() {
        List<Values> rows = new ArrayList<>();
        for (int i = 0; i < ROUNDS; i++) {
            for (String s : SENTENCES) {
                rows.add(new Values(s));
            }
        }
        return rows;
    }

    /** Emits the words of a sentence. */
    static class Split extends BaseBasicBolt {
        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            for (String word : t.getStringByField("sentence").split(" ")) {
                collector.emit(new Values(word));
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("word"));
        }
    }

    /** Emits each word with how often it was there so far. */
    static class Count extends BaseRichBolt {
        private final Map<String, Integer> counts = new HashMap<>();
        private OutputCollector collector;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.collector = collector;
        }

        @Override
        public void execute(Tuple t) {
            String word = t.getStringByField("word");
            collector.emit(t, new Values(word, counts.merge(word, 1, Integer::sum)));
            collector.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("word", "count"));
        }
    }

    @Override
    public StormTopology build(Config conf) {
        conf.setNumWorkers(2);
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("sentences", new Feed(new Fields("sentence"), sentences()));
        b.setBolt("split", new Split(), 3).shuffleGrouping("sentences");
        b.setBolt("count", new Count(), 4).fieldsGrouping("split", new Fields("word"));
        b.setBolt("sink", new Sink(), 2).localOrShuffleGrouping("count");
        return b.createTopology();
    }
}

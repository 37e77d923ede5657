package it.area;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;
import org.apache.storm.utils.TupleUtils;

/**
 * Rolling counts: at every tick the words of the last three slots, while words come for longer than that. How ticks cut the
 * words into slots is not the same in any two runs, but the sum over all slots is, and that all words roll out.
 */
class Rolling implements Area {
    private static final int WORDS = 250;
    private static final int PAUSE_MILLIS = 20;
    private static final int SLOTS = 3;

    /** Counts words by slots; a tick begins a slot. */
    static class RollingCount extends BaseBasicBolt {
        private final Deque<Map<String, Integer>> slots = new ArrayDeque<>();
        private Map<String, Object> conf;
        private int task;
        private int inWindow = -1;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context) {
            this.conf = conf;
            task = context.getThisTaskIndex();
            slots.addFirst(new HashMap<>());
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return Map.of(Config.TOPOLOGY_TICK_TUPLE_FREQ_SECS, 1);
        }

        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            if (!TupleUtils.isTick(t)) {
                slots.getFirst().merge(t.getString(0), 1, Integer::sum);
                return;
            }
            if (inWindow < 0) {
                Results.add(conf, "task", task, "ticks by", t.getSourceComponent(), t.getSourceStreamId(), t.getValues());
            }
            Map<String, Integer> sums = new HashMap<>();
            slots.forEach(s -> s.forEach((word, n) -> sums.merge(word, n, Integer::sum)));
            sums.forEach((word, n) -> collector.emit(new Values(word, n, slots.getFirst().getOrDefault(word, 0))));
            if (sums.size() != inWindow) {
                inWindow = sums.size();
                Results.set(conf, "words in the window of task " + task, inWindow);
            }
            slots.addFirst(new HashMap<>());
            if (slots.size() > SLOTS) {
                slots.removeLast();
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("word", "rolling", "fresh"));
        }
    }

    /** Adds up what was fresh. */
    static class Totals extends BaseBasicBolt {
        private final Map<String, Integer> totals = new HashMap<>();
        private final Map<String, Integer> most = new HashMap<>();
        private Map<String, Object> conf;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context) {
            this.conf = conf;
        }

        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            String word = t.getStringByField("word");
            int rolling = t.getIntegerByField("rolling");
            int total = totals.merge(word, t.getIntegerByField("fresh"), Integer::sum);
            int peak = most.merge(word, rolling, Math::max);
            Results.set(conf, word, "total " + total + ", rolling at most as many " + (peak <= total));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    @Override
    public StormTopology build(Config conf) {
        List<Values> words = new ArrayList<>();
        for (int i = 0; i < WORDS; i++) {
            words.add(new Values("word" + i % (1 + i % 7)));
        }
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("words", new Feed(new Fields("word"), words, PAUSE_MILLIS));
        b.setBolt("rolling", new RollingCount(), 2).fieldsGrouping("words", new Fields("word"));
        b.setBolt("totals", new Totals(), 1).globalGrouping("rolling");
        return b.createTopology();
    }
}

package it.area;

import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.topology.base.BaseWindowedBolt.Duration;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Tuples that come after the watermark has passed them go to a stream of their own, and into no window. */
class Late implements Area {
    private static final int FIRST = 25;
    private static final int SECOND = 50;
    private static final int LATE = 58;
    private static final int ALL = 100;

    /**
     * Emits numbers on time in two parts, then late ones, then some on time. A tuple is acked when it expires, which a watermark
     * brings about; the watermark is in force a moment later. So each part waits for an ack of the one before: one of the second part
     * says that the watermark which expired tuples of the first is in force.
     */
    static class Stragglers extends BaseRichSpout {
        private Map<String, Object> conf;
        private SpoutOutputCollector collector;
        private int next;
        private int most = -1; // of the acked
        private int acked;

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            this.conf = conf;
            this.collector = collector;
        }

        @Override
        public void nextTuple() {
            if (next == ALL || next == FIRST && most < 0 || next == SECOND && most < FIRST) {
                return;
            }
            boolean late = next >= SECOND && next < LATE;
            collector.emit(new Values(next, late ? 900L + next : 1000L + 10 * next), next);
            next++;
        }

        @Override
        public void ack(Object id) {
            most = Math.max(most, (Integer) id);
            Results.set(conf, "acked", ++acked);
        }

        @Override
        public void fail(Object id) {
            Results.add(conf, "failed", id);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n", "ts"));
        }
    }

    /** Adds late tuples to the results: each comes as the only value of another one. */
    static class LateSink extends BaseBasicBolt {
        private Map<String, Object> conf;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context) {
            this.conf = conf;
        }

        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            Tuple late = (Tuple) t.getValueByField("late_tuple");
            Results.add(conf, "late", late.getIntegerByField("n"), late.getLongByField("ts"), late.getSourceComponent(), late.getSourceStreamId());
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    @Override
    public StormTopology build(Config conf) {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Stragglers());
        b.setBolt("window", new Windows.Contents(true).withTumblingWindow(Duration.of(100)).withTimestampField("ts")
            .withWatermarkInterval(Duration.of(100)).withLateTupleStream("late")).globalGrouping("numbers");
        b.setBolt("sink", new Sink()).globalGrouping("window");
        b.setBolt("late", new LateSink()).globalGrouping("window", "late");
        return b.createTopology();
    }
}

package it;

import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** A spout that never stops before a bolt that cannot keep up, without acks. The bolt writes down how many tuples wait. */
public final class Slow {
    private static final AtomicLong WAITING = new AtomicLong();

    private Slow() {}

    /** Emits what it has counted, a thousand in a call. */
    public static class Fast extends BaseRichSpout {
        private SpoutOutputCollector out;
        private long n;

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            out = collector;
        }

        @Override
        public void nextTuple() {
            for (int i = 0; i < 1000; i++) {
                WAITING.incrementAndGet();
                out.emit(new Values(n++));
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n"));
        }
    }

    /** Rests after every tuple, and writes a line for every thousand. */
    public static class Rest extends BaseRichBolt {
        private Map<String, Object> conf;
        private long next;
        private long most;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
        }

        @Override
        public void execute(Tuple t) {
            most = Math.max(most, WAITING.getAndDecrement());
            if (t.getLong(0) != next++) {
                Lines.append(conf, "disorder", t.getLong(0) + " in place of " + (next - 1));
            }
            long until = System.nanoTime() + 100_000;
            while (System.nanoTime() < until) {
                Thread.onSpinWait();
            }
            if (next % 1000 == 0) {
                Lines.append(conf, "waiting", Long.toString(most));
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("fast", new Fast(), 1);
        b.setBolt("rest", new Rest(), 1).shuffleGrouping("fast");
        Config conf = new Config();
        conf.setNumAckers(0);
        conf.put(Config.TOPOLOGY_EXECUTOR_RECEIVE_BUFFER_SIZE, 1024);
        conf.put("it.dir", args[1]);
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

package it;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicBoltExecutor;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Bolts for topologies with checkpoints. They pass on records of a key, a source and a number. */
public final class Exact {
    private static final Fields RECORD = new Fields("key", "source", "number");

    private Exact() {}

    /** Passes records on from a thread of its own, several at a time and in any order, and acks them after that. */
    public static class Later extends BaseRichBolt {
        private final LinkedBlockingQueue<Tuple> queue = new LinkedBlockingQueue<>();
        private OutputCollector out;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
            Thread t = new Thread(this::work, "later");
            t.setDaemon(true);
            t.start();
        }

        @Override
        public void execute(Tuple t) {
            queue.add(t);
        }

        private void work() {
            Random random = new Random();
            List<Tuple> some = new ArrayList<>();
            try {
                for (;;) {
                    some.add(queue.take());
                    Thread.sleep(random.nextInt(5));
                    queue.drainTo(some, 500);
                    Collections.shuffle(some, random);
                    for (Tuple t : some) {
                        out.emit(t, t.getValues());
                    }
                    for (Tuple t : some) {
                        out.ack(t);
                    }
                    some.clear();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(RECORD);
        }
    }

    /** Passes records on at once. */
    public static class Pass extends BasicBoltExecutor {
        public Pass() {
            super(new Basic());
        }
    }

    /** What Pass does. */
    public static class Basic extends BaseBasicBolt {
        @Override
        public void execute(Tuple t, BasicOutputCollector out) {
            out.emit(new Values(t.getString(0), t.getValue(1), t.getValue(2)));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(RECORD);
        }
    }

    /** Passes records on and never acks them. */
    public static class Forgetful extends BaseRichBolt {
        private OutputCollector out;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
        }

        @Override
        public void execute(Tuple t) {
            out.emit(t, t.getValues());
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(RECORD);
        }
    }
}

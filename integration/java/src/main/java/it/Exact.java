package it;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.storm.state.KeyValueState;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicBoltExecutor;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.StatefulBoltExecutor;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.topology.base.BaseStatefulBolt;
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

    /** Counts by key in a state of Storm's, as Storm's builder makes such a bolt. It passes on key, count, source and number. */
    public static class Counter extends StatefulBoltExecutor<KeyValueState<String, Long>> {
        public Counter() {
            super(new Counting());
        }
    }

    /** What Counter does. Counts get into the state when that is about to be kept. */
    public static class Counting extends BaseStatefulBolt<KeyValueState<String, Long>> {
        private final Map<String, Long> fresh = new HashMap<>();
        private KeyValueState<String, Long> state;
        private OutputCollector out;
        private long prepared = -1;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
        }

        @Override
        public void initState(KeyValueState<String, Long> s) {
            state = s;
        }

        @Override
        public void execute(Tuple t) {
            String key = t.getString(0);
            Long before = fresh.get(key);
            long n = (before != null ? before : state.get(key, 0L)) + 1;
            fresh.put(key, n);
            out.emit(t, new Values(key, n, t.getValue(1), t.getValue(2)));
            out.ack(t);
        }

        @Override
        public void prePrepare(long txid) {
            fresh.forEach(state::put);
            fresh.clear();
            prepared = txid;
        }

        @Override
        public void preCommit(long txid) {
            if (txid != prepared) {
                throw new IllegalStateException("commit of " + txid + " after " + prepared + " was prepared");
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("key", "count", "source", "number"));
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

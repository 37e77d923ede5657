package it;

import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
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
import org.apache.storm.utils.TupleUtils;

/**
 * Trees of all shapes between tasks of a worker: they branch, come back in a loop, have two parents, fail and are thrown. What must
 * not be is written down: an ack of a number that the sink has not seen ("early"), and numbers of one task that arrive at another
 * one in another order than they were sent in ("disorder").
 */
public final class Ledger {
    private static final Set<Long> SEEN = ConcurrentHashMap.newKeySet(); // by the sink, in this process
    private static final Set<Long> ONCE = ConcurrentHashMap.newKeySet(); // failed or thrown already

    private Ledger() {}

    /** Emits its numbers, and again what failed. */
    public static class Source extends BaseRichSpout {
        private final int limit;
        private final ArrayDeque<Long> again = new ArrayDeque<>();
        private final BitSet acked = new BitSet();
        private Map<String, Object> conf;
        private SpoutOutputCollector out;
        private long first;
        private int next;
        private int left;
        private int failed;

        public Source(int limit) {
            this.limit = limit;
        }

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            this.conf = conf;
            out = collector;
            first = (long) context.getThisTaskIndex() * limit;
            left = limit;
            Lines.append(conf, "life", "opened " + context.getThisTaskIndex());
        }

        @Override
        public void nextTuple() {
            Long n = again.poll();
            if (n == null && next < limit) {
                n = first + next++;
            }
            if (n != null) {
                out.emit(new Values(n), n);
            }
        }

        @Override
        public void ack(Object id) {
            if (!SEEN.contains(id)) {
                Lines.append(conf, "early", id.toString());
            }
            int at = (int) ((Long) id - first);
            if (acked.get(at)) {
                Lines.append(conf, "twice", id.toString());
            }
            acked.set(at);
            if (--left == 0) {
                Lines.append(conf, "done", first + " failed " + failed);
            }
        }

        @Override
        public void fail(Object id) {
            failed++;
            again.add((Long) id);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n"));
        }
    }

    /** Passes numbers on, some twice, and counts up for those who look at the order. */
    public static class Work extends BaseRichBolt {
        private OutputCollector out;
        private long life;
        private long count;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
            life = System.nanoTime();
        }

        @Override
        public void execute(Tuple t) {
            long n = t.getLong(0);
            out.emit("count", new Values(life, count++));
            if (n % 1009 == 5 && ONCE.add(n)) {
                throw new IllegalStateException("thrown at " + n);
            }
            if (n % 13 == 3 && ONCE.add(n)) {
                out.emit(t, new Values(n));
                out.fail(t);
                return;
            }
            out.emit(t, new Values(n));
            if (n % 7 == 0) {
                out.emit(t, new Values(n));
            }
            out.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n"));
            d.declareStream("count", new Fields("life", "count"));
        }
    }

    /** Holds a tuple until another one comes, and emits one that is anchored to both. */
    public static class Pair extends BaseRichBolt {
        private OutputCollector out;
        private Tuple held;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
        }

        @Override
        public void execute(Tuple t) {
            if (TupleUtils.isTick(t)) {
                if (held != null) {
                    out.emit(held, new Values(held.getLong(0), -1L, 0));
                    out.ack(held);
                    held = null;
                }
                return;
            }
            if (held == null) {
                held = t;
                return;
            }
            out.emit(java.util.List.of(held, t), new Values(held.getLong(0), t.getLong(0), 0));
            out.ack(t);
            out.ack(held);
            held = null;
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            Config conf = new Config();
            conf.put(Config.TOPOLOGY_TICK_TUPLE_FREQ_SECS, 1);
            return conf;
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n", "m", "hops"));
        }
    }

    /** Sends every tuple to itself some times before it passes it on. */
    public static class Loop extends BaseRichBolt {
        private static final int HOPS = 3;
        private OutputCollector out;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
        }

        @Override
        public void execute(Tuple t) {
            int hops = t.getInteger(2);
            if (hops < HOPS) {
                out.emit("again", t, new Values(t.getLong(0), t.getLong(1), hops + 1));
            } else {
                out.emit(t, new Values(t.getLong(0), t.getLong(1)));
            }
            out.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n", "m"));
            d.declareStream("again", new Fields("n", "m", "hops"));
        }
    }

    /** Takes note of numbers, on a thread of its own. */
    public static class Sink extends BaseRichBolt {
        private final java.util.concurrent.BlockingQueue<Tuple> queue = new java.util.concurrent.LinkedBlockingQueue<>();

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            Thread t = new Thread(() -> {
                try {
                    for (;;) {
                        Tuple in = queue.take();
                        SEEN.add(in.getLong(0));
                        SEEN.add(in.getLong(1));
                        collector.ack(in);
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            t.setDaemon(true);
            t.start();
        }

        @Override
        public void execute(Tuple t) {
            queue.add(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    /** Looks at the order of what each task sends. */
    public static class Order extends BaseRichBolt {
        private final Map<String, Long> next = new HashMap<>();
        private Map<String, Object> conf;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
        }

        @Override
        public void execute(Tuple t) {
            String from = t.getSourceTask() + " " + t.getLong(0);
            Long was = next.put(from, t.getLong(1) + 1);
            if (t.getLong(1) != (was == null ? 0 : was)) {
                Lines.append(conf, "disorder", from + ": " + t.getLong(1) + " after " + was);
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("source", new Source(Integer.parseInt(args[2])), 2);
        b.setBolt("work", new Work(), 3).shuffleGrouping("source");
        b.setBolt("pair", new Pair(), 2).fieldsGrouping("work", new Fields("n"));
        b.setBolt("loop", new Loop(), 2).shuffleGrouping("pair").shuffleGrouping("loop", "again");
        b.setBolt("sink", new Sink(), 2).shuffleGrouping("loop");
        b.setBolt("order", new Order(), 2).allGrouping("work", "count");
        Config conf = new Config();
        conf.setNumWorkers(Integer.parseInt(args[3]));
        conf.setMaxSpoutPending(300);
        conf.setMessageTimeoutSecs(10);
        conf.put("it.dir", args[1]);
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

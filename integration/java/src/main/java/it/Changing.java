package it;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Components of topologies that change while they run. What they are made of are texts, so that a Go program can make them too. */
public final class Changing {
    private static final String RELEASE = "first"; // another one in the next jar

    private Changing() {}

    /**
     * Emits numbers, two hundred a second, until a file "stop" is there, and again what failed. Numbers are of a task. It keeps which were
     * acked, how many there were when it stopped or was closed, and how many of them it had not heard of then.
     */
    public static class Source extends BaseRichSpout {
        private final ArrayDeque<Integer> again = new ArrayDeque<>();
        private final Set<Integer> pending = new HashSet<>();
        private final String life;
        private Map<String, Object> conf;
        private SpoutOutputCollector out;
        private String task;
        private int next;
        private long begun;
        private boolean stopped;

        public Source() {
            this("");
        }

        public Source(String life) {
            this.life = life;
        }

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            this.conf = conf;
            out = collector;
            task = life + context.getThisTaskId();
            begun = System.nanoTime();
            Lines.append(conf, "opened", task + " of " + context.getComponentTasks(context.getThisComponentId()));
        }

        @Override
        public void nextTuple() {
            Integer n = again.poll();
            if (n == null && !stopped && next < (System.nanoTime() - begun) / 5_000_000) {
                n = next++;
                if (n % 100 == 0 && Files.exists(Path.of((String) conf.get("it.dir"), "stop"))) {
                    stopped = true;
                    Lines.append(conf, "emitted", task + " " + next);
                }
            }
            if (n != null) {
                pending.add(n);
                out.emit(new Values(task + ":" + n), n);
            }
        }

        @Override
        public void ack(Object id) {
            pending.remove(id);
            Lines.append(conf, "acked", task + ":" + id);
        }

        @Override
        public void fail(Object id) {
            Lines.append(conf, "failed", task + ":" + id);
            again.add((Integer) id);
        }

        @Override
        public void close() {
            Lines.append(conf, "closed", task + " " + next + " " + pending.size());
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n"));
        }
    }

    /** Passes numbers on with a label, and keeps where it runs and what it was told. */
    public static class Work extends BaseRichBolt {
        private final String label;
        private Map<String, Object> conf;
        private OutputCollector out;
        private String from;

        public Work(String label) {
            this.label = label;
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            out = collector;
            from = label + "/" + RELEASE + "/" + context.getThisTaskId();
            Lines.append(conf, "prepared", ProcessHandle.current().pid() + " " + from + " of " + context.getComponentTasks(context.getThisComponentId()));
        }

        @Override
        public void execute(Tuple t) {
            out.emit(t, new Values(t.getStringByField("n"), from));
            out.ack(t);
        }

        @Override
        public void cleanup() {
            Lines.append(conf, "ended", from);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n", "from"));
        }
    }

    /** Work of another class. */
    public static class Other extends Work {
        public Other(String label) {
            super("other " + label);
        }
    }

    /** Keeps in a file what it gets. */
    public static class Keep extends BaseRichBolt {
        private final String file;
        private Map<String, Object> conf;
        private OutputCollector out;

        public Keep(String file) {
            this.file = file;
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            out = collector;
        }

        @Override
        public void execute(Tuple t) {
            Lines.append(conf, file, t.getStringByField("n") + (t.size() > 1 ? " " + t.getString(1) : ""));
            out.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }
}

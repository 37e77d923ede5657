package it;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.GlobalStreamId;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.grouping.CustomStreamGrouping;
import org.apache.storm.hooks.BaseWorkerHook;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.task.WorkerTopologyContext;
import org.apache.storm.task.WorkerUserContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** What Flux makes topologies of in tests: every way in which a definition gets values into an object. */
public final class FluxParts {
    private FluxParts() {}

    public enum Mode { PLAIN, LOUD }

    /** What other objects are made of. */
    public static class Label implements Serializable {
        private final String text;

        public Label(String text) {
            this.text = text;
        }

        public static Label joined(String between, List<Label> labels) {
            return new Label(String.join(between, labels.stream().map(l -> l.text).toList()));
        }

        @Override
        public String toString() {
            return text;
        }
    }

    /** Emits (n, key) again, on a stream of its own if it is loud, and keeps in a file how it was made. */
    public static class Told extends BaseRichBolt {
        public int limit;
        public Label label = new Label("none");
        private final Mode mode;
        private final double factor;
        private final boolean on;
        private final List<Label> labels;
        private String[] words = {};
        private long[] numbers = {};
        private long large;
        private Mode[] modes = {};
        private Map<String, Object> map = Map.of();
        private Label second = new Label("none");
        private String called = "";
        private transient Map<String, Object> conf;
        private transient OutputCollector collector;

        public Told() {
            this(Mode.PLAIN, 1, false, List.of());
        }

        public Told(Mode mode, double factor, boolean on, List<Label> labels) {
            this.mode = mode;
            this.factor = factor;
            this.on = on;
            this.labels = labels;
        }

        public Told(String[] words, long[] numbers) {
            this();
            this.words = words;
            this.numbers = numbers;
        }

        public static Told loud(int limit) {
            Told t = new Told(Mode.LOUD, limit, true, List.of());
            t.limit = limit;
            return t;
        }

        public void setLarge(long large) {
            this.large = large;
        }

        public void setModes(Mode[] modes) {
            this.modes = modes;
        }

        public void setMap(Map<String, Object> map) {
            this.map = map;
        }

        public void setSecond(Label second) {
            this.second = second;
        }

        public void withNothing() {
            called += "withNothing;";
        }

        public Told with(String text, int number) {
            called += "with " + text + " " + number + ";";
            return this;
        }

        public void withLabels(Label[] labels) {
            called += "withLabels " + Arrays.toString(labels) + ";";
        }

        public void withLabel(Label label, float half) {
            called += "withLabel " + label + " " + half + ";";
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return limit > 0 ? Map.of("it.limit", limit) : null;
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.collector = collector;
            if (context.getThisTaskIndex() == 0) {
                Lines.append(conf, "made-" + context.getThisComponentId(), String.join(" ", "" + limit, "" + label, "" + mode, "" + factor, "" + on, "" + labels,
                    Arrays.toString(words), Arrays.toString(numbers), "" + large, Arrays.toString(modes), "" + map, "" + second, called));
            }
        }

        @Override
        public void execute(Tuple t) {
            collector.emit(mode == Mode.LOUD ? "loud" : "default", t, new Values(t.getInteger(0), t.getString(1)));
            collector.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declareStream(mode == Mode.LOUD ? "loud" : "default", new Fields("n", "key"));
        }
    }

    /** Sends everything to one task. */
    public static class To implements CustomStreamGrouping {
        private final int index;
        private List<Integer> to;

        public To(int index) {
            this.index = index;
        }

        @Override
        public void prepare(WorkerTopologyContext context, GlobalStreamId stream, List<Integer> targets) {
            to = List.of(targets.get(index));
        }

        @Override
        public List<Integer> chooseTasks(int task, List<Object> values) {
            return to;
        }
    }

    /** Keeps that a worker began. */
    public static class Hook extends BaseWorkerHook {
        private final String text;

        public Hook(String text) {
            this.text = text;
        }

        @Override
        public void start(Map<String, Object> conf, WorkerUserContext context) {
            Lines.append(conf, "hook", text);
        }
    }

    /** Makes a topology by itself. */
    public static class Source {
        private final int limit;
        private int tasks = 1;

        public Source(int limit) {
            this.limit = limit;
        }

        public void setTasks(int tasks) {
            this.tasks = tasks;
        }

        public StormTopology getTopology(Map<String, Object> conf) {
            return make(conf);
        }

        public StormTopology fromConfig(Config conf) {
            return make(conf);
        }

        private StormTopology make(Map<String, Object> conf) {
            TopologyBuilder b = new TopologyBuilder();
            b.setSpout("numbers", new Numbers(limit), 1);
            b.setBolt("keep", new Bolts.Keep(), ((Number) conf.get("it.parallelism")).intValue()).setNumTasks(tasks).shuffleGrouping("numbers");
            return b.createTopology();
        }
    }

    /** Cannot be made in several ways. */
    public static class Bad extends BaseRichBolt {
        private final Object held;

        public Bad(String how) {
            if (how.equals("throws")) {
                throw new IllegalStateException("it is made of " + how);
            }
            if (how.equals("exits")) {
                System.exit(3);
            }
            held = how.equals("holds") ? new Object() : null;
        }

        public static Bad none() {
            return null;
        }

        public void setSpeed(int speed) {
            throw new IllegalArgumentException("too fast: " + speed);
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
        }

        @Override
        public void execute(Tuple t) {
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }
}

package it.area;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.hooks.BaseTaskHook;
import org.apache.storm.hooks.BaseWorkerHook;
import org.apache.storm.hooks.info.BoltAckInfo;
import org.apache.storm.hooks.info.BoltExecuteInfo;
import org.apache.storm.hooks.info.BoltFailInfo;
import org.apache.storm.hooks.info.EmitInfo;
import org.apache.storm.hooks.info.SpoutAckInfo;
import org.apache.storm.hooks.info.SpoutFailInfo;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.task.WorkerUserContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Hooks of every task, of one bolt, and of the worker. */
class Hooks implements Area {
    private static final int NUMBERS = 90;

    /** Counts what its task does. */
    public static class Counts extends BaseTaskHook {
        private final String by;
        private final Map<String, Integer> counts = new TreeMap<>();
        private Map<String, Object> conf;
        private String name;
        private boolean system;

        public Counts() {
            this("every task");
        }

        Counts(String by) {
            this.by = by;
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context) {
            this.conf = conf;
            name = context.getThisComponentId();
            system = name.startsWith("__");
            if (!system) {
                name += " " + context.getThisTaskIndex();
                Results.add(conf, by, name, "hook is prepared");
            }
        }

        private synchronized void count(String what, int n) {
            if (!system && n > 0) {
                Results.set(conf, by + " " + name + " " + what, counts.merge(what, n, Integer::sum));
            }
        }

        @Override
        public void emit(EmitInfo info) {
            if (!info.stream.startsWith("__")) {
                count("emits on " + info.stream, 1);
                count("receivers on " + info.stream, info.outTasks.size());
            }
        }

        @Override
        public void spoutAck(SpoutAckInfo info) {
            count("acks of the spout, even " + ((Integer) info.messageId % 2 == 0), 1);
        }

        @Override
        public void spoutFail(SpoutFailInfo info) {
            count("fails of the spout", 1);
        }

        @Override
        public void boltExecute(BoltExecuteInfo info) {
            count("executes, latency known " + (info.executeLatencyMs != null), 1);
        }

        @Override
        public void boltAck(BoltAckInfo info) {
            count("acks from " + info.tuple.getSourceComponent(), 1);
        }

        @Override
        public void boltFail(BoltFailInfo info) {
            count("fails from " + info.tuple.getSourceComponent(), 1);
        }

        @Override
        public void cleanup() {
            if (!system) {
                Results.add(conf, Areas.END, by, name, "hook is cleaned up");
            }
        }
    }

    /** Fails numbers that end in 7, and emits some of the others once or twice. */
    static class Picky extends BaseRichBolt {
        private Map<String, Object> conf;
        private OutputCollector collector;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.collector = collector;
            context.addTaskHook(new Counts("own hook"));
        }

        @Override
        public void execute(Tuple t) {
            int n = t.getInteger(0);
            if (n % 10 == 7) {
                collector.fail(t);
                return;
            }
            for (int i = 0; i < n % 3; i++) {
                collector.emit(t, new Values(n));
                collector.emit("extra", t, new Values(n));
            }
            collector.ack(t);
        }

        @Override
        public void cleanup() {
            Results.add(conf, Areas.END, "the bolt is cleaned up");
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n"));
            d.declareStream("extra", new Fields("n"));
        }
    }

    /** Says that the worker starts and ends. */
    static class OfWorker extends BaseWorkerHook {
        private final String name;
        private transient Map<String, Object> conf;

        OfWorker(String name) {
            this.name = name;
        }

        @Override
        public void start(Map<String, Object> conf, WorkerUserContext context) {
            this.conf = conf;
            Results.add(conf, name, "starts, tasks of picky", context.getComponentTasks("picky").size(), "port known", context.getThisWorkerPort() > 0);
        }

        @Override
        public void shutdown() {
            Results.add(conf, Areas.END, name, "shuts down");
        }
    }

    @Override
    public StormTopology build(Config conf) {
        conf.put(Config.TOPOLOGY_AUTO_TASK_HOOKS, List.of(Counts.class.getName()));
        List<Values> rows = new ArrayList<>();
        for (int n = 0; n < NUMBERS; n++) {
            rows.add(new Values(n));
        }
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Feed(new Fields("n"), rows));
        b.setBolt("picky", new Picky()).shuffleGrouping("numbers");
        b.setBolt("sink", new Sink()).shuffleGrouping("picky");
        b.setBolt("all", new Sink(), 2).allGrouping("picky", "extra");
        b.addWorkerHook(new OfWorker("first worker hook"));
        b.addWorkerHook(new OfWorker("second worker hook"));
        return b.createTopology();
    }
}

package it;

import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.GlobalStreamId;
import org.apache.storm.grouping.CustomStreamGrouping;
import org.apache.storm.hooks.BaseTaskHook;
import org.apache.storm.hooks.BaseWorkerHook;
import org.apache.storm.hooks.info.BoltAckInfo;
import org.apache.storm.metric.api.CountMetric;
import org.apache.storm.state.KeyValueState;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.task.WorkerTopologyContext;
import org.apache.storm.task.WorkerUserContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.topology.base.BaseStatefulBolt;
import org.apache.storm.topology.base.BaseWindowedBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;
import org.apache.storm.utils.TupleUtils;
import org.apache.storm.windowing.TupleWindow;

/** A bolt, grouping or hook for each part of Storm's interface that tests look at. Each keeps what it saw in a file. */
final class Bolts {
    private Bolts() {}

    /** Keeps the values of what it gets in the file named after its component. */
    public static class Keep extends BaseBasicBolt {
        private Map<String, Object> conf;
        private String name;
        private int task;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context) {
            this.conf = conf;
            name = context.getThisComponentId();
            task = context.getThisTaskId();
        }

        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            Lines.append(conf, name, task + " " + t.getSourceComponent() + " " + t.getSourceStreamId() + " " + t.getValues());
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    /** Keeps its ticks. */
    public static class Ticks extends BaseBasicBolt {
        private Map<String, Object> conf;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context) {
            this.conf = conf;
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return Map.of(Config.TOPOLOGY_TICK_TUPLE_FREQ_SECS, 1);
        }

        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            if (TupleUtils.isTick(t)) {
                Lines.append(conf, "ticks", t.getSourceComponent() + " " + t.getFields().toList());
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    /** Emits the number of tuples of each window and their sum. Windows by time are executed on a thread of their own. */
    public static class Sums extends BaseWindowedBolt {
        private OutputCollector collector;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.collector = collector;
        }

        @Override
        public void execute(TupleWindow w) {
            int sum = 0;
            for (Tuple t : w.get()) {
                sum += t.getIntegerByField("n");
            }
            collector.emit(new Values(w.get().size(), sum));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("size", "sum"));
        }
    }

    /** Sends even numbers directly to the first task of "directed" and odd ones to the last. */
    public static class Direct extends BaseRichBolt {
        private OutputCollector collector;
        private List<Integer> tasks;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.collector = collector;
            tasks = context.getComponentTasks("directed");
        }

        @Override
        public void execute(Tuple t) {
            int n = t.getInteger(0);
            collector.emitDirect(tasks.get(n % 2 == 0 ? 0 : tasks.size() - 1), "to", t, new Values(n));
            collector.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declareStream("to", true, new Fields("n"));
        }
    }

    /** Emits objects of a class that is registered with Kryo, and keeps an option of its JVM. */
    public static class Wrap extends BaseBasicBolt {
        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context) {
            Lines.append(conf, "option", System.getProperty("it.option"));
        }

        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            Plain p = new Plain();
            p.number = t.getInteger(0);
            collector.emit(new Values(p, List.of(p)));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("plain", "list"));
        }
    }

    /** Emits from the shared executor, and keeps what emit returned. */
    public static class Async extends BaseRichBolt {
        private transient CountMetric executed;
        private Map<String, Object> conf;
        private TopologyContext context;
        private OutputCollector collector;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.context = context;
            this.collector = collector;
            Lines.append(conf, "resource", String.valueOf(context.getResource("it")));
            executed = context.registerMetric("executed", new CountMetric(), 1);
        }

        @Override
        public void execute(Tuple t) {
            executed.incr();
            context.getSharedExecutor().submit(() -> {
                List<Integer> to = collector.emit(t, new Values(t.getInteger(0), t.getString(1)));
                Lines.append(conf, "emitted", t.getInteger(0) + " " + to);
                collector.ack(t);
            });
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n", "key"));
        }
    }

    /** Counts keys in a state. */
    public static class Remember extends BaseStatefulBolt<KeyValueState<String, Long>> {
        private Map<String, Object> conf;
        private OutputCollector collector;
        private KeyValueState<String, Long> state;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.collector = collector;
        }

        @Override
        public void initState(KeyValueState<String, Long> state) {
            this.state = state;
        }

        @Override
        public void execute(Tuple t) {
            String key = t.getStringByField("key");
            long n = state.get(key, 0L) + 1;
            state.put(key, n);
            Lines.append(conf, "remember", key + " " + n);
            collector.ack(t);
        }

        @Override
        public void preCommit(long txid) {
            Lines.append(conf, "commits", "" + txid);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    /** Chooses the last task, always. */
    public static class Last implements CustomStreamGrouping {
        private List<Integer> last;

        @Override
        public void prepare(WorkerTopologyContext context, GlobalStreamId stream, List<Integer> tasks) {
            last = tasks.subList(tasks.size() - 1, tasks.size());
        }

        @Override
        public List<Integer> chooseTasks(int task, List<Object> values) {
            return last;
        }
    }

    /** Keeps the acks of the component "async". */
    public static class TaskHook extends BaseTaskHook {
        private Map<String, Object> conf;
        private TopologyContext context;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context) {
            this.conf = conf;
            this.context = context;
        }

        @Override
        public void boltAck(BoltAckInfo info) {
            if (context.getThisComponentId().equals("async")) {
                Lines.append(conf, "hooked", "" + info.tuple.getInteger(0));
            }
        }
    }

    /** Gives the worker a resource. */
    public static class WorkerHook extends BaseWorkerHook {
        @Override
        public void start(Map<String, Object> conf, WorkerUserContext context) {
            context.setResource("it", "from the hook");
            Lines.append(conf, "worker", "started " + context.getThisWorkerPort());
        }
    }
}

package it.area;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.hooks.BaseWorkerHook;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.task.WorkerUserContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** What the tasks of a worker share: an object that a worker hook made, and a pool of threads, from which they emit and ack. */
class Shared implements Area {
    private static final int NUMBERS = 120;
    private static final String COUNTER = "counter";
    private static final String POOL = "threads of the pool";

    /** Makes a counter and a set of threads for all tasks. */
    static class Maker extends BaseWorkerHook {
        @Override
        public void start(Map<String, Object> conf, WorkerUserContext context) {
            context.setResource(COUNTER, new AtomicInteger());
            context.setResource(POOL, ConcurrentHashMap.newKeySet());
        }
    }

    /** Counts with the shared counter, on the shared threads. */
    static class User extends BaseRichBolt {
        private Map<String, Object> conf;
        private TopologyContext context;
        private OutputCollector collector;
        private ExecutorService pool;
        private AtomicInteger counter;
        private Set<String> threads;

        @Override
        @SuppressWarnings("unchecked")
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.context = context;
            this.collector = collector;
            pool = context.getSharedExecutor();
            counter = (AtomicInteger) context.getResource(COUNTER);
            threads = (Set<String>) context.getResource(POOL);
            context.setTaskData("mine", context.getThisTaskIndex());
            Results.add(conf, context.getThisComponentId(), context.getThisTaskIndex(), "no such resource", context.getResource("nosuch"));
        }

        @Override
        public void execute(Tuple t) {
            pool.submit(() -> {
                collector.emit(t, new Values(t.getInteger(0)));
                synchronized (counter) { // so that the last number is the last line
                    Results.set(conf, COUNTER, counter.incrementAndGet());
                    if (threads.add(Thread.currentThread().getName())) {
                        Results.set(conf, POOL, threads.size());
                    }
                }
                boolean own = context.getTaskData("mine").equals(context.getThisTaskIndex());
                Results.set(conf, context.getThisComponentId() + " " + context.getThisTaskIndex() + " has its own data", own);
                collector.ack(t);
            });
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("n"));
        }
    }

    @Override
    public StormTopology build(Config conf) {
        List<Values> rows = new ArrayList<>();
        for (int n = 0; n < NUMBERS; n++) {
            rows.add(new Values(n));
        }
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Feed(new Fields("n"), rows));
        b.setBolt("first", new User(), 2).fieldsGrouping("numbers", new Fields("n"));
        b.setBolt("second", new User()).shuffleGrouping("numbers");
        b.setBolt("sink", new Sink()).globalGrouping("first").globalGrouping("second");
        b.addWorkerHook(new Maker());
        return b.createTopology();
    }
}

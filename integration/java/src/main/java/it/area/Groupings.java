package it.area;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.GlobalStreamId;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.grouping.CustomStreamGrouping;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.task.WorkerTopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Custom groupings and all others, on two workers: to which task each tuple goes, where Storm's documents say it. */
class Groupings implements Area {
    private static final int ROWS = 60;

    /** Sends numbers below a bound to the first half of the tasks, all others to every task of the second half. */
    static class Halves implements CustomStreamGrouping {
        private final int bound;
        private List<Integer> tasks;
        private int field;

        Halves(int bound) {
            this.bound = bound;
        }

        @Override
        public void prepare(WorkerTopologyContext context, GlobalStreamId stream, List<Integer> tasks) {
            this.tasks = tasks;
            field = context.getComponentOutputFields(stream).fieldIndex("n");
        }

        @Override
        public List<Integer> chooseTasks(int from, List<Object> values) {
            int n = (Integer) values.get(field);
            int half = tasks.size() / 2;
            return n < bound ? List.of(tasks.get(n % half)) : tasks.subList(half, tasks.size());
        }
    }

    /** Says itself where tuples go, and passes them on to the custom groupings' stream as well, with what emit says of it. */
    static class Director extends BaseRichBolt {
        private Map<String, Object> conf;
        private OutputCollector collector;
        private List<Integer> directed;
        private List<Integer> custom;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.collector = collector;
            directed = context.getComponentTasks("directed");
            custom = context.getComponentTasks("custom from bolt");
        }

        @Override
        public void execute(Tuple t) {
            int n = t.getIntegerByField("n");
            collector.emitDirect(directed.get(n % directed.size()), "direct", t, new Values(n));
            List<Integer> to = collector.emit("halves", t, new Values("first", n));
            Results.add(conf, "emit of", n, "returns", Arrays.toString(to.stream().map(custom::indexOf).sorted().toArray()));
            collector.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declareStream("direct", true, new Fields("n"));
            d.declareStream("halves", new Fields("other", "n"));
        }
    }

    @Override
    public StormTopology build(Config conf) {
        conf.setNumWorkers(2);
        List<Values> rows = new ArrayList<>();
        for (int n = 0; n < ROWS; n++) {
            rows.add(new Values(n, "key" + n % 7, (n - 30) * 10_000_000_000L, n % 5 == 0 ? null : n / 4.0, new ArrayList<>(List.of(n % 3, "x")), new byte[] {(byte) n}, n % 2 == 0));
        }
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("rows", new Feed(new Fields("n", "key", "long", "double", "list", "bytes", "bool"), rows));
        b.setBolt("by key", new Where(true), 3).fieldsGrouping("rows", new Fields("key"));
        b.setBolt("by number", new Where(true), 4).fieldsGrouping("rows", new Fields("n"));
        b.setBolt("by others", new Where(true), 5).fieldsGrouping("rows", new Fields("long", "double", "list", "bool"));
        b.setBolt("by bytes", new Where(true), 3).fieldsGrouping("rows", new Fields("bytes"));
        b.setBolt("global", new Where(true), 3).globalGrouping("rows");
        b.setBolt("all", new Where(true), 3).allGrouping("rows");
        b.setBolt("shuffle", new Where(false), 3).shuffleGrouping("rows");
        b.setBolt("none", new Where(false), 3).noneGrouping("rows");
        b.setBolt("local", new Where(false), 3).localOrShuffleGrouping("rows");
        b.setBolt("custom from spout", new Where(true), 5).customGrouping("rows", new Halves(ROWS / 3));
        b.setBolt("director", new Director(), 2).shuffleGrouping("rows");
        b.setBolt("directed", new Where(true), 4).directGrouping("director", "direct");
        b.setBolt("custom from bolt", new Where(true), 6).customGrouping("director", "halves", new Halves(ROWS / 2));
        return b.createTopology();
    }
}

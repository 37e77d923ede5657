package it;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.storm.Config;
import org.apache.storm.ILocalDRPC;
import org.apache.storm.StormSubmitter;
import org.apache.storm.coordination.BatchOutputCollector;
import org.apache.storm.drpc.LinearDRPCTopologyBuilder;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.FailedException;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseBatchBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/**
 * How many people a page reaches: those who follow somebody who names it. Page "page N" is named by N people; the one with number i
 * is followed by the ten from 5i to 5i+9, so it reaches 5N+5 if N is not 0. Page "fail" fails.
 * Arguments: name, function, workers.
 */
public class Reach {

    /** Who names the page. */
    public static class Namers extends BaseBasicBolt {
        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            String page = t.getString(1);
            if (page.equals("fail")) {
                throw new FailedException("there is no such page");
            }
            for (int i = 0; page.startsWith("page ") && i < Integer.parseInt(page.substring(5)); i++) {
                collector.emit(new Values(t.getValue(0), i));
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("id", "namer"));
        }
    }

    /** Who follows them. */
    public static class Followers extends BaseBasicBolt {
        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            for (int i = 0; i < 10; i++) {
                collector.emit(new Values(t.getValue(0), 5 * t.getInteger(1) + i));
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("id", "follower"));
        }
    }

    /** Counts each of its followers once. */
    public static class Distinct extends BaseBatchBolt<Object> {
        private final Set<Object> followers = new HashSet<>();
        private BatchOutputCollector collector;
        private Object id;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, BatchOutputCollector collector, Object id) {
            this.collector = collector;
            this.id = id;
        }

        @Override
        public void execute(Tuple t) {
            followers.add(t.getValue(1));
        }

        @Override
        public void finishBatch() {
            collector.emit(new Values(id, followers.size()));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("id", "count"));
        }
    }

    /** Adds the counts of a request. */
    public static class Total extends BaseBatchBolt<Object> {
        private BatchOutputCollector collector;
        private Object id;
        private int sum;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, BatchOutputCollector collector, Object id) {
            this.collector = collector;
            this.id = id;
        }

        @Override
        public void execute(Tuple t) {
            sum += t.getInteger(1);
        }

        @Override
        public void finishBatch() {
            collector.emit(new Values(id, sum));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("id", "reach"));
        }
    }

    private static LinearDRPCTopologyBuilder builder(String function) {
        LinearDRPCTopologyBuilder b = new LinearDRPCTopologyBuilder(function);
        b.addBolt(new Namers(), 2);
        b.addBolt(new Followers(), 3).shuffleGrouping();
        b.addBolt(new Distinct(), 3).fieldsGrouping(new Fields("id", "follower"));
        b.addBolt(new Total(), 2).fieldsGrouping(new Fields("id"));
        return b;
    }

    /** The topology; drpc is null on a cluster. */
    public static StormTopology topology(String function, ILocalDRPC drpc) {
        return drpc == null ? builder(function).createRemoteTopology() : builder(function).createLocalTopology(drpc);
    }

    public static void main(String[] args) throws Exception {
        Config conf = new Config();
        conf.setNumWorkers(Integer.parseInt(args[2]));
        StormSubmitter.submitTopology(args[0], conf, topology(args[1], null));
    }
}

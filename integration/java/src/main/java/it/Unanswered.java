package it;

import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.drpc.KeyedFairBolt;
import org.apache.storm.drpc.LinearDRPCTopologyBuilder;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.FailedException;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/**
 * Requests "N" are answered with N. The first bolt, which has a thread of its own, throws at request "throw"; the second one fails
 * "fail" and leaves "never" open. Arguments: name, function, folder for results, seconds of the message timeout.
 */
public final class Unanswered {
    private Unanswered() {}

    /** Makes so many pieces of work of a request. */
    public static class Pieces extends BaseBasicBolt {
        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            String request = t.getString(1);
            if (request.equals("throw")) {
                throw new FailedException("it is not even begun");
            }
            int n = request.matches("\\d+") ? Integer.parseInt(request) : 1;
            for (int i = 0; i < n; i++) {
                collector.emit(new Values(t.getValue(0), request));
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("id", "request"));
        }
    }

    /** Does a piece. */
    public static class Piece extends BaseRichBolt {
        private Map<String, Object> conf;
        private OutputCollector collector;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.collector = collector;
        }

        @Override
        public void execute(Tuple t) {
            String request = t.getString(1);
            if (request.equals("fail")) {
                collector.fail(t);
                return;
            }
            if (request.equals("never")) {
                Lines.append(conf, "open", "" + t.getValue(0));
                return;
            }
            collector.emit(t, new Values(t.getValue(0), 1));
            collector.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("id", "done"));
        }
    }

    public static void main(String[] args) throws Exception {
        LinearDRPCTopologyBuilder b = new LinearDRPCTopologyBuilder(args[1]);
        b.addBolt(new KeyedFairBolt(new Pieces()), 2);
        b.addBolt(new Piece(), 2).shuffleGrouping();
        b.addBolt(new Reach.Total(), 2).fieldsGrouping(new Fields("id"));
        Config conf = new Config();
        conf.put("it.dir", args[2]);
        conf.setMessageTimeoutSecs(Integer.parseInt(args[3]));
        StormSubmitter.submitTopology(args[0], conf, b.createRemoteTopology());
    }
}

package it;

import com.codahale.metrics.Counter;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Tuple;

/** Metrics of version 2, to a reporter and to a consumer. Arguments: name, folder for results, numbers, workers. */
public class Measured {

    /** Counts what it gets. */
    public static class Counts extends BaseRichBolt {
        private transient Counter counter;
        private OutputCollector collector;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.collector = collector;
            counter = context.registerCounter("seen");
            context.registerGauge("always", () -> 7);
        }

        @Override
        public void execute(Tuple t) {
            counter.inc();
            collector.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Numbers(Integer.parseInt(args[2])), 1);
        b.setBolt("counts", new Counts(), 1).shuffleGrouping("numbers");
        Config conf = new Config();
        conf.setNumWorkers(Integer.parseInt(args[3]));
        conf.put("it.dir", args[1]);
        conf.registerMetricsConsumer(Consumer.class, 1);
        conf.put(Config.TOPOLOGY_ENABLE_V2_METRICS_TICK, true);
        conf.put(Config.TOPOLOGY_V2_METRICS_TICK_INTERVAL_SECONDS, 1);
        conf.put(Config.TOPOLOGY_METRICS_REPORTERS, java.util.List.of(Map.of(
            "class", "org.apache.storm.metrics2.reporters.ConsoleStormReporter", "report.period", 1, "report.period.units", "SECONDS")));
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

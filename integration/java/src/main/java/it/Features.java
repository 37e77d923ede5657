package it;

import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.grouping.PartialKeyGrouping;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseWindowedBolt.Count;
import org.apache.storm.topology.base.BaseWindowedBolt.Duration;
import org.apache.storm.tuple.Fields;

/** A topology with a component for each part of Storm's interface. Arguments: name, folder for results, numbers. */
public class Features {
    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Numbers(Integer.parseInt(args[2])), 1);
        b.setBolt("points", new Bolts.Keep(), 2).fieldsGrouping("numbers", new Fields("point"));
        b.setBolt("tick", new Bolts.Ticks(), 1).globalGrouping("numbers");
        b.setBolt("bycount", new Bolts.Sums().withTumblingWindow(Count.of(5)), 1).globalGrouping("numbers");
        b.setBolt("bytime", new Bolts.Sums().withTumblingWindow(Duration.seconds(1)), 1).globalGrouping("numbers");
        b.setBolt("sums", new Bolts.Keep(), 1).globalGrouping("bycount").globalGrouping("bytime");
        b.setBolt("direct", new Bolts.Direct(), 2).noneGrouping("numbers");
        b.setBolt("directed", new Bolts.Keep(), 3).directGrouping("direct", "to");
        b.setBolt("async", new Bolts.Async(), 2).localOrShuffleGrouping("numbers");
        b.setBolt("last", new Bolts.Keep(), 3).customGrouping("async", new Bolts.Last());
        b.setBolt("partial", new Bolts.Keep(), 4).customGrouping("async", new PartialKeyGrouping(new Fields("key")));
        b.setBolt("all", new Bolts.Keep(), 2).allGrouping("async");
        b.setBolt("wrap", new Bolts.Wrap(), 1).shuffleGrouping("numbers");
        b.setBolt("plain", new Bolts.Keep(), 1).shuffleGrouping("wrap");
        b.addWorkerHook(new Bolts.WorkerHook());
        Config conf = new Config();
        conf.setNumWorkers(1);
        conf.setMaxSpoutPending(100);
        conf.setMessageTimeoutSecs(120); // the last window of five is never acked
        conf.put("it.dir", args[1]);
        conf.registerSerialization(Plain.class);
        conf.put(Config.TOPOLOGY_WORKER_CHILDOPTS, "-Dit.option=of-%TOPOLOGY-ID%");
        conf.registerMetricsConsumer(Consumer.class, 1);
        conf.put(Config.TOPOLOGY_AUTO_TASK_HOOKS, java.util.List.of(Bolts.TaskHook.class.getName()));
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

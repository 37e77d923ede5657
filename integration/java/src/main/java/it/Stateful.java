package it;

import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;

/** A topology with state and checkpoints. Arguments: name, folder for results, numbers. */
public class Stateful {
    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Numbers(Integer.parseInt(args[2])), 1);
        b.setBolt("remember", new Bolts.Remember(), 2).fieldsGrouping("numbers", new Fields("key"));
        Config conf = new Config();
        conf.setNumWorkers(1);
        conf.put("it.dir", args[1]);
        conf.put(Config.TOPOLOGY_STATE_CHECKPOINT_INTERVAL, 500);
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

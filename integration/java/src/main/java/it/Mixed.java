package it;

import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;

/** A spout in Python whose sentences are counted in Java. Arguments: name, folder for results. */
public class Mixed {
    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("sentences", new ShellTopology.Sentences(), 1);
        b.setBolt("split", new WordCount.Split(), 2).shuffleGrouping("sentences");
        b.setBolt("count", new WordCount.Count(), 2).fieldsGrouping("split", new Fields("word"));
        Config conf = new Config();
        conf.setNumWorkers(1);
        conf.put("it.dir", args[1]);
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

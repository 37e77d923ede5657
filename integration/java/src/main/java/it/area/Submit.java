package it.area;

import java.nio.file.Path;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.generated.StormTopology;

/** Submits the topologies of areas. Arguments: folder for results, names of areas. */
public class Submit {
    public static void main(String[] args) throws Exception {
        for (int i = 1; i < args.length; i++) {
            Config conf = Areas.conf(args[i], Path.of(args[0]));
            StormTopology topology = Areas.of(args[i]).build(conf);
            StormSubmitter.submitTopology(args[i], conf, topology);
        }
    }
}

package it;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.commons.lang3.tuple.ImmutablePair;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Tuple;

/** A topology in which things go wrong, each once or for ever. Arguments: name, folder for results, numbers, the things. */
public class Troubles {

    /** Acks, but for what its kind says. */
    public static class Bad extends BaseRichBolt {
        private final String kind;
        private Map<String, Object> conf;
        private OutputCollector collector;

        public Bad(String kind) {
            this.kind = kind;
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.collector = collector;
            if (kind.equals("prepare")) {
                throw new IllegalStateException("it cannot be prepared");
            }
        }

        @Override
        public void execute(Tuple t) {
            if (t.getInteger(0) == 7 && first()) {
                switch (kind) {
                    case "throws":
                        throw new IllegalStateException("seven is too much");
                    case "reports":
                        collector.reportError(new IllegalStateException("seven is odd"));
                        break;
                    case "memory":
                        long[][] all = new long[1 << 10][];
                        for (int i = 0; i < all.length; i++) {
                            all[i] = new long[1 << 20];
                        }
                        break;
                    case "exits":
                        System.exit(3);
                        break;
                    default:
                }
            }
            collector.ack(t);
        }

        private boolean first() {
            if (Files.exists(Path.of((String) conf.get("it.dir"), kind))) {
                return false;
            }
            Lines.append(conf, kind, "once");
            return true;
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    /** Has a part of a class that is on the class path of the client, and not in the jar. */
    public static class Incomplete extends Bad {
        private final ImmutablePair<String, String> part = ImmutablePair.of("a", "b");

        public Incomplete() {
            super("incomplete");
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Numbers(Integer.parseInt(args[2])), 1);
        b.setSpout("once", new Numbers(1, false), 1);
        for (int i = 3; i < args.length; i++) {
            switch (args[i]) {
                case "python":
                    b.setBolt("python", new WordCount.Write(), 1).shuffleGrouping("once");
                    break;
                case "node":
                    b.setBolt("node", new ShellTopology.Upper(), 1).shuffleGrouping("once");
                    break;
                case "incomplete":
                    b.setBolt("incomplete", new Incomplete(), 1).shuffleGrouping("once");
                    break;
                default:
                    b.setBolt(args[i], new Bad(args[i]), 1).shuffleGrouping(args[i].equals("prepare") ? "once" : "numbers");
            }
        }
        Config conf = new Config();
        conf.setNumWorkers(1);
        conf.put("it.dir", args[1]);
        conf.put(Config.TOPOLOGY_WORKER_CHILDOPTS, "-Xmx64m");
        conf.put("it.out", args[1] + "/python");
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

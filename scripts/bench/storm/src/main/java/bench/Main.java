package bench;

import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;
import org.apache.storm.utils.Utils;

/** Submits the topology that the configuration's key "bench" describes. Argument: its name. */
public final class Main {
    private Main() {
    }

    public static void main(String[] args) throws Exception {
        Map<String, Object> options = Utils.readCommandLineOpts();
        Config conf = new Config();
        conf.putAll(options);
        StormSubmitter.submitTopology(args[0], conf, topology(new Shape((Map<?, ?>) options.get(Shape.KEY))));
    }

    /** Components are named so that Storm's even scheduler, which deals executors out by name, parts neighbours. */
    private static StormTopology topology(Shape s) {
        TopologyBuilder b = new TopologyBuilder();
        if (s.kind.equals("window")) {
            return windows(b, s);
        }
        b.setSpout("a-source", new Source(s), 1);
        switch (s.kind) {
            case "line" -> {
                b.setBolt("b-middle", new Identity(s.listener), 1).localOrShuffleGrouping("a-source");
                b.setBolt("c-sink", new Sink(s), 1).localOrShuffleGrouping("b-middle");
            }
            case "script" -> {
                b.setBolt("b-middle", new Script(s.script), 1).shuffleGrouping("a-source");
                b.setBolt("c-sink", new Sink(s), 1).shuffleGrouping("b-middle");
            }
            case "idle" -> b.setBolt("c-sink", new Sink(s), s.tasks - 1).shuffleGrouping("a-source");
            default -> throw new IllegalArgumentException("no shape " + s.kind);
        }
        return b.createTopology();
    }

    private static StormTopology windows(TopologyBuilder b, Shape s) {
        b.setSpout("a-source", new Events(s), 1);
        b.setBolt("b-middle", new WindowCount().withTumblingWindow(WindowCount.LENGTH).withTimestampField("time")
            .withLag(WindowCount.LAG), s.tasks).fieldsGrouping("a-source", new Fields("key"));
        b.setBolt("c-sink", new Totals(s), 1).globalGrouping("b-middle");
        return b.createTopology();
    }
}

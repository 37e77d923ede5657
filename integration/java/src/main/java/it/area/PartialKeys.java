package it.area;

import java.util.ArrayList;
import java.util.List;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.grouping.PartialKeyGrouping;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;

/** Partial key groupings: a key goes to the less busy one of two tasks. With one task that emits, that is no matter of chance. */
class PartialKeys implements Area {
    private static final int ROWS = 200;

    @Override
    public StormTopology build(Config conf) {
        List<Values> rows = new ArrayList<>();
        for (int n = 0; n < ROWS; n++) {
            rows.add(new Values(n, n % 3 == 0 ? "often" : "key" + n % 11, (long) n % 5));
        }
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("rows", new Feed(new Fields("n", "key", "other"), rows));
        b.setBolt("by key", new Where(true), 4).partialKeyGrouping("rows", new Fields("key"));
        b.setBolt("by two", new Where(true), 5).customGrouping("rows", new PartialKeyGrouping(new Fields("key", "other")));
        b.setBolt("by all", new Where(true), 3).customGrouping("rows", new PartialKeyGrouping());
        return b.createTopology();
    }
}

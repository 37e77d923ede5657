package it.area;

import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;
import org.apache.storm.utils.Utils;

/** A spout and bolts that are lambdas. Such a spout emits for ever: after the numbers it says -1, slowly, and nobody counts that. */
class Lambdas implements Area {
    private static final int NUMBERS = 100;
    private static final int PAUSE_MILLIS = 100;

    private static int next(AtomicInteger from) {
        if (from.get() == NUMBERS) {
            Utils.sleep(PAUSE_MILLIS);
            return -1;
        }
        return from.getAndIncrement();
    }

    @Override
    public StormTopology build(Config conf) {
        Map<String, Object> results = Map.of(Results.FILE, conf.get(Results.FILE));
        AtomicInteger from = new AtomicInteger();
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", () -> next(from));
        b.setBolt("even", (tuple, collector) -> {
            int n = tuple.getInteger(0);
            if (n >= 0 && n % 2 == 0) {
                collector.emit(new Values("k" + n % 3, n));
            }
        }, 2, "key", "n").shuffleGrouping("numbers");
        b.setBolt("squares", (tuple, collector) -> {
            int n = tuple.getIntegerByField("n");
            collector.emit(new Values(tuple.getStringByField("key"), n * n));
        }, "key", "square").fieldsGrouping("even", new Fields("key"));
        b.setBolt("results", tuple -> Results.add(results, tuple.getFields().toList(), tuple.getValues()), 2)
            .fieldsGrouping("squares", new Fields("key"));
        return b.createTopology();
    }
}

package it.area;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.storm.Config;

/** All areas, by name. */
final class Areas {
    /** Begins a result that comes when the topology is killed. */
    static final String END = "at the end:";

    static final Map<String, Area> ALL = new LinkedHashMap<>();

    static {
        ALL.put("word-count", new Words());
        ALL.put("rolling-count", new Rolling());
        ALL.put("tumbling-count", new Windows.TumblingCount());
        ALL.put("sliding-count", new Windows.SlidingCount());
        ALL.put("tumbling-time", new Windows.TumblingTime());
        ALL.put("sliding-time", new Windows.SlidingTime());
        ALL.put("late-tuples", new Late());
        ALL.put("stateful", new Counts());
        ALL.put("stateful-windows", new StateWindows());
        ALL.put("stateful-recovery", new Recovery());
        ALL.put("joins", new Joins());
        ALL.put("lambdas", new Lambdas());
        ALL.put("groupings", new Groupings());
        ALL.put("partial-key-grouping", new PartialKeys());
        ALL.put("hooks", new Hooks());
        ALL.put("metrics-consumer", new MetricSums());
        ALL.put("resources", new Resources());
        ALL.put("worker-shared", new Shared());
        ask(Asked.reach());
        ask(Asked.trident("trident-word-count", "memory", "the", "cow", "jumped", "over", "moon"));
        ask(Asked.trident("trident-state-query", "opaque", "the cow", "the cow what moon the", "over", "nobody"));
    }

    private Areas() {}

    private static void ask(Asked a) {
        ALL.put(a.function, a);
    }

    static Area of(String name) {
        Area a = ALL.get(name);
        if (a == null) {
            throw new IllegalArgumentException("there is no area " + name + "; there are " + ALL.keySet());
        }
        return a;
    }

    /** The configuration that every area begins with: results go to the file of its name in dir. */
    static Config conf(String name, Path dir) {
        Config conf = new Config();
        conf.setNumWorkers(1);
        conf.setMessageTimeoutSecs(600); // some windows hold their last tuples for good
        conf.put(Results.FILE, dir.resolve(name).toString());
        return conf;
    }
}

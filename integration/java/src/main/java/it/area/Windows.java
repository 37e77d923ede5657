package it.area;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseWindowedBolt;
import org.apache.storm.topology.base.BaseWindowedBolt.Count;
import org.apache.storm.topology.base.BaseWindowedBolt.Duration;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;
import org.apache.storm.windowing.TupleWindow;

/** Windows that tumble and slide, by count and by time. Time is that of the tuples wherever a result depends on it. */
final class Windows {
    private static final int NUMBERS = 200;
    private static final int STEP = 10; // of time, between two numbers

    private Windows() {}

    /** Numbers with a key and a time. Every second one is earlier than the one before, the most by jitter. */
    static Feed numbers(int jitter) {
        List<Values> rows = new ArrayList<>();
        for (int n = 0; n < NUMBERS; n++) {
            long ts = 1000L + n * STEP + (n >= NUMBERS / 2 ? 5000 : 0); // a long time without any
            rows.add(new Values("k" + n % 5, n, n % 2 == 0 ? ts : ts - jitter));
        }
        return new Feed(new Fields("key", "n", "ts"), rows);
    }

    /** Emits what is in a window, and how much of it is new and what left the window. */
    static class Contents extends BaseWindowedBolt {
        private final boolean bounds;
        private OutputCollector collector;

        /** With the bounds of windows, if time is that of the tuples. */
        Contents(boolean bounds) {
            this.bounds = bounds;
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.collector = collector;
        }

        @Override
        public void execute(TupleWindow w) {
            String of = bounds ? w.getStartTimestamp() + ".." + w.getEndTimestamp() : "";
            collector.emit(w.get(), new Values(of, numbers(w.get()), w.getNew().size(), numbers(w.getExpired())));
        }

        private static String numbers(List<Tuple> tuples) {
            StringBuilder s = new StringBuilder();
            tuples.stream().map(t -> t.getIntegerByField("n")).sorted().forEach(n -> s.append(s.length() == 0 ? "" : ",").append(n));
            return s.toString();
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("bounds", "numbers", "fresh", "expired"));
        }
    }

    /** Adds up the sizes of windows. */
    static class Total extends BaseWindowedBolt {
        private final int spare;
        private Map<String, Object> conf;
        private String name;
        private int tuples;
        private int fresh;

        Total() {
            this(0);
        }

        /** As many numbers as spare may be in no window: of the clock's time those that come in the millisecond of a trigger, behind it. */
        Total(int spare) {
            this.spare = spare;
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            name = context.getThisComponentId();
        }

        @Override
        public void execute(TupleWindow w) {
            tuples += w.get().size();
            fresh += w.getNew().size();
            boolean whole = spare > 0 && tuples == fresh && tuples >= NUMBERS - spare && tuples <= NUMBERS;
            Results.set(conf, name, whole ? "all tuples but " + spare + " at most, each new" : tuples + " tuples, " + fresh + " new");
        }
    }

    /** One bolt with windows for all, and one for each key. */
    private static TopologyBuilder timed(Feed feed, BaseWindowedBolt all, BaseWindowedBolt each) {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", feed);
        b.setBolt("all", all).globalGrouping("numbers");
        b.setBolt("each", each, 3).fieldsGrouping("numbers", new Fields("key"));
        b.setBolt("sink", new Sink()).globalGrouping("all").globalGrouping("each");
        return b;
    }

    static class TumblingCount implements Area {
        @Override
        public StormTopology build(Config conf) {
            return timed(numbers(0), new Contents(false).withTumblingWindow(Count.of(7)), new Contents(false).withTumblingWindow(Count.of(10)))
                .createTopology();
        }
    }

    static class SlidingCount implements Area {
        @Override
        public StormTopology build(Config conf) {
            TopologyBuilder b = timed(numbers(0), new Contents(false).withWindow(Count.of(10), Count.of(4)),
                new Contents(false).withWindow(Count.of(3)));
            b.setBolt("total", new Total().withWindow(Count.of(25), Count.of(5))).globalGrouping("numbers");
            return b.createTopology();
        }
    }

    static class TumblingTime implements Area {
        @Override
        public StormTopology build(Config conf) {
            TopologyBuilder b = timed(numbers(0), onTime(new Contents(true).withTumblingWindow(Duration.of(100))),
                onTime(new Contents(true).withTumblingWindow(Duration.of(250))));
            b.setBolt("total", new Total(20).withTumblingWindow(Duration.of(200))).globalGrouping("numbers"); // the clock's time
            return b.createTopology();
        }
    }

    static class SlidingTime implements Area {
        @Override
        public StormTopology build(Config conf) {
            TopologyBuilder b = timed(numbers(35), onTime(new Contents(true).withWindow(Duration.of(120), Duration.of(40))),
                onTime(new Contents(true).withWindow(Count.of(6), Duration.of(100))));
            // A window for each number: Storm counts anew from every watermark, so more than one would depend on when those come.
            b.setSpout("ordered", numbers(0));
            b.setBolt("total", onTime(new Total().withWindow(Duration.of(100), Count.of(1)))).globalGrouping("ordered");
            return b.createTopology();
        }
    }

    private static BaseWindowedBolt onTime(BaseWindowedBolt b) {
        return b.withTimestampField("ts").withLag(Duration.of(50)).withWatermarkInterval(Duration.of(100));
    }
}

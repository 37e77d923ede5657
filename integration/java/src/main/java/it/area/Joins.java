package it.area;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.bolt.JoinBolt;
import org.apache.storm.bolt.JoinBolt.Selector;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.topology.base.BaseWindowedBolt.Count;
import org.apache.storm.topology.base.BaseWindowedBolt.Duration;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;

/**
 * Joins of three components in one window by count, and of two streams in windows by the tuples' time. A watermark stops a window
 * at the first tuple that is later than it by more than the lag, so that for the latter one spout sends all users before the
 * orders, and the lag is longer than their times are apart.
 */
class Joins implements Area {
    private static final int USERS = 12;
    private static final int ORDERS = 40;
    private static final int GIFTS = 5;
    private static final int LAG = 1500;
    private static final long LAST = 9000;

    private static List<Values> users() {
        List<Values> users = new ArrayList<>();
        for (int i = 0; i < USERS; i++) {
            users.add(new Values("u" + i, "name" + i, 1000L + 100 * i));
        }
        return users;
    }

    private static List<Values> orders() {
        List<Values> orders = new ArrayList<>();
        for (int i = 0; i < ORDERS; i++) {
            orders.add(new Values("u" + i % (USERS + 3), i, 1000L + 30 * i));
        }
        return orders;
    }

    /** Emits all users, all orders, and a late one of both, each kind on a stream of its own. */
    static class Both extends BaseRichSpout {
        private SpoutOutputCollector collector;
        private boolean done;

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            this.collector = collector;
        }

        @Override
        public void nextTuple() {
            if (done) {
                return;
            }
            done = true;
            users().forEach(u -> collector.emit("users", u));
            orders().forEach(o -> collector.emit("orders", o));
            collector.emit("users", new Values("nobody", "", LAST));
            collector.emit("orders", new Values("nobody", ORDERS, LAST));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declareStream("users", new Fields("user", "name", "ts"));
            d.declareStream("orders", new Fields("user", "order", "ts"));
        }
    }

    @Override
    public StormTopology build(Config conf) {
        List<Values> gifts = new ArrayList<>();
        for (int i = 0; i < GIFTS; i++) {
            gifts.add(new Values("u" + 2 * i, "gift" + i));
        }
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("users", new Feed(new Fields("user", "name", "ts"), users()));
        b.setSpout("orders", new Feed(new Fields("user", "order", "ts"), orders()));
        b.setSpout("gifts", new Feed(new Fields("receiver", "gift"), gifts));
        b.setBolt("three", new JoinBolt("orders", "user").join("users", "user", "orders").leftJoin("gifts", "receiver", "users")
            .select("order,users:name,orders:ts,gift").withTumblingWindow(Count.of(USERS + ORDERS + GIFTS)))
            .globalGrouping("users").globalGrouping("orders").globalGrouping("gifts");
        b.setSpout("both", new Both());
        b.setBolt("timed", new JoinBolt(Selector.STREAM, "orders", "user").leftJoin("users", "user", "orders")
            .select("order,users:name,orders:ts,users:ts").withTumblingWindow(Duration.of(400)).withTimestampField("ts")
            .withLag(Duration.of(LAG)).withWatermarkInterval(Duration.of(100)))
            .globalGrouping("both", "users").globalGrouping("both", "orders");
        b.setBolt("sink", new Sink()).globalGrouping("three").globalGrouping("timed");
        return b.createTopology();
    }
}

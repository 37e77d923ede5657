package yahoo;

import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.utils.TupleUtils;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;

/**
 * Counts views by campaign in windows of ten seconds of event time. Every tenth of a second while events come, and every second
 * else, it adds what is new to Redis, with the time of that, and acks what is in it.
 */
final class Count extends BaseRichBolt {
    static final long WINDOW_MS = 10_000;
    private static final long FLUSH_NANOS = 100_000_000;

    private final String address;
    private transient OutputCollector collector;
    private transient Jedis redis;
    private transient Map<String, Long> fresh;
    private transient List<Tuple> held;
    private transient long flushed;

    Count(String address) {
        this.address = address;
    }

    @Override
    public Map<String, Object> getComponentConfiguration() {
        return Map.of(Config.TOPOLOGY_TICK_TUPLE_FREQ_SECS, 1);
    }

    @Override
    public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
        this.collector = collector;
        redis = new Jedis(URI.create("redis://" + address));
        fresh = new HashMap<>();
        held = new ArrayList<>();
        flushed = System.nanoTime();
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
    }

    @Override
    public void execute(Tuple t) {
        if (TupleUtils.isTick(t)) {
            flush();
            return;
        }
        long time = Long.parseLong(t.getString(1));
        fresh.merge(t.getString(0) + ":" + time / WINDOW_MS * WINDOW_MS, 1L, Long::sum);
        held.add(t);
        if (System.nanoTime() - flushed > FLUSH_NANOS) {
            flush();
        }
    }

    private void flush() {
        String now = Long.toString(System.currentTimeMillis());
        try (Pipeline p = redis.pipelined()) {
            fresh.forEach((window, count) -> {
                p.hincrBy("window:" + window, "seen", count);
                p.hset("window:" + window, "updated", now);
            });
            p.sync();
        }
        fresh.clear();
        held.forEach(collector::ack);
        held.clear();
        flushed = System.nanoTime();
    }

    @Override
    public void cleanup() {
        redis.close();
    }
}

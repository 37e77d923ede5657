package yahoo;

import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;
import redis.clients.jedis.Jedis;

/** Finds the campaign of an ad in Redis, once for each ad. An ad without one is passed over. */
final class Join extends BaseBasicBolt {
    private final String address;
    private transient Jedis redis;
    private transient Map<String, String> campaigns;

    Join(String address) {
        this.address = address;
    }

    @Override
    public void prepare(Map<String, Object> conf, TopologyContext context) {
        redis = new Jedis(URI.create("redis://" + address));
        campaigns = new HashMap<>();
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(new Fields("campaign", "event_time"));
    }

    @Override
    public void execute(Tuple t, BasicOutputCollector out) {
        String campaign = campaigns.computeIfAbsent(t.getString(0), ad -> redis.get("ad:" + ad));
        if (campaign != null) {
            out.emit(new Values(campaign, t.getString(1)));
        }
    }

    @Override
    public void cleanup() {
        redis.close();
    }
}

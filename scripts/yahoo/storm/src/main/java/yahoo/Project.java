package yahoo;

import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Keeps of an event which ad was seen when. */
final class Project extends BaseBasicBolt {
    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(new Fields("ad_id", "event_time"));
    }

    @Override
    public void execute(Tuple t, BasicOutputCollector out) {
        out.emit(new Values(t.getStringByField("ad_id"), t.getStringByField("event_time")));
    }
}

package yahoo;

import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Tuple;

/** Lets views through. */
final class Filter extends BaseBasicBolt {
    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(Read.FIELDS);
    }

    @Override
    public void execute(Tuple t, BasicOutputCollector out) {
        if ("view".equals(t.getStringByField("event_type"))) {
            out.emit(t.getValues());
        }
    }
}

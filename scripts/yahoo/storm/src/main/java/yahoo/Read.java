package yahoo;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.Map;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.FailedException;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Reads an event, an object of JSON with seven texts. */
final class Read extends BaseBasicBolt {
    static final Fields FIELDS = new Fields("user_id", "page_id", "ad_id", "ad_type", "event_type", "event_time", "ip_address");

    private transient JsonFactory json;

    @Override
    public void prepare(Map<String, Object> conf, TopologyContext context) {
        json = new JsonFactory();
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(FIELDS);
    }

    @Override
    public void execute(Tuple t, BasicOutputCollector out) {
        Object[] values = new Object[FIELDS.size()];
        try (JsonParser p = json.createParser(t.getStringByField("value"))) {
            p.nextToken();
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                String name = p.currentName();
                p.nextToken();
                if (FIELDS.contains(name)) {
                    values[FIELDS.fieldIndex(name)] = p.getText();
                }
            }
        } catch (IOException e) {
            throw new FailedException("no event: " + t.getStringByField("value"), e);
        }
        out.emit(new Values(values));
    }
}

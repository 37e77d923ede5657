import java.util.Map;
import org.apache.storm.state.KeyValueState;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.StatefulBoltExecutor;
import org.apache.storm.topology.base.BaseStatefulBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Passes records on, and adds to each that it came through Java and its number within its key, from a state of Storm's. */
public class Count extends StatefulBoltExecutor<KeyValueState<String, Long>> {
    public Count() {
        super(new Bolt());
    }

    /** What Count does. */
    public static class Bolt extends BaseStatefulBolt<KeyValueState<String, Long>> {
        private KeyValueState<String, Long> state;
        private OutputCollector out;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
        }

        @Override
        public void initState(KeyValueState<String, Long> s) {
            state = s;
        }

        @Override
        public void execute(Tuple t) {
            String key = t.getString(0);
            long n = state.get(key, 0L) + 1;
            state.put(key, n);
            out.emit(t, new Values(key, t.getString(1) + " java " + n));
            out.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("key", "value"));
        }
    }
}

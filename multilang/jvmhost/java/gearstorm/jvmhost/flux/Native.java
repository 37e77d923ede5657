package gearstorm.jvmhost.flux;

import gearstorm.jvmhost.flux.Definition.Vertex;
import java.util.Map;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;

/** Stand-ins for components that need no Java, with their streams and configurations. The Go side puts the real ones in. */
final class Native {
    private Native() {}

    private static void declare(Vertex v, OutputFieldsDeclarer d) {
        v.outputs().forEach((name, o) -> d.declareStream(name, o.direct(), new Fields(o.fields())));
    }

    private static UnsupportedOperationException placeholder() {
        return new UnsupportedOperationException("a stand-in does nothing");
    }

    static final class Spout extends BaseRichSpout {
        private static final long serialVersionUID = 1;
        private final transient Vertex vertex;

        Spout(Vertex vertex) {
            this.vertex = vertex;
        }

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            throw placeholder();
        }

        @Override
        public void nextTuple() {
            throw placeholder();
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declare(vertex, declarer);
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return vertex.conf().isEmpty() ? null : vertex.conf();
        }
    }

    static final class Bolt extends BaseRichBolt {
        private static final long serialVersionUID = 1;
        private final transient Vertex vertex;

        Bolt(Vertex vertex) {
            this.vertex = vertex;
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            throw placeholder();
        }

        @Override
        public void execute(Tuple input) {
            throw placeholder();
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declare(vertex, declarer);
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return vertex.conf().isEmpty() ? null : vertex.conf();
        }
    }
}

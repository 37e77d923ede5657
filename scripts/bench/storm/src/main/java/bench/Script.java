package bench;

import java.util.Map;
import org.apache.storm.task.ShellBolt;
import org.apache.storm.topology.IRichBolt;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.tuple.Fields;

/** A bolt in Python, with the storm.py of this release. */
final class Script extends ShellBolt implements IRichBolt {
    Script(String script) {
        super("python3", script);
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(new Fields("text"));
    }

    @Override
    public Map<String, Object> getComponentConfiguration() {
        return null;
    }
}

package it.area;

import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Tuple;

/** Adds to the results what came, and to which task of the component if that is not left to chance. */
class Where extends BaseBasicBolt {
    private final boolean task;
    private Map<String, Object> conf;
    private String name;

    Where(boolean task) {
        this.task = task;
    }

    @Override
    public void prepare(Map<String, Object> conf, TopologyContext context) {
        this.conf = conf;
        name = context.getThisComponentId() + (task ? " task " + context.getThisTaskIndex() : "");
    }

    @Override
    public void execute(Tuple t, BasicOutputCollector collector) {
        String values = t.getValues().stream().map(v -> v instanceof byte[] b ? Arrays.toString(b) : String.valueOf(v)).collect(Collectors.joining(" "));
        Results.add(conf, name, t.getSourceComponent(), t.getSourceStreamId(), values);
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
    }
}

package it.area;

import java.util.Map;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Tuple;

/** Adds the values that it gets to the results. */
class Sink extends BaseBasicBolt {
    private Map<String, Object> conf;

    @Override
    public void prepare(Map<String, Object> conf, TopologyContext context) {
        this.conf = conf;
    }

    @Override
    public void execute(Tuple t, BasicOutputCollector collector) {
        Results.add(conf, t.getSourceComponent(), t.getValues());
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
    }
}

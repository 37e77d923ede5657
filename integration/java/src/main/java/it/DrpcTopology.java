package it;

import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.drpc.DRPCSpout;
import org.apache.storm.drpc.ReturnResults;
import org.apache.storm.task.ShellBolt;
import org.apache.storm.topology.IRichBolt;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;

/** Storm's own DRPC components around a bolt in Python. Arguments: name, function. */
public class DrpcTopology {

    /** Upper-cases the arguments; unmodified storm.py. */
    public static class Answer extends ShellBolt implements IRichBolt {
        public Answer() {
            super("python3", "answer.py");
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("result", "return-info"));
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return null;
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("requests", new DRPCSpout(args[1]));
        b.setBolt("answer", new Answer()).shuffleGrouping("requests");
        b.setBolt("return", new ReturnResults()).shuffleGrouping("answer");
        StormSubmitter.submitTopology(args[0], new Config(), b.createTopology());
    }
}

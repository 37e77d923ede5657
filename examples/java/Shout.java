import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.drpc.DRPCSpout;
import org.apache.storm.drpc.ReturnResults;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** A function that topologies serve: its answer is what it was called with, in capitals. */
public class Shout extends BaseBasicBolt {
    @Override
    public void execute(Tuple call, BasicOutputCollector out) {
        String text = call.getStringByField("args");
        out.emit(new Values(text.toUpperCase() + "!", call.getValueByField("return-info")));
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(new Fields("result", "return-info"));
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("calls", new DRPCSpout("shout"));
        b.setBolt("shout", new Shout(), 2).shuffleGrouping("calls");
        b.setBolt("answers", new ReturnResults()).shuffleGrouping("shout");
        StormSubmitter.submitTopology(args[0], new Config(), b.createTopology());
    }
}

package it;

import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Who gets the tuples of a local-or-shuffle grouping. Arguments: name, folder for results, workers. */
public final class Near {
    private Near() {}

    /** Emits its process without an end, and how many tasks its worker has. */
    public static class Source extends BaseRichSpout {
        private TopologyContext context;
        private SpoutOutputCollector out;

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            this.context = context;
            out = collector;
        }

        @Override
        public void nextTuple() {
            out.emit(new Values(ProcessHandle.current().pid(), context.getThisWorkerTasks().size()));
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("process", "tasks"));
        }
    }

    /** Writes down its task, whether a tuple came from another process, and how many tasks that has. */
    public static class Arrived extends BaseBasicBolt {
        private Map<String, Object> conf;
        private int task;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context) {
            this.conf = conf;
            task = context.getThisTaskId();
        }

        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            String from = t.getLong(0) == ProcessHandle.current().pid() ? "here" : "there";
            Lines.append(conf, "arrived", task + " " + from + " " + t.getInteger(1));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("source", new Source(), 2);
        b.setBolt("arrived", new Arrived(), 4).localOrShuffleGrouping("source");
        Config conf = new Config();
        conf.setNumWorkers(Integer.parseInt(args[2]));
        conf.setNumAckers(0);
        conf.put("it.dir", args[1]);
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}

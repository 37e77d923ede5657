package it;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
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

/**
 * A topology whose bolt needs classes that are not in its jar: one of a Maven artifact, which needs another artifact, and one
 * of a jar that is sent along. Arguments: name, the file that the bolt appends a line to.
 */
public class Depends {

    public static class Once extends BaseRichSpout {
        private transient SpoutOutputCollector out;
        private transient boolean done;

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            out = collector;
        }

        @Override
        public void nextTuple() {
            if (!done) {
                done = true;
                out.emit(new Values("world"), 1);
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(new Fields("whom"));
        }
    }

    public static class Greet extends BaseBasicBolt {
        private final String file;

        public Greet(String file) {
            this.file = file;
        }

        @Override
        public void execute(Tuple tuple, BasicOutputCollector collector) {
            String line = plain.Mark.after(greeting.Greeting.to(tuple.getString(0)));
            try {
                Files.write(Path.of(file), List.of(line), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            } catch (IOException e) {
                throw new RuntimeException(e);
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("once", new Once());
        b.setBolt("greet", new Greet(args[1])).shuffleGrouping("once");
        StormSubmitter.submitTopology(args[0], new Config(), b.createTopology());
    }
}
